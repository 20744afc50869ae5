"""The rules of a symbol, one class a filter, each with its data (as exchangeInfo shows it) and one question."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from tidegate.domain.money import ZERO, is_on_grid


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What filters look at: one order (or leg) and what its account already has in the symbol."""

    is_buy: bool
    is_market: bool  # type MARKET, which has neither price
    quantity: Decimal | None  # base; None for a market order by quote
    limit_price: Decimal | None
    stop_price: Decimal | None
    notional: Decimal  # quote, at the limit, else the stop, else the reference price
    reference_price: Decimal | None  # the last trade
    orders: int  # open ones of the account and symbol, this request included
    algo_orders: int  # those with a stop price
    position: Decimal  # base: free + locked + open buys, this request included


@dataclass(frozen=True, slots=True)
class PriceFilter:
    """Bounds and grid of limit and stop prices; 0 disables a part."""

    name: ClassVar[str] = "PRICE_FILTER"
    tick_size: Decimal
    price_min: Decimal = ZERO
    price_max: Decimal = ZERO

    def allows(self, order: Proposal) -> bool:
        return all(
            _within(price, self.price_min, self.price_max) and is_on_grid(price, self.tick_size)
            for price in (order.limit_price, order.stop_price)
            if price is not None
        )


@dataclass(frozen=True, slots=True)
class LotSize:
    """Bounds and grid of quantities; 0 disables a part."""

    name: ClassVar[str] = "LOT_SIZE"
    lot_size: Decimal
    quantity_min: Decimal = ZERO
    quantity_max: Decimal = ZERO

    def allows(self, order: Proposal) -> bool:
        return order.quantity is None or (
            _within(order.quantity, self.quantity_min, self.quantity_max) and is_on_grid(order.quantity, self.lot_size)
        )


@dataclass(frozen=True, slots=True)
class MarketLotSize:
    """Bounds and grid of quantities of market orders only; 0 disables a part."""

    name: ClassVar[str] = "MARKET_LOT_SIZE"
    lot_size: Decimal = ZERO
    quantity_min: Decimal = ZERO
    quantity_max: Decimal = ZERO

    def allows(self, order: Proposal) -> bool:
        return (
            not order.is_market
            or order.quantity is None
            or (
                _within(order.quantity, self.quantity_min, self.quantity_max)
                and is_on_grid(order.quantity, self.lot_size)
            )
        )


@dataclass(frozen=True, slots=True)
class Notional:
    """Bounds of price × quantity; market orders are measured at the last trade."""

    name: ClassVar[str] = "NOTIONAL"
    notional_min: Decimal = ZERO
    notional_max: Decimal = ZERO
    min_applies_to_market: bool = True
    max_applies_to_market: bool = False

    def allows(self, order: Proposal) -> bool:
        low = self.notional_min if self.min_applies_to_market or not order.is_market else ZERO
        high = self.notional_max if self.max_applies_to_market or not order.is_market else ZERO
        return _within(order.notional, low, high)


@dataclass(frozen=True, slots=True)
class MinNotional:
    """The older form of `Notional`, without an upper bound."""

    name: ClassVar[str] = "MIN_NOTIONAL"
    notional_min: Decimal
    applies_to_market: bool = True

    def allows(self, order: Proposal) -> bool:
        return (order.is_market and not self.applies_to_market) or order.notional >= self.notional_min


@dataclass(frozen=True, slots=True)
class PercentPriceBySide:
    """Limit prices as multiples of the last trade; buys and sells have their own."""

    name: ClassVar[str] = "PERCENT_PRICE_BY_SIDE"
    bid_multiplier_max: Decimal
    bid_multiplier_min: Decimal
    ask_multiplier_max: Decimal
    ask_multiplier_min: Decimal

    def allows(self, order: Proposal) -> bool:
        if order.limit_price is None or order.reference_price is None:
            return True
        low, high = (
            (self.bid_multiplier_min, self.bid_multiplier_max)
            if order.is_buy
            else (self.ask_multiplier_min, self.ask_multiplier_max)
        )
        return order.reference_price * low <= order.limit_price <= order.reference_price * high


@dataclass(frozen=True, slots=True)
class MaxNumOrders:
    """Open orders of one account in the symbol, stops included."""

    name: ClassVar[str] = "MAX_NUM_ORDERS"
    orders_max: int

    def allows(self, order: Proposal) -> bool:
        return order.orders <= self.orders_max


@dataclass(frozen=True, slots=True)
class MaxNumAlgoOrders:
    """Open orders with a stop price of one account in the symbol."""

    name: ClassVar[str] = "MAX_NUM_ALGO_ORDERS"
    orders_max: int

    def allows(self, order: Proposal) -> bool:
        return order.stop_price is None or order.algo_orders <= self.orders_max


@dataclass(frozen=True, slots=True)
class MaxPosition:
    """Base that an account may have and be buying."""

    name: ClassVar[str] = "MAX_POSITION"
    position_max: Decimal

    def allows(self, order: Proposal) -> bool:
        return not order.is_buy or order.position <= self.position_max


SymbolFilter = (
    PriceFilter
    | LotSize
    | MarketLotSize
    | Notional
    | MinNotional
    | PercentPriceBySide
    | MaxNumOrders
    | MaxNumAlgoOrders
    | MaxPosition
)


def first_broken(filters: tuple[SymbolFilter, ...], order: Proposal) -> SymbolFilter | None:
    """The first filter, in the symbol's order, that does not allow the order."""
    return next((rule for rule in filters if not rule.allows(order)), None)


def _within(value: Decimal, low: Decimal, high: Decimal) -> bool:
    return value >= low and (high == 0 or value <= high)
