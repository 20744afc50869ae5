"""What screens are told: market channels conflated for everybody, account channels whole and in order for their owner.

A public message counts in its own channel. A private one carries the sequence of its account's log: a hole in what the
relay told is read from the log before anything newer leaves, and a client resumes from the last sequence it has seen.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import msgspec
from sqlalchemy import select

from tidegate.app.channels import EVENTS
from tidegate.domain.candles import duration_us
from tidegate.domain.errors import Invalid, NotFound
from tidegate.domain.ids import AccountId, TenantId
from tidegate.domain.instruments import parse_symbol
from tidegate.domain.messages import (
    AnyMessage,
    BotStateChanged,
    KillSwitchSet,
    OrderAccepted,
    OrderCancelled,
    OrderDenied,
    OrderExpired,
    OrderFilled,
    OrderOutcomeUnknown,
    OrderRejected,
    OrderSubmitted,
    PositionChanged,
    TradeClosed,
    decode,
)
from tidegate.kit.bus import Bus
from tidegate.kit.clock import Clock, rfc3339
from tidegate.kit.db import Database, event_heads, events
from tidegate.market.model import Series
from tidegate.market.streams import candle_stream
from tidegate.signals.streams import signals_stream

PRIVATE_CHANNELS = ("orders", "fills", "positions", "bots", "risk")
RESUMED_MAX = 5_000  # events of one account that one resume returns
_BLOCK_MS = 100
_PERIOD_S: Mapping[str, float] = {"ticker": 0.25, "trades": 0.1}
_STREAMED = frozenset({"candles", "signals"})
_ORDER_FACTS = (
    OrderSubmitted,
    OrderAccepted,
    OrderFilled,
    OrderCancelled,
    OrderExpired,
    OrderRejected,
    OrderOutcomeUnknown,
    OrderDenied,
)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Frame:
    """One message to many: encoded once, whoever reads it."""

    channel: str
    seq: int
    ts: str
    data: object
    account_id: str | None = None
    whole: object = None  # what a reader who missed frames before this one needs instead; None: nothing may be missed

    @cached_property
    def delta(self) -> bytes:
        """For a reader who has seen the frame before."""
        return self._encoded("delta", self.data)

    @cached_property
    def snapshot(self) -> bytes:
        """For a reader who has not."""
        return self._encoded("snapshot", self.whole)

    def _encoded(self, kind: str, data: object) -> bytes:
        body: dict[str, object] = {"ch": self.channel, "type": kind, "seq": self.seq, "ts": self.ts, "data": data}
        if self.account_id is not None:
            body["account_id"] = self.account_id
        return _encode(body)


class Listener(Protocol):
    """One connected screen."""

    @property
    def account_ids(self) -> frozenset[AccountId]:
        """Whose private channels it may hear."""
        ...

    def offer(self, frame: Frame) -> None:
        """Take a frame now, whatever becomes of it; never waits."""
        ...


class Snapshots(Protocol):
    """The state that a new subscriber begins with, as JSON-ready values."""

    async def market(self, kind: str, symbol: str, timeframe: str | None) -> object:
        """Of a public channel."""
        ...

    def ticker(self, symbol: str) -> object | None:
        """Where the symbol stands; None while nothing is known."""
        ...

    def trades(self, symbol: str) -> Sequence[Mapping[str, object]]:
        """The newest prints, newest first, each with its `venue_trade_id`."""
        ...

    async def private(self, channel: str, tenant_id: TenantId) -> object:
        """Of a private channel."""
        ...


class _Notice(msgspec.Struct):
    account_id: str
    sequence: int
    message: msgspec.Raw


@dataclass(slots=True)
class _Topic:
    channel: str
    kind: str
    symbol: str
    timeframe: str | None
    seq: int = 0
    last: object = None
    due_s: float = 0.0
    listeners: set[Listener] = field(default_factory=set)

    @property
    def stream(self) -> str | None:
        if self.timeframe is None:
            return None
        if self.kind == "candles":
            return candle_stream(Series(self.symbol, self.timeframe))
        return signals_stream(self.symbol, self.timeframe)


class Hub:
    """One for a process: two loops read, every connection listens."""

    def __init__(self, bus: Bus, database: Database, snapshots: Snapshots, *, venue: str, clock: Clock) -> None:
        self._bus = bus
        self._database = database
        self._snapshots = snapshots
        self._venue = venue
        self._clock = clock
        self._topics: dict[str, _Topic] = {}
        self._cursors: dict[str, str] = {}
        self._private: dict[str, set[Listener]] = {channel: set() for channel in PRIVATE_CHANNELS}
        self._sequences: dict[AccountId, int] = {}

    # ── listeners ──

    async def subscribe(self, channel: str, listener: Listener, tenant_id: TenantId) -> bytes:
        """The snapshot that the deltas from now on continue; `NotFound` or `Invalid` names what is wrong."""
        if channel in self._private:
            heads = await self._heads(listener.account_ids)
            self._private[channel].add(listener)
            items = await self._snapshots.private(channel, tenant_id)
            whole = {"heads": heads, "items": items}
            return Frame(channel, max(heads.values(), default=0), self._now(), None, whole=whole).snapshot
        topic = self._topics.get(channel) or self._new_topic(channel)
        if topic.stream is not None and topic.stream not in self._cursors:
            self._cursors |= await self._bus.last_ids([topic.stream])
        self._topics[channel] = topic
        topic.listeners.add(listener)
        seq = topic.seq
        data = await self._snapshots.market(topic.kind, topic.symbol, topic.timeframe)
        return Frame(channel, seq, self._now(), None, whole=data).snapshot

    def unsubscribe(self, channel: str, listener: Listener) -> None:
        """Say nothing more of this channel."""
        self._private.get(channel, set()).discard(listener)
        topic = self._topics.get(channel)
        if topic is None:
            return
        topic.listeners.discard(listener)
        if not topic.listeners:
            del self._topics[channel]
            if topic.stream is not None and all(other.stream != topic.stream for other in self._topics.values()):
                self._cursors.pop(topic.stream, None)

    def forget(self, listener: Listener) -> None:
        """The connection is gone."""
        for channel in (*PRIVATE_CHANNELS, *self._topics):
            self.unsubscribe(channel, listener)

    async def resume(self, account_id: AccountId, after: int, channels: Iterable[str]) -> list[Frame]:
        """Everything private since a sequence, from the log itself; `Invalid` when that is too much."""
        found = [frame async for frame in self._logged(account_id, after, RESUMED_MAX + 1)]
        if found and found[-1].seq - after > RESUMED_MAX:
            raise Invalid(
                f"last_seq is more than {RESUMED_MAX} events behind; subscribe again instead.", code="ws.resume_too_old"
            )
        wanted = frozenset(channels)
        return [frame for frame in found if frame.channel in wanted]

    # ── loops ──

    async def follow_market(self) -> None:
        """Until cancelled: streams as they come, tickers and trades at their pace."""
        while True:
            for entry in await self._bus.read(dict(self._cursors), _BLOCK_MS):
                if entry.stream in self._cursors:
                    self._cursors[entry.stream] = entry.id
                    message = decode(entry.payload)
                    for topic in self._topics.values():
                        if topic.stream == entry.stream:
                            self._tell(topic, public_view(message), message.occurred_at)
            now_s = self._clock.monotonic_s()
            for topic in list(self._topics.values()):
                if topic.kind in _PERIOD_S and topic.due_s <= now_s:
                    topic.due_s = now_s + _PERIOD_S[topic.kind]
                    self._poll(topic)

    async def follow_accounts(self) -> None:
        """Until cancelled: what the relay tells of every account."""
        async for raw in self._bus.listen(EVENTS):
            notice = msgspec.json.decode(raw, type=_Notice)
            account_id = AccountId(notice.account_id)
            known = self._sequences.get(account_id, notice.sequence - 1)
            if notice.sequence <= known:
                continue
            if notice.sequence > known + 1:
                async for frame in self._logged(account_id, known, notice.sequence - known - 1):
                    self._tell_owner(account_id, frame)
            self._sequences[account_id] = notice.sequence
            for frame in frames_of(account_id, notice.sequence, decode(notice.message)):
                self._tell_owner(account_id, frame)

    # ── inside ──

    def _poll(self, topic: _Topic) -> None:
        if topic.kind == "ticker":
            ticker = self._snapshots.ticker(topic.symbol)
            if ticker is not None and ticker != topic.last:
                topic.last = ticker
                self._tell(topic, ticker, None, whole=ticker)
            return
        prints = self._snapshots.trades(topic.symbol)
        newest = prints[0]["venue_trade_id"] if prints else None
        if newest == topic.last:
            return
        fresh = []
        for each in prints:
            if each["venue_trade_id"] == topic.last:
                break
            fresh.append(each)
        topic.last = newest
        self._tell(topic, fresh, None, whole=prints)

    def _tell(self, topic: _Topic, data: object, at: int | None, *, whole: object = None) -> None:
        topic.seq += 1
        ts = self._now() if at is None else rfc3339(at)
        frame = Frame(topic.channel, topic.seq, ts, data, whole=whole)
        for listener in list(topic.listeners):
            listener.offer(frame)

    def _tell_owner(self, account_id: AccountId, frame: Frame) -> None:
        for listener in list(self._private[frame.channel]):
            if account_id in listener.account_ids:
                listener.offer(frame)

    async def _logged(self, account_id: AccountId, after: int, count: int) -> AsyncIterator[Frame]:
        query = (
            select(events.c.sequence, events.c.payload)
            .where(events.c.account_id == account_id, events.c.sequence > after)
            .order_by(events.c.sequence)
            .limit(count)
        )
        for row in await self._database.fetch(query):
            for frame in frames_of(account_id, row["sequence"], decode(row["payload"])):
                yield frame

    async def _heads(self, account_ids: Iterable[AccountId]) -> dict[str, int]:
        query = select(event_heads).where(event_heads.c.account_id.in_(sorted(account_ids)))
        return {row["account_id"]: row["sequence"] for row in await self._database.fetch(query)}

    def _new_topic(self, channel: str) -> _Topic:
        kind, _, rest = channel.partition(".")
        parts = rest.split(".")
        if kind not in _PERIOD_S and kind not in _STREAMED:
            raise NotFound(f"There is no channel {channel!r}.", code="ws.channel_unknown")
        is_streamed = kind in _STREAMED
        if len(parts) != (3 if is_streamed else 2) or parts[0] != self._venue:
            form = f"{kind}.{self._venue}.BTC-USDT" + (".1m" if is_streamed else "")
            raise NotFound(f"channel must look like {form}, not {channel!r}.", code="ws.channel_unknown")
        if is_streamed:
            duration_us(parts[2])
        return _Topic(channel, kind, parse_symbol(parts[1]), parts[2] if is_streamed else None)

    def _now(self) -> str:
        return rfc3339(self._clock.now_us())


def frames_of(account_id: AccountId, sequence: int, message: AnyMessage) -> list[Frame]:
    """The frames of one event of a log; most facts belong to one channel, a fill to two, some to none."""
    channels = []
    if isinstance(message, _ORDER_FACTS):
        channels.append("orders")
    match message:
        case OrderFilled():
            channels.append("fills")
        case PositionChanged() | TradeClosed():
            channels.append("positions")
        case BotStateChanged():
            channels.append("bots")
        case KillSwitchSet():
            channels.append("risk")
        case _:
            pass
    if not channels:
        return []
    data, ts = public_view(message), rfc3339(message.occurred_at)
    return [Frame(channel, sequence, ts, data, account_id) for channel in channels]


def public_view(message: AnyMessage) -> object:
    """A message as screens read it: decimals as strings, times as RFC 3339."""
    return _readable(msgspec.to_builtins(message))


def _readable(value: object) -> object:
    if isinstance(value, dict):
        return {
            name: rfc3339(inner) if name.endswith("_at") and isinstance(inner, int) else _readable(inner)
            for name, inner in value.items()
        }
    return [_readable(inner) for inner in value] if isinstance(value, list | tuple) else value
