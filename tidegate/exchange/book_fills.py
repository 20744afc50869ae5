"""The `book` fill model: takers walk the visible levels, resting orders wait behind the queue that they joined.

1. A taker takes level by level at each level's price. What was taken from a level is gone until the market changes
   that level: nobody takes the same liquidity twice, and nobody changes the book that others see.
2. A resting order joins behind all that its level shows, or, deeper than the visible levels, behind all that the level
   shows once it is seen. Trades at its price and a shrinking level shorten the queue; what a trade leaves over fills
   it, a trade through its price fills it whole, an opposite best that meets it fills it from what that side shows.
3. Stops and targets are triggered by the last trade and become takers, or limit orders.
4. With a latency, an order meets the market with the first event that is late enough.
5. Queues are not journalled: after a restart an order waits behind all that its level shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from tidegate.domain.instruments import InstrumentStatus
from tidegate.domain.money import ZERO
from tidegate.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from tidegate.exchange.model import TAKERS, BookModel, EndReason, Order
from tidegate.exchange.settlement import Settlement

Levels = Sequence[tuple[Decimal, Decimal]]  # (price, quantity), best first
_Depth = dict[Decimal, Decimal]  # price -> quantity, best first


@dataclass(slots=True)
class _Market:
    """What is seen of one symbol."""

    last: Decimal | None = None
    bids: _Depth = field(default_factory=dict)
    asks: _Depth = field(default_factory=dict)
    taken_bids: _Depth = field(default_factory=dict)
    taken_asks: _Depth = field(default_factory=dict)
    queues: dict[int, Decimal | None] = field(default_factory=dict)  # order id -> base ahead, None: not seen yet
    arriving: dict[int, int] = field(default_factory=dict)  # order id -> when it meets the market


class BookFills:
    """Orders of users never change the book; they only fill against it."""

    def __init__(self, settlement: Settlement, model: BookModel) -> None:
        self._settlement = settlement
        self._state = settlement.state
        self._latency_us = model.latency_us
        self._markets: dict[str, _Market] = {}

    def last_price(self, symbol: str) -> Decimal | None:
        """The last trade."""
        return self._market(symbol).last

    def would_take(self, symbol: str, side: Side, price: Decimal) -> bool:
        """Whether the opposite best betters a limit price."""
        market = self._market(symbol)
        best = next(iter(market.asks if side is Side.BUY else market.bids), None)
        return best is not None and (best <= price if side is Side.BUY else best >= price)

    def meet(self, order: Order, at: int) -> None:
        """Now, or once the latency has passed; what awaits a trigger meets trades, not the book."""
        if order.awaits_trigger:
            return
        if self._latency_us:
            self._market(order.symbol).arriving[order.order_id] = at + self._latency_us
        else:
            self._arrive(order, at)

    def on_trade(self, symbol: str, price: Decimal, quantity: Decimal, *, is_buyer_maker: bool, at: int) -> None:
        """Rules 2 and 3."""
        market = self._market(symbol)
        market.last = price
        if quantity == 0 or not self._is_trading(symbol):
            return
        self._take_arrivals(symbol, at)
        maker_side = Side.BUY if is_buyer_maker else Side.SELL
        left = quantity
        for order in self._resting(symbol, maker_side):
            left = self._fill_from_trade(market, order, price, left, at)
        for order in self._state.all_open(symbol):
            has_come = at >= order.created_at + self._latency_us
            if order.awaits_trigger and has_come and _is_triggered(order, price):
                current = self._state.orders[symbol][order.order_id]
                if current.is_open:
                    self._arrive(self._settlement.work(current, at), at)

    def on_book(self, symbol: str, bids: Levels, asks: Levels, at: int) -> None:
        """Rules 1 and 2: the new book, best levels first."""
        market = self._market(symbol)
        new_bids, new_asks = dict(bids), dict(asks)
        market.taken_bids = _still_taken(market.taken_bids, market.bids, new_bids)
        market.taken_asks = _still_taken(market.taken_asks, market.asks, new_asks)
        market.bids, market.asks = new_bids, new_asks
        if not self._state.has_open(symbol):
            market.queues.clear()
            market.arriving.clear()
            return
        if not self._is_trading(symbol):
            return
        self._adopt_stranded(symbol, at)
        self._take_arrivals(symbol, at)
        queues: dict[int, Decimal | None] = {}
        for side, levels in ((Side.BUY, new_bids), (Side.SELL, new_asks)):
            for order in self._resting(symbol, side):
                queues[order.order_id] = _shorter(
                    market.queues.get(order.order_id), _shown(levels, side, _limit(order))
                )
                if self.would_take(symbol, side, _limit(order)):
                    self._walk(market, order, at, is_maker=True)
        market.queues = queues

    # --- one order -------------------------------------------------------------------------------------

    def _arrive(self, order: Order, at: int) -> None:
        """Meet the book: take what the order may take, then rest or end."""
        market = self._market(order.symbol)
        if order.type in TAKERS:
            self._take_all(market, order, at)
            return
        takes = self.would_take(order.symbol, order.side, _limit(order))
        if order.post_only and takes:
            self._settlement.end(order, OrderStatus.EXPIRED, EndReason.WOULD_MATCH, at=at)
            return
        if order.time_in_force is TimeInForce.FOK and self._available(market, order) < order.leaves:
            self._settlement.end(order, OrderStatus.EXPIRED, EndReason.FOK_UNFILLED, at=at)
            return
        left = self._walk(market, order, at, is_maker=False) if takes else order
        if left is None or not left.is_open:
            return
        if left.time_in_force is TimeInForce.IOC:
            self._settlement.end(left, OrderStatus.EXPIRED, EndReason.IOC_UNFILLED, at=at)
            return
        same_side = market.bids if left.side is Side.BUY else market.asks
        market.queues[left.order_id] = _shown(same_side, left.side, _limit(left))

    def _take_all(self, market: _Market, order: Order, at: int) -> None:
        left = self._walk(market, order, at, is_maker=False)
        if left is not None and left.is_open:
            self._settlement.end(left, OrderStatus.EXPIRED, EndReason.NO_LIQUIDITY, at=at)

    def _walk(self, market: _Market, order: Order, at: int, *, is_maker: bool) -> Order | None:
        """Take levels that the order's limit allows; a maker is filled at its own price."""
        is_buy = order.side is Side.BUY
        levels, taken = (market.asks, market.taken_asks) if is_buy else (market.bids, market.taken_bids)
        free = [
            (price, shown - taken.get(price, ZERO))
            for price, shown in levels.items()
            if _allows(order, price) and shown > taken.get(price, ZERO)
        ]
        current: Order | None = order
        for number, level in enumerate(free):
            next_price = free[number + 1][0] if number + 1 < len(free) else None
            if current is None or not current.is_open:
                break
            quantity, is_last = self._wanted(current, level, next_price)
            if quantity == 0:
                break
            price = level[0]
            paid = _limit(current) if is_maker else price
            current = self._settlement.fill(current, paid, quantity, is_maker=is_maker, at=at, is_last=is_last)
            if current is not None:
                taken[price] = taken.get(price, ZERO) + quantity
        return current

    def _wanted(self, order: Order, level: tuple[Decimal, Decimal], next_price: Decimal | None) -> tuple[Decimal, bool]:
        """So much of a level (base), and whether that completes a market order by quote."""
        price, free = level
        if order.quote_quantity is None:
            return min(order.leaves, free), False
        left = order.quote_quantity - order.filled_notional
        lots = self._settlement.lots_for(order.symbol, left, price)
        if lots <= free:
            return lots, True
        left -= free * price
        return free, next_price is not None and not self._settlement.lots_for(order.symbol, left, next_price)

    def _available(self, market: _Market, order: Order) -> Decimal:
        is_buy = order.side is Side.BUY
        levels, taken = (market.asks, market.taken_asks) if is_buy else (market.bids, market.taken_bids)
        return sum((shown - taken.get(price, ZERO) for price, shown in levels.items() if _allows(order, price)), ZERO)

    def _fill_from_trade(self, market: _Market, order: Order, price: Decimal, left: Decimal, at: int) -> Decimal:
        """What a trade of others leaves over after this order."""
        limit = _limit(order)
        if not _allows(order, price):
            return left
        if price != limit:
            self._fill_resting(order, order.leaves, at)
            return left
        ahead = market.queues.get(order.order_id)
        if ahead is None:
            return left
        market.queues[order.order_id] = max(ahead - left, ZERO)
        quantity = min(order.leaves, max(left - ahead, ZERO))
        if quantity > 0:
            self._fill_resting(order, quantity, at)
        return left - quantity

    def _fill_resting(self, order: Order, quantity: Decimal, at: int) -> None:
        self._settlement.fill(order, _limit(order), quantity, is_maker=True, at=at)

    # --- inside ----------------------------------------------------------------------------------------

    def _market(self, symbol: str) -> _Market:
        market = self._markets.get(symbol)
        if market is None:
            market = self._markets[symbol] = _Market()
        return market

    def _is_trading(self, symbol: str) -> bool:
        return self._state.statuses.get(symbol) is InstrumentStatus.TRADING

    def _resting(self, symbol: str, side: Side) -> list[Order]:
        """Working limit orders of one side, the best price first, the oldest first at one price."""
        arriving = self._market(symbol).arriving
        resting = [
            order
            for order in self._state.all_open(symbol)
            if order.side is side
            and order.limit_price is not None
            and not order.awaits_trigger
            and order.order_id not in arriving
        ]
        sign = -1 if side is Side.BUY else 1
        return sorted(resting, key=lambda order: (sign * _limit(order), order.order_id))

    def _adopt_stranded(self, symbol: str, at: int) -> None:
        """An order that never rests can only be open here when a restart forgot its arrival: it arrives now."""
        arriving = self._market(symbol).arriving
        for order in self._state.all_open(symbol):
            rests = order.type not in TAKERS and order.time_in_force is TimeInForce.GTC
            if not rests and not order.awaits_trigger and order.order_id not in arriving:
                self._arrive(order, at)

    def _take_arrivals(self, symbol: str, at: int) -> None:
        arriving = self._market(symbol).arriving
        for order_id in [order_id for order_id, arrives_at in arriving.items() if arrives_at <= at]:
            del arriving[order_id]
            order = self._state.orders[symbol][order_id]
            if order.is_open:
                self._arrive(order, at)


def _limit(order: Order) -> Decimal:
    assert order.limit_price is not None or order.type is OrderType.MARKET, "only limit orders rest"
    return order.limit_price or ZERO


def _allows(order: Order, price: Decimal) -> bool:
    """Whether the order may trade at this price."""
    if order.limit_price is None:
        return True
    return price <= order.limit_price if order.side is Side.BUY else price >= order.limit_price


def _is_triggered(order: Order, price: Decimal) -> bool:
    assert order.stop_price is not None, "only stops and targets await a trigger"
    return price >= order.stop_price if order.triggers_on_rise else price <= order.stop_price


def _shown(levels: _Depth, side: Side, price: Decimal) -> Decimal | None:
    """What a level shows: 0 within the visible depth, None beyond it."""
    shown = levels.get(price)
    if shown is not None:
        return shown
    deepest = next(reversed(levels), None)
    if deepest is None:
        return None
    return ZERO if (price > deepest if side is Side.BUY else price < deepest) else None


def _shorter(ahead: Decimal | None, shown: Decimal | None) -> Decimal | None:
    """A queue never grows, and a level that cannot be seen says nothing."""
    if ahead is None or shown is None:
        return shown if ahead is None else ahead
    return min(ahead, shown)


def _still_taken(taken: _Depth, old: _Depth, new: _Depth) -> _Depth:
    """What was taken stays taken while the market leaves the level as it was."""
    return {price: quantity for price, quantity in taken.items() if new.get(price) == old.get(price)}
