"""One account of an in-process exchange, speaking domain words."""

from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import assert_never

from tidegate.domain.ids import AccountId, ClientOrderId, VenueOrderId
from tidegate.domain.instruments import Instrument
from tidegate.domain.orders import (
    AccountEvent,
    BalanceReport,
    FillReport,
    OcoTicket,
    OrderReport,
    OrderTicket,
    OrderType,
    PlaceAnswer,
    Placed,
    Refused,
    Side,
)
from tidegate.domain.ports import Capabilities
from tidegate.exchange.exchange import Exchange
from tidegate.exchange.model import (
    BalancesChanged,
    Deposited,
    Event,
    Events,
    ExchangeSymbol,
    ListChanged,
    OcoLeg,
    OcoRequest,
    Order,
    OrderAccepted,
    OrderEnded,
    OrderRequest,
    OrderWorking,
    Refusal,
    RefusalCode,
    StatusChanged,
    Trade,
    Traded,
)

_CODES = {
    RefusalCode.UNKNOWN_ORDER: "venue.order_not_open",
    RefusalCode.WOULD_TRIGGER: "venue.would_trigger",
    RefusalCode.INSUFFICIENT_BALANCE: "venue.balance_too_small",
    RefusalCode.FILTER: "venue.filter_failed",
    RefusalCode.MARKET_CLOSED: "venue.market_closed",
    RefusalCode.WOULD_MATCH: "venue.would_match",
    RefusalCode.DUPLICATE_ORDER: "venue.order_duplicate",
}


class PaperVenue:
    """Answers at once; what the market does to the account's orders is collected by `take_events`."""

    def __init__(self, exchange: Exchange, account_id: AccountId, now: Callable[[], int]) -> None:
        self._exchange = exchange
        self._account_id = account_id
        self._now = now
        self._happened: deque[AccountEvent] = deque()
        self.capabilities = Capabilities(
            name="paper",
            is_live=False,
            holds_oco=True,
            order_types=frozenset(kind.value for kind in OrderType),
        )

    def hear(self, events: Events) -> None:
        """Note what the market caused, so that `take_events` tells it; events of other accounts are not for us."""
        for event in events:
            self._happened.extend(account_events(event, self._account_id))

    def take_events(self) -> list[AccountEvent]:
        """What happened since the last call, in order."""
        taken = list(self._happened)
        self._happened.clear()
        return taken

    # --- trading ---

    async def place(self, ticket: OrderTicket) -> PlaceAnswer:
        request = OrderRequest(
            account_id=self._account_id,
            symbol=ticket.symbol,
            client_order_id=ticket.client_order_id,
            side=ticket.side,
            type=ticket.type,
            quantity=ticket.quantity,
            limit_price=ticket.limit_price,
            stop_price=ticket.stop_price,
            time_in_force=ticket.time_in_force,
            post_only=ticket.post_only,
        )
        return self._answer(lambda: self._exchange.place(request, self._now()))

    async def place_oco(self, ticket: OcoTicket) -> PlaceAnswer:
        target = OcoLeg(
            client_order_id=ticket.take_profit_id, type=OrderType.LIMIT, limit_price=ticket.take_profit_price
        )
        stop = OcoLeg(
            client_order_id=ticket.stop_loss_id,
            type=OrderType.STOP if ticket.stop_limit_price is None else OrderType.STOP_LIMIT,
            stop_price=ticket.stop_price,
            limit_price=ticket.stop_limit_price,
        )
        above, below = (target, stop) if ticket.side is Side.SELL else (stop, target)
        request = OcoRequest(
            account_id=self._account_id,
            symbol=ticket.symbol,
            list_client_id=ticket.list_client_id,
            side=ticket.side,
            quantity=ticket.quantity,
            above=above,
            below=below,
        )
        return self._answer(lambda: self._exchange.place_oco(request, self._now()))

    async def cancel(self, symbol: str, client_order_id: ClientOrderId) -> PlaceAnswer:
        return self._answer(
            lambda: self._exchange.cancel(self._account_id, symbol, client_order_id=client_order_id, at=self._now())
        )

    def _answer(self, act: Callable[[], Events]) -> PlaceAnswer:
        try:
            events = act()
        except Refusal as refusal:
            return Refused(_CODES.get(refusal.code, "venue.refused"), str(refusal))
        told = [told for event in events for told in account_events(event, self._account_id)]
        return Placed(
            reports=tuple(report for report in told if isinstance(report, OrderReport)),
            fills=tuple(fill for fill in told if isinstance(fill, FillReport)),
        )

    # --- queries ---

    async def order(self, symbol: str, client_order_id: ClientOrderId) -> OrderReport | None:
        order = self._exchange.state.find(self._account_id, symbol, order_id=None, client_order_id=client_order_id)
        return None if order is None else order_report(order)

    async def open_orders(self) -> list[OrderReport]:
        return [
            order_report(order)
            for symbol in self._exchange.symbols
            for order in self._exchange.state.open_orders(self._account_id, symbol)
        ]

    async def fills(self, symbol: str, after_trade_id: str | None) -> list[FillReport]:
        after = -1 if after_trade_id is None else int(after_trade_id)
        return [self._fill(trade) for trade in self._trades(symbol) if trade.trade_id > after]

    async def order_fills(self, symbol: str, venue_order_id: VenueOrderId) -> list[FillReport]:
        return [self._fill(trade) for trade in self._trades(symbol) if str(trade.order_id) == venue_order_id]

    async def balances(self) -> list[BalanceReport]:
        return [
            BalanceReport(asset=balance.asset, free=balance.free, held=balance.locked)
            for balance in self._exchange.state.balances_of(self._account_id)
            if balance.free or balance.locked
        ]

    async def time_offset_ms(self) -> float:
        return 0.0

    async def events(self) -> AsyncIterator[AccountEvent]:
        for event in self.take_events():
            yield event

    def _trades(self, symbol: str) -> list[Trade]:
        return list(self._exchange.state.trades_of(self._account_id, symbol))

    def _fill(self, trade: Trade) -> FillReport:
        return fill_report(trade, self._exchange.state.orders[trade.symbol][trade.order_id])


def account_events(event: Event, account_id: AccountId) -> list[AccountEvent]:
    """What one event of the exchange means to one account."""
    match event:
        case OrderAccepted(order=order) | OrderWorking(order=order) | OrderEnded(order=order):
            return [order_report(order)] if order.account_id == account_id else []
        case Traded(order=order, trade=trade):
            if order.account_id != account_id:
                return []
            return [fill_report(trade, order), order_report(order)]
        case BalancesChanged(account_id=owner, balances=balances):
            if owner != account_id:
                return []
            return [BalanceReport(asset=item.asset, free=item.free, held=item.locked) for item in balances]
        case ListChanged() | Deposited() | StatusChanged():
            return []
        case _:
            assert_never(event)


def order_report(order: Order) -> OrderReport:
    """An order of the exchange in the words of a venue's report."""
    return OrderReport(
        client_order_id=ClientOrderId(order.client_order_id),
        venue_order_id=VenueOrderId(str(order.order_id)),
        symbol=order.symbol,
        side=order.side,
        status=order.status,
        quantity=order.quantity,
        filled_quantity=order.filled_quantity,
        filled_notional=order.filled_notional,
        reported_at=order.updated_at,
        detail="" if order.end_reason is None else order.end_reason.value,
    )


def fill_report(trade: Trade, order: Order) -> FillReport:
    """One execution in the words of a venue's report."""
    return FillReport(
        client_order_id=ClientOrderId(order.client_order_id),
        venue_order_id=VenueOrderId(str(trade.order_id)),
        venue_trade_id=str(trade.trade_id),
        symbol=trade.symbol,
        side=trade.side,
        quantity=trade.quantity,
        price=trade.price,
        fee=trade.fee,
        fee_asset=trade.fee_asset,
        is_maker=trade.is_maker,
        filled_at=trade.traded_at,
    )


def instrument_of(symbol: ExchangeSymbol) -> Instrument:
    """A market of the exchange as an instrument; bounds stay in its filters, which the venue enforces."""
    return Instrument(
        symbol=symbol.symbol,
        base=symbol.base,
        quote=symbol.quote,
        tick_size=symbol.tick_size,
        lot_size=symbol.lot_size,
        base_scale=symbol.base_scale,
        quote_scale=symbol.quote_scale,
        maker_fee_rate=symbol.maker_fee_rate,
        taker_fee_rate=symbol.taker_fee_rate,
        status=symbol.status,
    )
