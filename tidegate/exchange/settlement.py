"""What an acceptance locks, what a fill moves and what an end gives back; every change leaves as an event."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal

from tidegate.domain.ids import AccountId
from tidegate.domain.money import EXACT, ZERO, ceil_to, floor_to
from tidegate.domain.orders import OrderStatus, Side
from tidegate.exchange.model import (
    Balance,
    BalancesChanged,
    EndReason,
    Event,
    Events,
    ExchangeSymbol,
    FeeOption,
    ListChanged,
    Order,
    OrderAccepted,
    OrderEnded,
    OrderList,
    OrderWorking,
    Trade,
    Traded,
)
from tidegate.exchange.state import ExchangeState

Deltas = Mapping[str, tuple[Decimal, Decimal]]  # asset -> (free, locked)


class Settlement:
    """Emits events and applies each at once, so that the next step sees what the last one did."""

    def __init__(
        self, symbols: Mapping[str, ExchangeSymbol], state: ExchangeState, fee_option: FeeOption | None
    ) -> None:
        self.state = state
        self.last_price: Callable[[str], Decimal | None] = lambda symbol: None
        self._symbols = symbols
        self._fee_option = fee_option
        self._events: list[Event] = []

    def take_events(self) -> Events:
        """What happened since the last call."""
        taken, self._events = self._events, []
        return taken

    @property
    def has_events(self) -> bool:
        """Whether anything happened since `take_events`."""
        return bool(self._events)

    def lots_for(self, symbol: str, notional: Decimal, price: Decimal) -> Decimal:
        """The base, in whole lots, that so much quote buys."""
        lot_size = self._symbols[symbol].lot_size
        return notional / price // lot_size * lot_size

    def price_on_grid(self, order: Order, price: Decimal) -> Decimal:
        """A price of the market on the symbol's ticks, rounded against the order."""
        tick_size = self._symbols[order.symbol].tick_size
        return ceil_to(price, tick_size) if order.side is Side.BUY else floor_to(price, tick_size)

    def emit(self, event: Event) -> None:
        """Apply an event and pass it on."""
        self.state.apply(event)
        self._events.append(event)

    def move(self, account_id: AccountId, deltas: Deltas, at: int) -> None:
        """Change balances; nothing is emitted where nothing changes."""
        changed = []
        for asset, (free, locked) in deltas.items():
            if free or locked:
                old = self.state.balance(account_id, asset)
                changed.append(Balance(asset, EXACT.add(old.free, free), EXACT.add(old.locked, locked)))
        if changed:
            self.emit(BalancesChanged(account_id, tuple(changed), at))

    def change_list(self, order_list: OrderList) -> None:
        """A list began or ended."""
        self.emit(ListChanged(order_list))

    def accept(self, order: Order) -> None:
        """A new order; the first leg of a list locks for both."""
        shares_lock = any(leg.is_open for leg in self._other_legs(order))
        self.emit(OrderAccepted(order))
        if not shares_lock:
            self._lock(order, order.reserved, order.created_at)

    def work(self, order: Order, at: int) -> Order:
        """A stop or target was triggered; the other leg of its list ends, and only what this one needs stays locked."""
        reserved = _still_reserved(order, order.leaves, ZERO)
        working = replace(order, is_working=True, working_at=at, updated_at=at, reserved=reserved)
        self.emit(OrderWorking(working))
        self.end_other_leg(working, at)
        self._lock(order, reserved - order.reserved, at)
        return working

    def end_other_leg(self, order: Order, at: int) -> None:
        """One leg fills or works: the other expires, and the lock stays with the first."""
        for leg in self._other_legs(order):
            if leg.is_open:
                self.end(leg, OrderStatus.EXPIRED, EndReason.OCO_TRIGGERED, at=at)

    def fill(
        self, order: Order, price: Decimal, quantity: Decimal, *, is_maker: bool, at: int, is_last: bool = False
    ) -> Order | None:
        """One execution; None when the account cannot pay it, and then the order has ended.

        `is_last` completes a market order by quote, whose quantity is what it has filled.
        """
        symbol = self._symbols[order.symbol]
        notional = EXACT.multiply(price, quantity)
        is_buy = order.side is Side.BUY
        is_complete = is_last or (order.quote_quantity is None and quantity == order.leaves)
        paid, received = (notional, quantity) if is_buy else (quantity, notional)
        reserved = ZERO if is_complete else _still_reserved(order, order.leaves - quantity, paid)
        unlocked = order.reserved - reserved
        spent_asset, received_asset = (symbol.quote, symbol.base) if is_buy else (symbol.base, symbol.quote)
        if unlocked + self.state.balance(order.account_id, spent_asset).free < paid:
            self.end(order, OrderStatus.EXPIRED, EndReason.INSUFFICIENT_BALANCE, at=at)
            return None
        self.end_other_leg(order, at)
        moved = {spent_asset: (unlocked - paid, -unlocked), received_asset: (received, ZERO)}
        rate = symbol.maker_fee_rate if is_maker else symbol.taker_fee_rate
        fee, fee_asset = self._option_fee(order, moved, EXACT.multiply(notional, rate)) or (
            _rounded(EXACT.multiply(received, rate), symbol.base_scale if is_buy else symbol.quote_scale),
            received_asset,
        )
        filled = replace(
            order,
            quantity=order.quantity if order.quote_quantity is None else order.filled_quantity + quantity,
            filled_quantity=order.filled_quantity + quantity,
            filled_notional=EXACT.add(order.filled_notional, notional),
            reserved=reserved,
            status=OrderStatus.FILLED if is_complete else OrderStatus.PARTIALLY_FILLED,
            is_working=True,
            updated_at=at,
        )
        trade = Trade(
            account_id=order.account_id,
            symbol=order.symbol,
            trade_id=self.state.next_trade_id[order.symbol],
            order_id=order.order_id,
            list_id=order.list_id,
            side=order.side,
            price=price,
            quantity=quantity,
            notional=notional,
            fee=fee,
            fee_asset=fee_asset,
            is_maker=is_maker,
            traded_at=at,
        )
        self.emit(Traded(filled, trade))
        free, locked = moved.get(fee_asset, (ZERO, ZERO))
        self.move(order.account_id, {**moved, fee_asset: (EXACT.subtract(free, fee), locked)}, at)
        if is_complete:
            self._end_list(filled, at)
        return filled

    def end(self, order: Order, status: OrderStatus, reason: EndReason, *, at: int, cancel_client_id: str = "") -> None:
        """It ends before it was filled; what it locked is given back unless another leg needs it."""
        ended = replace(
            order,
            status=status,
            end_reason=reason,
            updated_at=at,
            cancel_client_id=cancel_client_id,
            reserved=ZERO,
        )
        self.emit(OrderEnded(ended))
        if not any(leg.is_open for leg in self._other_legs(order)):
            self._lock(order, -order.reserved, at)
            self._end_list(ended, at)

    # --- inside ----------------------------------------------------------------------------------------

    def _other_legs(self, order: Order) -> list[Order]:
        if order.list_id is None:
            return []
        orders = self.state.orders[order.symbol]
        known = [orders.get(order_id) for order_id in self.state.lists[order.list_id].order_ids]
        return [leg for leg in known if leg is not None and leg.order_id != order.order_id]

    def _end_list(self, order: Order, at: int) -> None:
        if order.list_id is None:
            return
        order_list = self.state.lists[order.list_id]
        if not order_list.is_done and not any(leg.is_open for leg in self.state.legs_of(order)):
            self.change_list(replace(order_list, is_done=True, updated_at=at))

    def _lock(self, order: Order, quantity: Decimal, at: int) -> None:
        symbol = self._symbols[order.symbol]
        asset = symbol.quote if order.side is Side.BUY else symbol.base
        self.move(order.account_id, {asset: (-quantity, quantity)}, at)

    def _option_fee(self, order: Order, moved: Deltas, full_fee: Decimal) -> tuple[Decimal, str] | None:
        """The fee in the third asset, if that has a price and enough of it is free once the fill has moved."""
        option, symbol = self._fee_option, self._symbols[order.symbol]
        if option is None:
            return None
        price = option.price or self.last_price(f"{option.asset}/{symbol.quote}")
        if not price:
            return None
        fee = _rounded(full_fee * (1 - option.discount) / price, symbol.quote_scale)
        free, _ = moved.get(option.asset, (ZERO, ZERO))
        has = self.state.balance(order.account_id, option.asset).free + free
        return (fee, option.asset) if fee <= has else None


def _still_reserved(order: Order, leaves: Decimal, paid: Decimal) -> Decimal:
    """What it keeps locked for the base that is left; without a limit it pays from its lock first, then from free."""
    if order.limit_price is None:
        return max(order.reserved - paid, ZERO)
    return min(order.reserved, EXACT.multiply(order.limit_price, leaves) if order.side is Side.BUY else leaves)


def _rounded(value: Decimal, scale: int) -> Decimal:
    """Fees are cut to the asset's decimals, never rounded up."""
    return value.quantize(Decimal(1).scaleb(-scale), ROUND_DOWN, EXACT)
