"""One account at Binance Spot: orders that leave once, and questions."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import TypeVar

from tidegate.domain.errors import Invalid
from tidegate.domain.ids import ClientOrderId, VenueOrderId
from tidegate.domain.orders import (
    AccountEvent,
    BalanceReport,
    FillReport,
    OcoTicket,
    OrderReport,
    OrderTicket,
    OrderType,
    OutcomeUnknown,
    PlaceAnswer,
    Placed,
    Refused,
)
from tidegate.domain.ports import Capabilities
from tidegate.venues.binance import parse
from tidegate.venues.binance.account import AccountStream
from tidegate.venues.binance.client import Credentials, RestClient
from tidegate.venues.binance.errors import (
    ORDER_UNKNOWN_CODES,
    FailureClass,
    PayloadUnreadable,
    RequestFailed,
)
from tidegate.venues.binance.hosts import HostClass
from tidegate.venues.binance.payloads import OwnTrade
from tidegate.venues.binance.sign import signer_of
from tidegate.venues.binance.tickets import oco_query, order_query, wire_symbol

_ORDER = "/api/v3/order"
_OCO = "/api/v3/orderList/oco"
_PAGE = 1_000
_KNOWN_IDS_MAX = 10_000

T = TypeVar("T")


class BinanceVenue:
    """A Venue; protective orders (with a stop price), order lists and cancels may use the reserved request budget."""

    def __init__(self, client: RestClient, *, api_key: str, secret: str) -> None:
        self._client = client
        self._credentials = Credentials(api_key, signer_of(secret))
        self._stream = AccountStream(client, self._credentials)
        self._client_ids: dict[tuple[str, str], ClientOrderId] = {}  # by symbol and venue order id, the newest ones
        self.capabilities = Capabilities(
            name="binance",
            is_live=client.hosts.host_class is HostClass.LIVE,
            holds_oco=True,
            order_types=frozenset(kind.value for kind in OrderType),
        )

    # ── trading ──

    async def place(self, ticket: OrderTicket) -> PlaceAnswer:
        """Send one order; "Duplicate order sent." means that ours lives, so it is looked up."""
        try:
            query = order_query(ticket)
        except Invalid as problem:
            return Refused(problem.code, str(problem))
        return await self._act(
            "POST",
            _ORDER,
            query,
            parse.placed,
            is_urgent=ticket.reduces or ticket.stop_price is not None,
            ours=(ticket.symbol, (ticket.client_order_id,)),
        )

    async def place_oco(self, ticket: OcoTicket) -> PlaceAnswer:
        """Send two legs as one list."""
        legs = (ticket.take_profit_id, ticket.stop_loss_id)
        return await self._act(
            "POST", _OCO, oco_query(ticket), parse.list_placed, is_urgent=True, ours=(ticket.symbol, legs)
        )

    async def cancel(self, symbol: str, client_order_id: ClientOrderId) -> PlaceAnswer:
        """End an order; a leg of a list takes the other leg with it."""
        query = f"symbol={wire_symbol(symbol)}&origClientOrderId={client_order_id}"
        return await self._act("DELETE", _ORDER, query, parse.cancelled, is_urgent=True)

    async def _act(
        self,
        method: str,
        path: str,
        query: str,
        read: Callable[[bytes, parse.SymbolNames], Placed],
        *,
        is_urgent: bool,
        ours: tuple[str, tuple[ClientOrderId, ...]] | None = None,
    ) -> PlaceAnswer:
        try:
            raw = await self._client.act(method, path, query, self._credentials, is_urgent=is_urgent)
            placed = self._read(read, raw)
        except RequestFailed as problem:
            failure = problem.failure
            if failure.kind is FailureClass.UNKNOWN:
                return OutcomeUnknown(failure.detail)
            if failure.kind is FailureClass.DUPLICATE and ours is not None:
                return await self._look_up(*ours)
            return Refused(failure.code, failure.detail)
        except PayloadUnreadable as problem:
            return OutcomeUnknown(str(problem))
        self._remember(placed.reports)
        return placed

    async def _look_up(self, symbol: str, client_order_ids: tuple[ClientOrderId, ...]) -> PlaceAnswer:
        reports = []
        try:
            for client_order_id in client_order_ids:
                report = await self.order(symbol, client_order_id)
                if report is None:
                    return OutcomeUnknown(f"The venue has an open order {client_order_id} and does not show it yet.")
                reports.append(report)
        except (RequestFailed, PayloadUnreadable) as problem:
            return OutcomeUnknown(f"The venue has this order already, its state is not known: {problem}")
        return Placed(tuple(reports))

    # ── questions ──

    async def order(self, symbol: str, client_order_id: ClientOrderId) -> OrderReport | None:
        """GET order by our id."""
        query = f"symbol={wire_symbol(symbol)}&origClientOrderId={client_order_id}"
        try:
            raw = await self._client.ask(_ORDER, query, self._credentials, weight=4)
        except RequestFailed as problem:
            if problem.failure.venue_code in ORDER_UNKNOWN_CODES:
                return None
            raise
        report = self._read(parse.order, raw)
        self._remember((report,))
        return report

    async def open_orders(self) -> list[OrderReport]:
        """GET openOrders of all symbols."""
        raw = await self._client.ask("/api/v3/openOrders", "", self._credentials, weight=80)
        reports = self._read(parse.orders, raw)
        self._remember(reports)
        return reports

    async def fills(self, symbol: str, after_trade_id: str | None) -> list[FillReport]:
        """GET myTrades, paged by id and never by time, which the venue bounds to a day."""
        first = 0 if after_trade_id is None else int(after_trade_id) + 1
        return await self._fills(symbol, await self._trades(symbol, "", first))

    async def order_fills(self, symbol: str, venue_order_id: VenueOrderId) -> list[FillReport]:
        """GET myTrades of one order."""
        return await self._fills(symbol, await self._trades(symbol, f"&orderId={venue_order_id}", None))

    async def balances(self) -> list[BalanceReport]:
        """GET account."""
        raw = await self._client.ask("/api/v3/account", "omitZeroBalances=true", self._credentials, weight=20)
        return self._read(lambda body, _: parse.balances(body), raw)

    async def time_offset_ms(self) -> float:
        """The venue's clock minus ours, measured now and used from now on."""
        return await self._client.measure_offset_ms()

    def events(self) -> AsyncIterator[AccountEvent]:
        """The account's private stream."""
        return self._stream.events()

    async def _trades(self, symbol: str, of_order: str, first: int | None) -> list[OwnTrade]:
        trades: list[OwnTrade] = []
        while True:
            after = "" if first is None else f"&fromId={first}"
            query = f"symbol={wire_symbol(symbol)}{of_order}{after}&limit={_PAGE}"
            weight = 5 if of_order else 20
            raw = await self._client.ask("/api/v3/myTrades", query, self._credentials, weight=weight)
            page = self._read(lambda body, _: parse.own_trades(body), raw)
            trades += page
            if len(page) < _PAGE:
                return trades
            first = page[-1].id + 1

    async def _fills(self, symbol: str, trades: list[OwnTrade]) -> list[FillReport]:
        """Trades name the venue's order ids only: ours are asked for where they are not known."""
        unknown = [trade.order_id for trade in trades if (symbol, str(trade.order_id)) not in self._client_ids]
        ids = await self._ask_client_ids(symbol, unknown) if unknown else {}
        reports = []
        for trade in trades:
            order_id = str(trade.order_id)
            client_id = ids.get(order_id) or self._client_ids.get((symbol, order_id))
            if client_id is None:
                problem = PayloadUnreadable(f"Binance has a trade of order {order_id}, and no such order.")
                self._client.count_unreadable(problem)
                raise problem
            reports.append(parse.fill(trade, client_id, self._client.names))
        return reports

    async def _ask_client_ids(self, symbol: str, order_ids: Iterable[int]) -> dict[str, ClientOrderId]:
        """GET allOrders from the oldest of these orders on, page by page until all are found or the venue ends."""
        missing = set(order_ids)
        found: dict[str, ClientOrderId] = {}
        while missing:
            query = f"symbol={wire_symbol(symbol)}&orderId={min(missing)}&limit={_PAGE}"
            raw = await self._client.ask("/api/v3/allOrders", query, self._credentials, weight=20)
            page = self._read(parse.orders, raw)
            self._remember(page)
            found |= {report.venue_order_id: report.client_order_id for report in page}
            told = {int(report.venue_order_id) for report in page}
            if not missing & told:
                break
            missing -= told
        return found

    def _remember(self, reports: Iterable[OrderReport]) -> None:
        for report in reports:
            self._client_ids[report.symbol, report.venue_order_id] = report.client_order_id
        while len(self._client_ids) > _KNOWN_IDS_MAX:
            del self._client_ids[next(iter(self._client_ids))]

    def _read(self, read: Callable[[bytes, parse.SymbolNames], T], raw: bytes) -> T:
        try:
            return read(raw, self._client.names)
        except PayloadUnreadable as problem:
            self._client.count_unreadable(problem)
            raise
