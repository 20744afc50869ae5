"""The `candle` fill model: what one bar does to waiting orders, by rules that two engines can share to the last digit.

1. At the open: market orders fill at the open. A stop or target that the open has passed fills at the open (a gap),
   a limit order that the open betters fills at the open as a taker (post-only: as a maker). An open between two
   ticks is rounded against the order. Volume does not bound a fill.
2. Inside the bar, entry bar included: of one position's stop and target the stop goes first, whatever the path was.
   A stop or target fills at its stop price, a resting limit order at its limit price as a maker.
3. A stop-limit that triggers fills at its stop price if its limit allows that, else it rests at its limit price.
4. An order that begins inside the bar (placed in answer to a fill of its range, or triggered and then resting) has its
   trigger tested on the whole range if it is a stop, but on the close alone if it is a target or a limit: the better
   extreme may have come before the order did. A market order then waits for the next open.
5. Immediate-or-cancel and fill-or-kill orders end at the next open if that does not fill them.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from tidegate.domain.candles import Candle
from tidegate.domain.instruments import InstrumentStatus
from tidegate.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from tidegate.exchange.model import STOPS, TAKERS, EndReason, Order
from tidegate.exchange.settlement import Settlement

_ENDS = {TimeInForce.IOC: EndReason.IOC_UNFILLED, TimeInForce.FOK: EndReason.FOK_UNFILLED}


@dataclass(slots=True)
class _Bar:
    """The bar under way."""

    opened_at: int
    is_inside: bool = False  # its range has been looked at
    late_ids: set[int] = field(default_factory=set)  # orders that began inside it


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
        """Nothing yet: an order meets the next open, or the range of the bar under way."""
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
            if _fills_at(current, price):
                self._fill(current, self._settlement.price_on_grid(current, price), at, is_maker=current.post_only)
            elif not current.awaits_trigger and current.time_in_force in _ENDS:
                self._settlement.end(current, OrderStatus.EXPIRED, _ENDS[current.time_in_force], at=at)

    def on_candle(self, candle: Candle) -> None:
        """Rules 2 to 4, one pass; when a pass does nothing the bar is over and its close is the last price."""
        symbol = candle.symbol
        bar = self._bars.get(symbol)
        if bar is None or bar.opened_at != candle.opened_at:
            self.on_open(symbol, candle.open, candle.opened_at)
            bar = self._bars[symbol]
        bar.is_inside = True
        if self._state.has_open(symbol):
            self._pass_range(candle, bar.late_ids)
        if not self._settlement.has_events:
            self._last[symbol] = candle.close

    def _pass_range(self, candle: Candle, late_ids: set[int]) -> None:
        # The moment is the end of the bar: nobody knows a finer one.
        at = candle.closes_at - 1
        orders = sorted(self._waiting(candle.symbol), key=lambda order: (order.type not in STOPS, order.order_id))
        for order in orders:
            current = self._state.orders[candle.symbol][order.order_id]
            if not current.is_open or current.type is OrderType.MARKET:
                continue
            is_late = current.order_id in late_ids and (current.type not in STOPS or not current.awaits_trigger)
            low, high = (candle.close, candle.close) if is_late else (candle.low, candle.high)
            if current.awaits_trigger:
                if _passed(current, low, high):
                    self._trigger(current, at)
            elif current.limit_price is not None and _reached(current, low, high):
                self._fill(current, current.limit_price, at, is_maker=True)

    def _trigger(self, order: Order, at: int) -> None:
        assert order.stop_price is not None, "only stops and targets await a trigger"
        working = self._settlement.work(order, at)
        if _fills_at(working, order.stop_price):
            self._fill(working, order.stop_price, at, is_maker=False)
        else:
            self._mark_late(working)

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


def _fills_at(order: Order, price: Decimal) -> bool:
    """Whether a working order may trade at this price."""
    if order.awaits_trigger:
        return False
    if order.type in TAKERS or order.limit_price is None:
        return True
    return price <= order.limit_price if order.side is Side.BUY else price >= order.limit_price


def _reached(order: Order, low: Decimal, high: Decimal) -> bool:
    """Whether the range touches a limit price."""
    assert order.limit_price is not None, "only limit orders rest"
    return low <= order.limit_price if order.side is Side.BUY else high >= order.limit_price
