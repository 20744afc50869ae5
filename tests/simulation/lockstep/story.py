"""What a run came to, read from its database, without the ids and wall times by which two equal runs differ."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal

from tidegate.bots.tables import bots
from tidegate.domain.candles import Candle
from tidegate.execution.tables import fills, trades
from tidegate.kit.db import Row, events, open_store
from tidegate.ledger.tables import balances, transfers

_FILL = ("symbol", "side", "quantity", "price", "fee", "fee_asset", "is_maker", "filled_at")
_TRANSFER = ("debit", "credit", "asset", "units", "scale", "kind", "reason", "occurred_at")
Line = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Two runs of one tape must tell the same one."""

    fills: Sequence[Line]  # with the bot's name, in the order of time
    transfers: Sequence[Line]
    log: Sequence[str]  # the names of all events, in the order of the log
    exits: Counter[str]  # round trips by why they ended
    minutes: Sequence[Candle]  # 1m candles on the bus, history left out; embedded, the last ones may not be there yet
    repaired: int  # candles that the stream had lost, as told on the bus
    steps: int
    seconds: float

    @property
    def denials(self) -> int:
        """Orders that risk or the ledger refused."""
        return self.log.count("risk.order_denied.v1")

    def differences(self, other: "Story") -> str:
        """The first lines that only one of the two has; empty when fills and transfers are the same."""
        told = []
        for name in ("fills", "transfers"):
            ours, theirs = Counter(getattr(self, name)), Counter(getattr(other, name))
            only = [*((ours - theirs).items()), *((theirs - ours).items())]
            told += [f"{name}: {len(getattr(self, name))} and {len(getattr(other, name))}"] if only else []
            told += [f"  only one has {line} x{count}" for line, count in sorted(only, key=str)[:6]]
        return "\n".join(told)

    def __str__(self) -> str:
        counts = {one.name: getattr(self, one.name) for one in fields(self)}
        sizes = {
            name: value if isinstance(value, int | float | Counter) else len(value) for name, value in counts.items()
        }
        return f"{sizes}, {self.denials} denials, {1_000 * self.seconds / max(1, self.steps):.2f} ms a step"


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The rows that a story is made of."""

    fills: list[Row]
    transfers: list[Row]
    balances: list[Row]
    trades: list[Row]
    events: list[Row]
    bot_names: Mapping[object, str]


def read_books(url: str) -> Books:
    """Everything that was committed, from either kind of database."""

    async def read() -> Books:
        store = open_store(url)
        try:
            return Books(
                fills=await store.load(fills),
                transfers=await store.load(transfers),
                balances=await store.load(balances),
                trades=await store.load(trades),
                events=await store.load(events),
                bot_names={row["bot_id"]: str(row["name"]) for row in await store.load(bots)},
            )
        finally:
            await store.close()

    return asyncio.run(read())


def fills_of(books: Books) -> list[Line]:
    """Every fill as (bot, …), in the order of market time."""
    lines = [(books.bot_names[row["bot_id"]], *(_plain(row[name]) for name in _FILL)) for row in books.fills]
    return sorted(lines, key=lambda line: (line[-1], str(line)))


def transfers_of(books: Books) -> list[Line]:
    """Every movement in the ledger, in the order of market time."""
    lines = [tuple(_plain(row[name]) for name in _TRANSFER) for row in books.transfers]
    return sorted(lines, key=lambda line: (line[-1], str(line)))


def imbalances(books: Books, venue: Mapping[str, Decimal]) -> list[str]:
    """Assets whose ledger accounts do not sum to zero, or of which the venue holds another quantity."""
    sums: Counter[str] = Counter()
    owned: dict[str, Decimal] = {}
    for row in books.balances:
        sums[row["asset"]] += row["units"]
        if row["kind"] in ("free", "held"):
            owned[row["asset"]] = owned.get(row["asset"], Decimal(0)) + Decimal(row["units"]).scaleb(-row["scale"])
    wrong = [f"{asset} sums to {units}" for asset, units in sums.items() if units]
    held = {asset: quantity for asset, quantity in venue.items() if quantity or owned.get(asset)}
    return wrong + [
        f"{asset}: {owned.get(asset)} in the books, {quantity} at the venue"
        for asset, quantity in held.items()
        if owned.get(asset) != quantity
    ]


def _plain(value: object) -> object:
    """Equal decimals look equal, whichever database they come from."""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value
