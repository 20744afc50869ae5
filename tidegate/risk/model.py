"""The checks that every order passes, as a list that can be read aloud; a denial is a value."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from decimal import Decimal

from tidegate.domain.errors import Invalid
from tidegate.domain.money import ZERO, plain
from tidegate.domain.orders import OrderIntent, OrderPurpose, Side

_BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may not be exceeded; None sets no limit at this level, 0 permits nothing."""

    order_notional_max: Decimal | None = None  # quote
    position_notional_max: Decimal | None = None  # quote, per symbol
    open_orders_max: int | None = None
    price_collar_bps: Decimal | None = None  # distance of an order's prices from the mark price, both ways
    data_age_ms_max: int | None = None
    daily_loss_max: Decimal | None = None  # quote; reached means no more entries today

    def __post_init__(self) -> None:
        for field in fields(self):
            bound = getattr(self, field.name)
            if bound is not None and bound < 0:
                raise Invalid(
                    f"{field.name} must be 0 or more, not {bound}; leave it out to set no limit.",
                    code="risk.limit_invalid",
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskView:
    """What is known of account and symbol now; None is unknown, never zero.

    Pending quantities are what live entries may still fill; an order whose outcome is unknown counts in full.
    """

    limits: Limits
    is_kill_switch_on: bool | None = None
    data_age_ms: int | None = None
    mark_price: Decimal | None = None  # quote per base
    position_quantity: Decimal | None = None  # base, below zero when short
    pending_buy_quantity: Decimal | None = None  # base
    pending_sell_quantity: Decimal | None = None  # base
    open_orders: int | None = None
    daily_pnl: Decimal | None = None  # quote, realized and unrealized since 00:00 UTC


@dataclass(frozen=True, slots=True)
class Denial:
    """Why an order does not go out; `observed` and `bound` are None where no number decided."""

    code: str
    detail: str
    observed: Decimal | None = None
    bound: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Switch:
    """The kill switch of one account: while it is on, nothing enters."""

    is_on: bool
    reason: str
    set_at: int | None  # µs, None when nobody has ever set it


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of one limit is used up; None is unknown."""

    limit: str
    used: Decimal | None
    bound: Decimal

    @property
    def share(self) -> Decimal | None:
        """Used as a fraction of the bound; None when unknown or when the bound permits nothing."""
        return None if self.used is None or not self.bound else self.used / self.bound


Check = Callable[[OrderIntent, RiskView], Denial | None]


def first_denial(intent: OrderIntent, view: RiskView) -> Denial | None:
    """The first check that objects decides; None approves, as does everything that only reduces a position."""
    if intent.reduce_only or intent.purpose is not OrderPurpose.ENTRY:
        return None if reduces(intent, view) else Denial("risk.nothing_to_reduce", "The order reduces no position.")
    return next((denial for check in CHECKS if (denial := check(intent, view)) is not None), None)


def reduces(intent: OrderIntent, view: RiskView) -> bool:
    """Whether the order claims to reduce, and nothing known says otherwise: a false claim is judged as an entry."""
    if not intent.reduce_only and intent.purpose is OrderPurpose.ENTRY:
        return False
    position = view.position_quantity
    if position is None:
        return True
    reducible = max(position if intent.side is Side.SELL else -position, ZERO)
    return intent.quantity <= reducible


def tightest(*levels: Limits) -> Limits:
    """The limits in force where several levels apply: the lowest bound of each that is set."""
    in_force = {}
    for field in fields(Limits):
        bounds = [bound for level in levels if (bound := getattr(level, field.name)) is not None]
        in_force[field.name] = min(bounds, default=None)
    return Limits(**in_force)


def usage(
    limits: Limits, *, open_orders: int | None, position_notional: Decimal | None, daily_pnl: Decimal | None
) -> tuple[Usage, ...]:
    """One line for each limit that is set and that an account fills up over time; a profit uses no loss limit."""
    loss = None if daily_pnl is None else max(-daily_pnl, ZERO)
    measured = (
        ("position_notional_max", position_notional, limits.position_notional_max),
        ("open_orders_max", open_orders, limits.open_orders_max),
        ("daily_loss_max", loss, limits.daily_loss_max),
    )
    return tuple(
        Usage(name, None if used is None else Decimal(used), Decimal(bound))
        for name, used, bound in measured
        if bound is not None
    )


def check_kill_switch(intent: OrderIntent, view: RiskView) -> Denial | None:
    """Nothing enters while the switch is on, whatever the limits."""
    if view.is_kill_switch_on is None:
        return _unknown("kill_switch", "the state of the kill switch")
    if view.is_kill_switch_on:
        return Denial("risk.kill_switch_on", "The kill switch is on: no entries until it is switched off.")
    return None


def check_data_age(intent: OrderIntent, view: RiskView) -> Denial | None:
    """The newest market data of the symbol must be young enough to decide on."""
    bound = view.limits.data_age_ms_max
    if bound is None:
        return None
    if view.data_age_ms is None:
        return _unknown("data_age", "the age of the market data")
    if view.data_age_ms <= bound:
        return None
    return Denial(
        "risk.data_too_old",
        f"The newest market data of {intent.symbol} is {view.data_age_ms} ms old, allowed are {bound} ms.",
        Decimal(view.data_age_ms),
        Decimal(bound),
    )


def check_price_collar(intent: OrderIntent, view: RiskView) -> Denial | None:
    """Limit and stop price must be near the mark price; while a collar is set, even a market order needs one."""
    bound = view.limits.price_collar_bps
    if bound is None:
        return None
    mark = view.mark_price
    if mark is None or mark <= 0:
        return _unknown("mark_price", f"the mark price of {intent.symbol}")
    for price in (intent.limit_price, intent.stop_price):
        if price is not None and abs(price - mark) * _BPS > bound * mark:
            distance = abs(price - mark) * _BPS / mark
            return Denial(
                "risk.price_outside_collar",
                f"A price of {plain(price)} is {distance:.1f} bps from the mark price {plain(mark)}, "
                f"allowed are {plain(bound)} bps.",
                distance,
                bound,
            )
    return None


def check_order_notional(intent: OrderIntent, view: RiskView) -> Denial | None:
    """One order may not be worth too much."""
    bound = view.limits.order_notional_max
    if bound is None:
        return None
    notional = _notional(intent, view)
    if notional is None:
        return _unknown("mark_price", f"the mark price of {intent.symbol}")
    return _above("risk.order_notional_above_max", "The order's notional", notional, bound)


def check_position_notional(intent: OrderIntent, view: RiskView) -> Denial | None:
    """The position may not become worth too much, if this and every pending entry of its side fills."""
    bound = view.limits.position_notional_max
    if bound is None:
        return None
    is_buy = intent.side is Side.BUY
    pending = view.pending_buy_quantity if is_buy else view.pending_sell_quantity
    if view.position_quantity is None or pending is None:
        return _unknown("position", f"the position in {intent.symbol}")
    notional = _notional(intent, view)
    if view.mark_price is None or notional is None:
        return _unknown("mark_price", f"the mark price of {intent.symbol}")
    held = view.position_quantity if is_buy else -view.position_quantity
    exposure = (held + pending) * view.mark_price + notional
    return _above("risk.position_notional_above_max", "The position with all its pending entries", exposure, bound)


def check_open_orders(intent: OrderIntent, view: RiskView) -> Denial | None:
    """The account may not have too many live orders, this one included."""
    bound = view.limits.open_orders_max
    if bound is None:
        return None
    if view.open_orders is None:
        return _unknown("open_orders", "the number of open orders")
    if view.open_orders + 1 <= bound:
        return None
    return Denial(
        "risk.open_orders_above_max",
        f"{view.open_orders} orders are open, one more would exceed {bound}.",
        Decimal(view.open_orders + 1),
        Decimal(bound),
    )


def check_daily_loss(intent: OrderIntent, view: RiskView) -> Denial | None:
    """A loss that has reached its bound ends the day for entries: any further loss would exceed it."""
    bound = view.limits.daily_loss_max
    if bound is None:
        return None
    if view.daily_pnl is None:
        return _unknown("daily_pnl", "today's profit and loss")
    loss = -view.daily_pnl
    if loss < bound:
        return None
    return Denial(
        "risk.daily_loss_reached",
        f"Today's loss is {plain(loss)}, entries end at {plain(bound)}.",
        loss,
        bound,
    )


CHECKS: tuple[Check, ...] = (
    check_kill_switch,
    check_data_age,
    check_price_collar,
    check_order_notional,
    check_position_notional,
    check_open_orders,
    check_daily_loss,
)


def _notional(intent: OrderIntent, view: RiskView) -> Decimal | None:
    """At the order's own price where it names one, else at the mark price."""
    price = intent.limit_price or intent.stop_price or view.mark_price
    return None if price is None else intent.quantity * price


def _above(code: str, what: str, observed: Decimal, bound: Decimal) -> Denial | None:
    if observed <= bound:
        return None
    return Denial(code, f"{what} would be worth {plain(observed)}, allowed is {plain(bound)}.", observed, bound)


def _unknown(measure: str, what: str) -> Denial:
    return Denial(f"risk.{measure}_unknown", f"Denied because {what} is not known.")
