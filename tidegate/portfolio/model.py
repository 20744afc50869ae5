"""One account valued: balances and lots against mark prices, without a guess where a price is missing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tidegate.domain.ids import AccountId, BotId
from tidegate.domain.money import EXACT, ZERO, Money
from tidegate.domain.orders import BalanceReport, Direction
from tidegate.measures.pnl import Execution, Gains, unrealized_pnl
from tidegate.portfolio.ports import Mark, OpenPosition


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One asset of an account, in the valuation currency where not said otherwise; None is unknown."""

    asset: str
    free: Decimal  # of the asset
    held: Decimal  # of the asset
    mark_price: Decimal | None
    mark_age_ms: int | None
    value: Decimal | None
    cost: Decimal | None  # of the open lots, fees included; None for the currency itself
    quantity_without_cost: Decimal  # of the asset: what no fill of ours bought
    unrealized_pnl: Decimal | None  # of the open lots


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionValue:
    """A position at its mark price, in its quote asset; None is unknown."""

    bot_id: BotId | None
    symbol: str
    direction: Direction
    quantity: Decimal  # base
    entry_price: Decimal
    realized_pnl: Decimal  # of the running trade
    mark_price: Decimal | None
    mark_age_ms: int | None
    unrealized_pnl: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Portfolio:
    """What an account is worth and has gained; sums leave out what is unknown and `is_partial` says so."""

    account_id: AccountId
    currency: str
    equity: Decimal | None  # None: not one holding could be valued
    realized_pnl: Decimal
    unrealized_pnl: Decimal | None  # None: not one of the open lots could be valued
    unpriced_assets: tuple[str, ...]
    unvalued_quotes: tuple[str, ...]  # fills quoted in these assets are in no result
    missing_basis: tuple[Money, ...]  # sold without having been bought here: counted with a cost of 0
    unpriced_fees: tuple[Money, ...]  # paid in an asset of unknown price: counted nowhere
    holdings: tuple[Holding, ...]
    positions: tuple[PositionValue, ...]

    @property
    def is_partial(self) -> bool:
        """Whether something that belongs into the totals is not in them, or is in them without its cost."""
        return bool(self.unpriced_assets or self.unvalued_quotes or self.missing_basis or self.unpriced_fees)


def valued(
    account_id: AccountId,
    currency: str,
    *,
    balances: Iterable[BalanceReport],
    executions: Sequence[Execution],
    positions: Iterable[OpenPosition],
    marks: Mapping[str, Mark | None],
) -> Portfolio:
    """The portfolio of one account; `marks` is by symbol, a symbol it lacks has no known price."""
    gains = Gains(currency)
    for execution in executions:
        if execution.quote == currency:
            gains.add(execution)
    holdings = tuple(_holding(balance, currency, gains, marks) for balance in balances)
    lots = [asset for asset, open_lots in gains.lots.items() if open_lots.quantity and asset != currency]
    unrealized = [
        None if (mark := marks.get(f"{asset}/{currency}")) is None else gains.unrealized(asset, mark.price)
        for asset in lots
    ]
    return Portfolio(
        account_id=account_id,
        currency=currency,
        equity=_sum_of_known([holding.value for holding in holdings]),
        realized_pnl=gains.total_realized(),
        unrealized_pnl=_sum_of_known(unrealized),
        unpriced_assets=_unpriced(holdings, lots, unrealized),
        unvalued_quotes=tuple(sorted({each.quote for each in executions if each.quote != currency})),
        missing_basis=tuple(Money(quantity, asset) for asset, quantity in sorted(gains.missing_basis.items())),
        unpriced_fees=_by_asset(gains.unpriced_fees),
        holdings=holdings,
        positions=tuple(_position(position, marks.get(position.symbol)) for position in positions),
    )


def _holding(balance: BalanceReport, currency: str, gains: Gains, marks: Mapping[str, Mark | None]) -> Holding:
    asset, quantity = balance.asset, balance.free + balance.held
    if asset == currency:
        return Holding(
            asset=asset,
            free=balance.free,
            held=balance.held,
            mark_price=Decimal(1),
            mark_age_ms=0,
            value=quantity,
            cost=None,
            quantity_without_cost=ZERO,
            unrealized_pnl=None,
        )
    mark = marks.get(f"{asset}/{currency}")
    lots = gains.lots.get(asset)
    return Holding(
        asset=asset,
        free=balance.free,
        held=balance.held,
        mark_price=mark.price if mark else None,
        mark_age_ms=mark.age_ms if mark else None,
        value=EXACT.multiply(quantity, mark.price) if mark else None,
        cost=lots.cost if lots else ZERO,
        quantity_without_cost=max(quantity - (lots.quantity if lots else ZERO), ZERO),
        unrealized_pnl=gains.unrealized(asset, mark.price) if mark else None,
    )


def _position(position: OpenPosition, mark: Mark | None) -> PositionValue:
    gain = None
    if mark is not None:
        gain = unrealized_pnl(
            position.direction, position.quantity, entry_price=position.entry_price, mark_price=mark.price
        )
    return PositionValue(
        bot_id=position.bot_id,
        symbol=position.symbol,
        direction=position.direction,
        quantity=position.quantity,
        entry_price=position.entry_price,
        realized_pnl=position.realized_pnl,
        mark_price=mark.price if mark else None,
        mark_age_ms=mark.age_ms if mark else None,
        unrealized_pnl=gain,
    )


def _unpriced(
    holdings: Iterable[Holding], lots: Sequence[str], unrealized: Sequence[Decimal | None]
) -> tuple[str, ...]:
    assets = {holding.asset for holding in holdings if holding.value is None}
    assets |= {asset for asset, gain in zip(lots, unrealized, strict=True) if gain is None}
    return tuple(sorted(assets))


def _sum_of_known(parts: Sequence[Decimal | None]) -> Decimal | None:
    known = [part for part in parts if part is not None]
    return sum(known, ZERO) if known or not parts else None


def _by_asset(fees: Iterable[Money]) -> tuple[Money, ...]:
    totals: dict[str, Decimal] = {}
    for fee in fees:
        totals[fee.asset] = totals.get(fee.asset, ZERO) + fee.quantity
    return tuple(Money(quantity, asset) for asset, quantity in sorted(totals.items()))
