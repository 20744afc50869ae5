"""Profit and loss from executions: a purchase costs quantity × price + fee, a sale brings quantity × price - fee."""

from dataclasses import dataclass
from decimal import Decimal

from tidegate.domain.money import EXACT, ZERO, Money
from tidegate.domain.orders import Direction, Side
from tidegate.measures.lots import Lots


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One fill, valued in its quote asset."""

    base: str
    quote: str
    side: Side
    quantity: Decimal  # base
    price: Decimal  # quote per base
    fee: Money  # paid if positive, rebate if negative
    filled_at: int  # µs
    fee_price: Decimal | None = None  # quote per asset of the fee, where that is neither base nor quote


class Gains:
    """Lots and realized results in one valuation asset, folded from executions quoted in it, oldest first."""

    def __init__(self, valuation: str) -> None:
        self.valuation = valuation
        self.lots: dict[str, Lots] = {}
        self.realized: dict[str, Decimal] = {}  # by asset sold
        self.missing_basis: dict[str, Decimal] = {}  # quantity that was sold and never bought: its basis counts as 0
        self.unpriced_fees: list[Money] = []  # paid in an asset whose price at that time is not known: not counted

    def add(self, execution: Execution) -> None:
        """A fee in base changes the quantity, one in quote the money, one in a third asset is a sale of that asset."""
        assert execution.quote == self.valuation, "an execution in another quote asset must be valued first"
        is_buy = execution.side is Side.BUY
        quantity = execution.quantity
        money = EXACT.multiply(quantity, execution.price)
        cost = ZERO
        fee = execution.fee
        if fee.asset == execution.base:
            quantity += -fee.quantity if is_buy else fee.quantity
        elif fee.asset == execution.quote:
            cost = fee.quantity
        elif fee.quantity:
            cost = self._third_asset_fee(fee, execution.fee_price, execution.filled_at)
        if is_buy:
            self._acquire(execution.base, quantity, money + cost, execution.filled_at)
        else:
            self._dispose(execution.base, quantity, money - cost)

    def total_realized(self) -> Decimal:
        """Over all assets, in the valuation asset."""
        return sum(self.realized.values(), ZERO)

    def unrealized(self, asset: str, mark_price: Decimal) -> Decimal:
        """What selling all open lots at the mark price would add, before the fee of that sale."""
        lots = self.lots.get(asset)
        return ZERO if lots is None else EXACT.multiply(lots.quantity, mark_price) - lots.cost

    def _third_asset_fee(self, fee: Money, price: Decimal | None, at: int) -> Decimal:
        if price is None:
            self.unpriced_fees.append(fee)
            return ZERO
        value = EXACT.multiply(fee.quantity, price)
        if fee.quantity > 0:
            self._dispose(fee.asset, fee.quantity, value)
        else:
            self._acquire(fee.asset, -fee.quantity, -value, at)
        return value

    def _acquire(self, asset: str, quantity: Decimal, cost: Decimal, at: int) -> None:
        self.lots.setdefault(asset, Lots()).acquire(quantity, cost, at)

    def _dispose(self, asset: str, quantity: Decimal, proceeds: Decimal) -> None:
        disposal = self.lots.setdefault(asset, Lots()).dispose(quantity)
        self.realized[asset] = EXACT.add(self.realized.get(asset, ZERO), EXACT.subtract(proceeds, disposal.cost))
        if disposal.missing_quantity:
            self.missing_basis[asset] = self.missing_basis.get(asset, ZERO) + disposal.missing_quantity


def unrealized_pnl(direction: Direction, quantity: Decimal, *, entry_price: Decimal, mark_price: Decimal) -> Decimal:
    """Quote that closing at the mark price would add, before fees; 0 when flat."""
    if direction is Direction.FLAT:
        return ZERO
    change = mark_price - entry_price if direction is Direction.LONG else entry_price - mark_price
    return EXACT.multiply(quantity, change)
