"""The `candle` fill model: what one bar does to waiting orders, by rules that two engines can share to the last digit.

1. At the open: market orders fill at the open. A stop or target that the open has passed fills at the open (a gap),
   a limit order that the open betters fills at the open as a taker.
2. Inside the bar, entry bar included: of one position's stop and target the stop goes first, whatever the path was.
   A stop or target fills at its stop price, a resting limit order at its limit price as a maker.
3. A stop-limit that triggers fills at its stop price if its limit allows that, else it rests at its limit price.
4. An order placed inside the bar meets the range of the whole bar; a market order then waits for the next open.
5. Immediate-or-cancel and fill-or-kill orders end at the next open if that does not fill them.
"""

from decimal import Decimal

from tidegate.domain.candles import Candle
from tidegate.domain.instruments import InstrumentStatus
from tidegate.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from tidegate.exchange.model import STOPS, TAKERS, EndReason, Order
from tidegate.exchange.settlement import Settlement

_ENDS = {TimeInForce.IOC: EndReason.IOC_UNFILLED, TimeInForce.FOK: EndReason.FOK_UNFILLED}


class CandleFills:
    """Keeps the last price of each symbol, and which bar is under way."""

    def __init__(self, settlement: Settlement) -> None:
        self._settlement = settlement
        self._state = settlement.state
        self._last: dict[str, Decimal] = {}
        self._opened: dict[str, int] = {}  # symbol -> open time of the bar under way

    def last_price(self, symbol: str) -> Decimal | None:
        """The open of the bar under way, else the last close."""
        return self._last.get(symbol)

    def would_take(self, symbol: str, side: Side, price: Decimal) -> bool:
        """Whether the last price betters a limit price."""
        last = self._last.get(symbol)
        return last is not None and (last <= price if side is Side.BUY else last >= price)

    def meet(self, order: Order, at: int) -> None:
        """Nothing: an order meets the next open, or the range of the bar under way."""

    def on_open(self, symbol: str, price: Decimal, at: int) -> None:
        """Rule 1 and 5."""
        self._last[symbol] = price
        self._opened[symbol] = at
        for order in self._waiting(symbol):
            current = self._state.orders[symbol][order.order_id]
            if not current.is_open:
                continue
            if current.awaits_trigger and _passed(current, price, price):
                current = self._settlement.work(current, at)
            if _fills_at(current, price):
                self._fill(current, price, at, is_maker=False)
            elif not current.awaits_trigger and current.time_in_force in _ENDS:
                self._settlement.end(current, OrderStatus.EXPIRED, _ENDS[current.time_in_force], at=at)

    def on_candle(self, candle: Candle) -> None:
        """Rules 2 to 4, one pass; when a pass does nothing the bar is over and its close is the last price."""
        symbol = candle.symbol
        if self._opened.get(symbol) != candle.opened_at:
            self.on_open(symbol, candle.open, candle.opened_at)
        if self._state.has_open(symbol):
            self._pass_range(candle)
        if not self._settlement.has_events:
            self._last[symbol] = candle.close

    def _pass_range(self, candle: Candle) -> None:
        # The moment is the end of the bar: nobody knows a finer one.
        at = candle.closes_at - 1
        orders = sorted(self._waiting(candle.symbol), key=lambda order: (order.type not in STOPS, order.order_id))
        for order in orders:
            current = self._state.orders[candle.symbol][order.order_id]
            if not current.is_open or current.type is OrderType.MARKET:
                continue
            if current.awaits_trigger:
                self._try_trigger(current, candle, at)
            elif current.limit_price is not None and _reached(current, candle.low, candle.high):
                self._fill(current, current.limit_price, at, is_maker=True)

    def _try_trigger(self, order: Order, candle: Candle, at: int) -> None:
        if not _passed(order, candle.low, candle.high):
            return
        assert order.stop_price is not None, "only stops and targets await a trigger"
        working = self._settlement.work(order, at)
        if _fills_at(working, order.stop_price):
            self._fill(working, order.stop_price, at, is_maker=False)

    def _fill(self, order: Order, price: Decimal, at: int, *, is_maker: bool) -> None:
        quantity = order.leaves
        if order.quote_quantity is not None:
            lot_size = self._settlement.lot_size(order.symbol)
            quantity = order.quote_quantity / price // lot_size * lot_size
            if quantity == 0:
                self._settlement.end(order, OrderStatus.EXPIRED, EndReason.NO_LIQUIDITY, at=at)
                return
        is_last = order.quote_quantity is not None
        self._settlement.fill(order, price, quantity, is_maker=is_maker, at=at, is_last=is_last)

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
