"""The verbs of the exchange; each returns the events that it caused, in order, or raises `Refusal` before any."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType

from tidegate.domain.candles import Candle
from tidegate.domain.errors import Invalid
from tidegate.domain.ids import AccountId
from tidegate.domain.instruments import InstrumentStatus
from tidegate.domain.money import plain
from tidegate.domain.orders import OrderStatus
from tidegate.exchange.admission import Admission
from tidegate.exchange.book_fills import BookFills, Levels
from tidegate.exchange.candle_fills import CandleFills
from tidegate.exchange.model import (
    BookModel,
    CandleModel,
    Deposited,
    EndReason,
    Event,
    Events,
    ExchangeSymbol,
    FeeOption,
    OcoRequest,
    Order,
    OrderRequest,
    Refusal,
    RefusalCode,
    StatusChanged,
)
from tidegate.exchange.settlement import Settlement
from tidegate.exchange.state import ExchangeState


class Exchange:
    """Several accounts on several symbols under one fill model; `at` is always µs of market time, never falling."""

    def __init__(
        self,
        symbols: Iterable[ExchangeSymbol],
        fill_model: CandleModel | BookModel,
        *,
        fee_option: FeeOption | None = None,
    ) -> None:
        by_name = {symbol.symbol: symbol for symbol in symbols}
        self.symbols: Mapping[str, ExchangeSymbol] = MappingProxyType(by_name)
        self.state = ExchangeState.new(by_name.values())
        self._settlement = Settlement(by_name, self.state, fee_option)
        self._fills: CandleFills | BookFills = (
            BookFills(self._settlement, fill_model)
            if isinstance(fill_model, BookModel)
            else CandleFills(self._settlement)
        )
        self.last_price = self._fills.last_price  # what triggers and filters are measured by; None before any data
        self._settlement.last_price = self._fills.last_price
        self._admission = Admission(by_name, self.state, self._fills)

    # --- requests --------------------------------------------------------------------------------------

    def place(self, request: OrderRequest, at: int) -> Events:
        """Accept one order and let it meet the market as far as the fill model allows at this moment."""
        order = self._admission.order(request, at)
        self._settlement.accept(order)
        self._fills.meet(order, at)
        return self._settlement.take_events()

    def check(self, request: OrderRequest, at: int) -> None:
        """Refuse what `place` would refuse, and do nothing else."""
        self._admission.order(request, at)

    def place_oco(self, request: OcoRequest, at: int) -> Events:
        """Accept both legs (`above` gets the lower order id) with one lock; `ListChanged` comes first."""
        order_list, legs = self._admission.oco(request, at)
        self._settlement.change_list(order_list)
        for leg in legs:
            self._settlement.accept(leg)
        for leg in legs:
            self._fills.meet(leg, at)
        return self._settlement.take_events()

    def cancel(
        self,
        account_id: AccountId,
        symbol: str,
        *,
        order_id: int | None = None,
        client_order_id: str | None = None,
        cancel_client_id: str = "",
        at: int,
    ) -> Events:
        """End one open order, named by either id, and with it the list that it belongs to."""
        self._refuse_unless_cancels(symbol)
        order = self.state.find(account_id, symbol, order_id=order_id, client_order_id=client_order_id)
        if order is None or not order.is_open:
            raise Refusal(RefusalCode.UNKNOWN_ORDER, f"{symbol} has no open order {order_id or client_order_id!r}.")
        self._cancel(order, cancel_client_id, at)
        return self._settlement.take_events()

    def cancel_list(
        self, account_id: AccountId, symbol: str, *, list_id: int, cancel_client_id: str = "", at: int
    ) -> Events:
        """End one list with the legs that are still open."""
        self._refuse_unless_cancels(symbol)
        order_list = self.state.lists.get(list_id)
        if order_list is None or (order_list.account_id, order_list.symbol) != (account_id, symbol):
            raise Refusal(RefusalCode.UNKNOWN_ORDER, f"{symbol} has no order list {list_id}.")
        if order_list.is_done:
            raise Refusal(RefusalCode.UNKNOWN_ORDER, f"The order list {list_id} has ended.")
        self._cancel(self.state.orders[symbol][order_list.order_ids[0]], cancel_client_id, at)
        return self._settlement.take_events()

    def cancel_all(self, account_id: AccountId, symbol: str, *, cancel_client_id: str = "", at: int) -> Events:
        """End every open order and list of the account in the symbol; refused when there is none."""
        self._refuse_unless_cancels(symbol)
        orders = self.state.open_orders(account_id, symbol)
        if not orders:
            raise Refusal(RefusalCode.UNKNOWN_ORDER, f"{symbol} has no open orders.")
        for order in orders:
            self._cancel(order, cancel_client_id, at)
        return self._settlement.take_events()

    def deposit(self, account_id: AccountId, asset: str, quantity: Decimal, at: int) -> Events:
        """Bring in free balance (a negative quantity withdraws it); an unknown account is opened."""
        free = self.state.balance(account_id, asset).free
        if free + quantity < 0:
            raise Refusal(
                RefusalCode.INSUFFICIENT_BALANCE, f"{plain(free)} {asset} is free, {plain(-quantity)} is wanted."
            )
        self._settlement.emit(Deposited(account_id, asset, quantity, at))
        self._settlement.move(account_id, {asset: (quantity, Decimal(0))}, at)
        return self._settlement.take_events()

    def change_status(self, symbol: str, status: InstrumentStatus, at: int) -> Events:
        """Open, halt or close a symbol to new orders; open orders wait, and fill only while it is TRADING."""
        self._admission.symbol(symbol)
        self._settlement.emit(StatusChanged(symbol, status, at))
        return self._settlement.take_events()

    # --- the market ------------------------------------------------------------------------------------

    def on_trade(self, symbol: str, price: Decimal, quantity: Decimal, *, is_buyer_maker: bool, at: int) -> Events:
        """A trade of others (`book` model): sets the last price, fills resting orders behind their queue, triggers.

        A quantity of 0 only tells the last price: a trade of the past, after a restart, fills and triggers nothing.
        """
        self._book().on_trade(symbol, price, quantity, is_buyer_maker=is_buyer_maker, at=at)
        return self._settlement.take_events()

    def on_book(self, symbol: str, bids: Levels, asks: Levels, at: int) -> Events:
        """All visible levels (`book` model), best first: each call replaces the book, deeper levels are unknown."""
        self._book().on_book(symbol, bids, asks, at)
        return self._settlement.take_events()

    def on_open(self, symbol: str, price: Decimal, at: int) -> Events:
        """The first moment of the candle that opens at `at` (`candle` model); orders placed now meet its range."""
        self._candles().on_open(symbol, price, at)
        return self._settlement.take_events()

    def on_candle(self, candle: Candle) -> Events:
        """The rest of a candle (`candle` model), `on_open` included when it was not called; repeat until empty.

        Each call lets the open act, or one order inside the bar, so that an answer to it is tested by the next call.
        The bar is over when a call returns nothing: only then is its close the last price.
        """
        self._candles().on_candle(candle)
        return self._settlement.take_events()

    # --- inside ----------------------------------------------------------------------------------------

    def _cancel(self, order: Order, cancel_client_id: str, at: int) -> None:
        for leg in self.state.legs_of(order):
            current = self.state.orders[leg.symbol][leg.order_id]
            if current.is_open:
                self._settlement.end(
                    current,
                    OrderStatus.CANCELLED,
                    EndReason.CANCELLED,
                    at=at,
                    cancel_client_id=cancel_client_id,
                )

    def _refuse_unless_cancels(self, symbol: str) -> None:
        self._admission.symbol(symbol)
        if self.state.statuses[symbol] is InstrumentStatus.HALTED:
            raise Refusal(RefusalCode.MARKET_CLOSED, f"{symbol} is halted.")

    def _book(self) -> BookFills:
        if not isinstance(self._fills, BookFills):
            raise Invalid("The candle fill model takes on_open and on_candle only.", code="exchange.fill_model")
        return self._fills

    def _candles(self) -> CandleFills:
        if not isinstance(self._fills, CandleFills):
            raise Invalid("The book fill model takes on_trade and on_book only.", code="exchange.fill_model")
        return self._fills


def replay(exchange: Exchange, journal: Iterable[Event]) -> None:
    """Bring a new exchange to where the journal ends; market data must follow before orders can fill."""
    for event in journal:
        exchange.state.apply(event)
