"""A venue that does nothing: it says what it is told to say, at the level of sockets, and notes when orders arrive.

One symbol, limit orders that rest until they are cancelled. It speaks just enough HTTP and WebSocket for the adapter,
so that its own work is small beside what is measured.
"""

import asyncio
import base64
import hashlib
import json
import time
from urllib.parse import parse_qs

SYMBOL = "BTC/USDT"
MINUTE_MS = 60_000
_WIRE = SYMBOL.replace("/", "")
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_HISTORY_BARS = 1_000


def close_of(number: int) -> str:
    """Up at every even bar, down at every odd one: two fast averages cross at each."""
    return f"{60_000 + (60 if number % 2 == 0 else -60)}.00"


class Venue:
    """Bar `n` opens `n` minutes after `begins_ms`; those below zero are history."""

    def __init__(self, begins_ms: int) -> None:
        self.begins_ms = begins_ms
        self.is_heard = asyncio.Event()
        self.streams: list[asyncio.Transport] = []
        self.accounts: list[asyncio.Transport] = []
        self._awaited: tuple[str, asyncio.Future[int]] | None = None
        self._orders: dict[str, dict[str, object]] = {}

    async def open(self) -> int:
        """Listen on a free port and return it."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        return port

    def next_request(self, method: str) -> asyncio.Future[int]:
        """When the bytes of the next POST or DELETE arrive (`perf_counter_ns`)."""
        seen: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._awaited = (method, seen)
        return seen

    def arrived(self, method: str, at_ns: int) -> None:
        """A request has come."""
        if self._awaited is not None and self._awaited[0] == method:
            self._awaited[1].set_result(at_ns)
            self._awaited = None

    def say(self, frame: bytes) -> None:
        """To everybody who listens to the market."""
        for stream in self.streams:
            stream.write(frame)

    def kline_frame(self, number: int) -> bytes:
        """Bar `number`, closed, as it goes over the wire."""
        opened = self.begins_ms + number * MINUTE_MS
        low, close = "59900.00", close_of(number)
        bar = {
            "t": opened, "T": opened + MINUTE_MS - 1, "s": _WIRE, "i": "1m", "f": 1, "L": 2, "o": close_of(number - 1),
            "c": close, "h": "60100.00", "l": low, "v": "8.21827000", "n": 1234, "x": True, "q": "493096.20000000",
            "V": "5.10234000", "Q": "306140.40000000", "B": "0",
        }  # fmt: skip
        data = {"e": "kline", "E": opened + MINUTE_MS, "s": _WIRE, "k": bar}
        return _frame({"stream": f"{_WIRE.lower()}@kline_1m", "data": data})

    def answer(self, method: str, path: str, query: dict[str, str]) -> object:
        """The body of one REST request."""
        if path == "/api/v3/order":
            answers = {"POST": self._place, "DELETE": self._cancel, "GET": self._show}
            return answers[method](query)
        if path == "/api/v3/klines":
            return self._klines(int(query.get("startTime", "0")), int(query["limit"]))
        bodies: dict[str, object] = {
            "/api/v3/time": {"serverTime": time.time_ns() // 1_000_000},
            "/api/v3/exchangeInfo": EXCHANGE_INFO,
            "/api/v3/ticker/24hr": {"symbol": _WIRE, "closeTime": self.begins_ms},
            "/api/v3/account": {"balances": [{"asset": "USDT", "free": "1000000", "locked": "0"}]},
        }
        return bodies.get(path, [])

    def _klines(self, start_ms: int, limit: int) -> list[list[object]]:
        first = max(-_HISTORY_BARS, -(-(start_ms - self.begins_ms) // MINUTE_MS)) if start_ms else -1
        return [self._row(number) for number in range(first, min(0, first + limit))]

    def _row(self, number: int) -> list[object]:
        opened = self.begins_ms + number * MINUTE_MS
        prices = [close_of(number - 1), "60100.00", "59900.00", close_of(number)]
        return [opened, *prices, "8.21827", opened + MINUTE_MS - 1, "493096.2", 1234, "5.1", "306140.4", "0"]

    def _place(self, query: dict[str, str]) -> dict[str, object]:
        order: dict[str, object] = {
            "symbol": _WIRE, "orderId": len(self._orders) + 1, "orderListId": -1, "side": query["side"],
            "clientOrderId": query["newClientOrderId"], "transactTime": time.time_ns() // 1_000_000,
            "price": query["price"], "origQty": query["quantity"], "executedQty": "0.00000000", "status": "NEW",
            "cummulativeQuoteQty": "0.00000000", "timeInForce": "GTC", "type": "LIMIT", "fills": [],
        }  # fmt: skip
        self._orders[query["newClientOrderId"]] = order
        self.report(order, "NEW")
        return order

    def _show(self, query: dict[str, str]) -> dict[str, object]:
        return self._orders[query["origClientOrderId"]]

    def _cancel(self, query: dict[str, str]) -> dict[str, object]:
        client_id = query["origClientOrderId"]
        order = self._orders[client_id] = {**self._orders[client_id], "status": "CANCELED"}
        self.report(order, "CANCELED")
        return {**order, "origClientOrderId": client_id, "clientOrderId": f"c{order['orderId']}"}

    def report(self, order: dict[str, object], execution: str) -> None:
        """What the account's stream says of it."""
        now = time.time_ns() // 1_000_000
        event = {
            "e": "executionReport", "E": now, "s": _WIRE, "c": order["clientOrderId"], "S": order["side"],
            "o": "LIMIT", "f": "GTC", "q": order["origQty"], "p": order["price"], "C": "", "x": execution,
            "X": order["status"], "r": "NONE", "i": order["orderId"], "l": "0", "z": "0", "L": "0", "n": "0",
            "N": None, "T": now, "t": -1, "m": False, "Z": "0",
        }  # fmt: skip
        if execution == "CANCELED":
            event |= {"c": f"c{order['orderId']}", "C": order["clientOrderId"]}
        for account in self.accounts:
            account.write(_frame({"subscriptionId": 0, "event": event}))


class _Connection(asyncio.Protocol):
    """One client: requests of HTTP, one after the other, until it asks for a WebSocket."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._received = b""
        self._is_socket = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        arrived_ns = time.perf_counter_ns()
        self._received += data
        if self._is_socket:
            self._take_frames()
            return
        while b"\r\n\r\n" in self._received and not self._is_socket:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            self._on_request(head, arrived_ns)

    def _on_request(self, head: bytes, arrived_ns: int) -> None:
        method, target, _ = head.partition(b"\r\n")[0].decode().split(" ")
        path, _, query = target.partition("?")
        self._venue.arrived(method, arrived_ns)
        headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        headers = {name.lower(): value for name, value in headers.items()}
        if b"sec-websocket-key" in headers:
            self._upgrade(headers[b"sec-websocket-key"], path)
            return
        named = {name: values[0] for name, values in parse_qs(query).items()}
        body = json.dumps(self._venue.answer(method, path, named)).encode()
        used = b"X-MBX-USED-WEIGHT-1M: 1\r\n"
        start = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: keep-alive\r\n" + used
        self._transport.write(start + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def _upgrade(self, key: bytes, path: str) -> None:
        self._is_socket = True
        accept = base64.b64encode(hashlib.sha1(key + _MAGIC).digest())
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        if path == "/stream":
            self._venue.streams.append(self._transport)
            self._venue.is_heard.set()
        else:
            self._venue.accounts.append(self._transport)

    def _take_frames(self) -> None:
        while len(self._received) >= 2:
            kind, length, start = self._received[0] & 0x0F, self._received[1] & 0x7F, 2
            if length == 126:
                length, start = int.from_bytes(self._received[2:4], "big"), 4
            mask, start = self._received[start : start + 4], start + 4
            if len(self._received) < start + length:
                return
            masked, self._received = self._received[start : start + length], self._received[start + length :]
            text = bytes(byte ^ mask[index % 4] for index, byte in enumerate(masked))
            if kind == 9:
                self._transport.write(bytes((0x8A, len(text))) + text)
            elif kind == 1:
                asked = json.loads(text)
                self._transport.write(_frame({"id": asked["id"], "status": 200, "result": {"subscriptionId": 0}}))


def _frame(value: object) -> bytes:
    text = json.dumps(value, separators=(",", ":")).encode()
    if len(text) < 126:
        return bytes((0x81, len(text))) + text
    return b"\x81\x7e" + len(text).to_bytes(2, "big") + text


EXCHANGE_INFO = {
    "timezone": "UTC",
    "rateLimits": [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6_000},
    ],
    "symbols": [
        {
            "symbol": _WIRE, "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "baseAssetPrecision": 8,
            "quoteAssetPrecision": 8, "isSpotTradingAllowed": True,
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
                {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
                {"filterType": "NOTIONAL", "minNotional": "5", "maxNotional": "9000000"},
            ],
        }
    ],
}  # fmt: skip
