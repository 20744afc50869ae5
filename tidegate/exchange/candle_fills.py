"""The `candle` fill model: what one bar does to waiting orders, by rules that two engines can share to the last digit.

1. At the open: market orders fill at the open. A stop or target that the open has passed fills at the open (a gap),
   a limit order that the open betters fills at the open as a taker (post-only: as a maker). An open between two
   ticks is rounded against the order. Volume does not bound a fill.
2. Inside the bar, entry bar included: of one position's stop and target the stop goes first, whatever the path was.
   A stop or target fills at its stop price, a resting limit order at its limit price as a maker.
3. A stop-limit that triggers fills at its stop price if its limit allows that, else it rests at its limit price.
4. An order that begins inside the bar (placed in answer to a fill of its range, or triggered and then resting) has its
   trigger tested on the whole range if it is a stop, but on the close alone if it is a target or a limit: the better
   extreme may have come before the order did. Orders that would take at once wait for the next open: market orders
   and limit orders that the last price betters. Each call of `on_candle` lets the open act or one order inside the
   bar, so that the answer to a fill is there before the next one; a fill's price is then the last price.
5. Immediate-or-cancel and fill-or-kill orders wait for the next open and end there if it does not fill them; a
   stop-limit of that kind ends where it triggers.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from tidegate.domain.candles import Candle
from tidegate.domain.instruments import InstrumentStatus
from tidegate.domain.orders import OrderStatus, Side, TimeInForce
from tidegate.exchange.model import STOPS, EndReason, Order
from tidegate.exchange.settlement import Settlement

_ENDS = {TimeInForce.IOC: EndReason.IOC_UNFILLED, TimeInForce.FOK: EndReason.FOK_UNFILLED}


@dataclass(slots=True)
class _Bar:
    """The bar under way."""

    opened_at: int
    is_inside: bool = False  # its range has been looked at
    late_ids: set[int] = field(default_factory=set)  # orders that began inside it
    taker_ids: set[int] = field(default_factory=set)  # orders that came during it and wait for the next open


class CandleFills:
    """Keeps the last price of each symbol, and which bar is under way."""

    def __init__(self, settlement: Settlement) -> None:
        self._settlement = settlement
        self._state = settlement.state
        self._last: dict[str, Decimal] = {}
        self._bars: dict[str, _Bar] = {}

    def last_price(self, symbol: str) -> Decimal | None:
        """Of the bar under way the latest fill, else its open; once it is over its close."""
        return self._last.get(symbol)

    def would_take(self, symbol: str, side: Side, price: Decimal) -> bool:
        """Whether the last price betters a limit price."""
        last = self._last.get(symbol)
        return last is not None and (last <= price if side is Side.BUY else last >= price)

    def meet(self, order: Order, at: int) -> None:
        """Nothing yet: it is noted how much of the bar under way the order may see (rules 4 and 5)."""
        bar = self._bars.get(order.symbol)
        if bar is not None and not order.awaits_trigger and (not _may_rest(order) or self._takes(order)):
            bar.taker_ids.add(order.order_id)
        self._mark_late(order)

    def on_open(self, symbol: str, price: Decimal, at: int) -> None:
        """Rule 1 and 5."""
        self._last[symbol] = price
        self._bars[symbol] = _Bar(at)
        for order in self._waiting(symbol):
            current = self._state.orders[symbol][order.order_id]
            if not current.is_open:
                continue
            if current.awaits_trigger and _passed(current, price, price):
                current = self._settlement.work(current, at)
            if current.awaits_trigger:
                continue
            if _fills_at(current, price):
                self._fill(current, self._settlement.price_on_grid(current, price), at, is_maker=current.post_only)
            else:
                self._end_unless_it_rests(current, at)

    def on_candle(self, candle: Candle) -> None:
        """Rules 2 to 4, one order; when none acts the bar is over and its close is the last price."""
        symbol = candle.symbol
        bar = self._bars.get(symbol)
        if bar is None or bar.opened_at != candle.opened_at:
            self.on_open(symbol, candle.open, candle.opened_at)
            if self._settlement.has_events:
                return
            bar = self._bars[symbol]
        bar.is_inside = True
        if self._state.has_open(symbol):
            self._pass_range(candle, bar)
        if not self._settlement.has_events:
            self._last[symbol] = candle.close

    def _pass_range(self, candle: Candle, bar: _Bar) -> None:
        touched = [order for order in self._waiting(candle.symbol) if _is_touched(order, candle, bar)]
        if not touched:
            return
        at = candle.closes_at - 1  # nobody knows a finer moment
        order = min(touched, key=lambda order: (order.type not in STOPS, order.order_id))
        if order.awaits_trigger:
            self._trigger(order, at)
        else:
            self._fill(order, _limit(order), at, is_maker=True)

    def _trigger(self, order: Order, at: int) -> None:
        assert order.stop_price is not None, "only stops and targets await a trigger"
        working = self._settlement.work(order, at)
        if _fills_at(working, order.stop_price):
            self._fill(working, order.stop_price, at, is_maker=False)
        else:
            self._mark_late(working)
            self._end_unless_it_rests(working, at)

    def _end_unless_it_rests(self, order: Order, at: int) -> None:
        if not _may_rest(order):
            self._settlement.end(order, OrderStatus.EXPIRED, _ENDS[order.time_in_force], at=at)

    def _takes(self, order: Order) -> bool:
        return self.would_take(order.symbol, order.side, _limit(order))

    def _mark_late(self, order: Order) -> None:
        bar = self._bars.get(order.symbol)
        if bar is not None and bar.is_inside:
            bar.late_ids.add(order.order_id)

    def _fill(self, order: Order, price: Decimal, at: int, *, is_maker: bool) -> None:
        quantity = order.leaves
        if order.quote_quantity is not None:
            quantity = self._settlement.lots_for(order.symbol, order.quote_quantity, price)
            if quantity == 0:
                self._settlement.end(order, OrderStatus.EXPIRED, EndReason.NO_LIQUIDITY, at=at)
                return
        is_last = order.quote_quantity is not None
        if self._settlement.fill(order, price, quantity, is_maker=is_maker, at=at, is_last=is_last) is not None:
            self._last[order.symbol] = price

    def _waiting(self, symbol: str) -> list[Order]:
        if self._state.statuses[symbol] is not InstrumentStatus.TRADING:
            return []
        return self._state.all_open(symbol)


def _passed(order: Order, low: Decimal, high: Decimal) -> bool:
    """Whether the range touches the trigger."""
    assert order.stop_price is not None, "only stops and targets await a trigger"
    return high >= order.stop_price if order.triggers_on_rise else low <= order.stop_price


def _is_touched(order: Order, candle: Candle, bar: _Bar) -> bool:
    """Whether the part of the bar that an order sees triggers it, or reaches it where it rests."""
    is_late = order.order_id in bar.late_ids and (order.type not in STOPS or not order.awaits_trigger)
    low, high = (candle.close, candle.close) if is_late else (candle.low, candle.high)
    if order.awaits_trigger:
        return _passed(order, low, high)
    rests = _may_rest(order) and order.order_id not in bar.taker_ids
    return rests and _fills_at(order, low if order.side is Side.BUY else high)


def _may_rest(order: Order) -> bool:
    return order.limit_price is not None and order.time_in_force is TimeInForce.GTC


def _fills_at(order: Order, price: Decimal) -> bool:
    """Whether a working order may trade at this price."""
    if order.limit_price is None:
        return True
    return price <= order.limit_price if order.side is Side.BUY else price >= order.limit_price


def _limit(order: Order) -> Decimal:
    assert order.limit_price is not None, "only limit orders rest"
    return order.limit_price
