"""Our books beside the exchange's own: every way in which they may differ, in words."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tests.simulation.kill.plant import Plant
from tests.waiting import DeadlinePassed
from tidegate.domain.instruments import stream_symbol
from tidegate.domain.messages import from_json
from tidegate.domain.money import ZERO, from_minor
from tidegate.execution.positions import Position
from tidegate.execution.tables import fills, orders, positions
from tidegate.kit.db import Row, SqliteStore, event_heads, events
from tidegate.ledger.tables import balances, transfers

QUIET_S = 30.0
_LOOK_S = 0.2
_NOTIONAL_MIN = Decimal(6)  # less of a position is dust that nobody could sell
_STATUSES = {
    "open": "NEW",
    "partially_filled": "PARTIALLY_FILLED",
    "filled": "FILLED",
    "cancelled": "CANCELED",
    "expired": "EXPIRED",
}


async def assert_same_books(plant: Plant) -> Counter[str]:
    """Wait until nothing moves and everything agrees; how often each event stands in our log."""
    store = SqliteStore(plant.database)
    ends = asyncio.get_running_loop().time() + QUIET_S
    try:
        while found := await _differences(plant, store):
            if asyncio.get_running_loop().time() > ends:
                raise DeadlinePassed("\n".join([*found[:20], plant.complaints()]))
            await asyncio.sleep(_LOOK_S)
        return Counter(row["name"] for row in await store.load(events))
    finally:
        await store.close()


async def _differences(plant: Plant, store: SqliteStore) -> list[str]:
    before = await store.load(event_heads)
    venue = await asyncio.to_thread(plant.books)
    ours = {table.name: await store.load(table) for table in (orders, fills, positions, balances, transfers)}
    after = await asyncio.to_thread(plant.books)
    if venue["journal_sequence"] != after["journal_sequence"] or before != await store.load(event_heads):
        return ["Something still moves."]
    return [
        *_about_orders(venue["orders"], ours[orders.name]),
        *_about_fills(venue["trades"], ours[fills.name]),
        *_about_money(venue["balances"], ours[balances.name], ours[transfers.name]),
        *_about_positions(ours[positions.name], ours[orders.name]),
    ]


def _about_orders(venue: list[dict[str, Any]], ours: list[Row]) -> Iterator[str]:
    """No order is doubted, lost, doubled, foreign or in another state."""
    for order_id, count in Counter(order["clientOrderId"] for order in venue).items():
        if count > 1:
            yield f"The exchange accepted {order_id} {count} times."
    by_id = {row["client_order_id"]: row for row in ours}
    at_venue = {order["clientOrderId"]: order for order in venue}
    for order_id in at_venue.keys() - by_id.keys():
        yield f"The exchange has {order_id}, which is none of ours."
    for order_id, row in by_id.items():
        order, status = at_venue.get(order_id), row["status"]
        if status in ("pending", "unknown"):
            yield f"{order_id} is {status}."
        elif status == "rejected":
            if order is not None:
                yield f"{order_id} was given up, and the exchange has it."
        elif order is None:
            yield f"{order_id} is {status}, and the exchange never had it."
        elif (_STATUSES[status], row["filled_quantity"]) != (order["status"], Decimal(order["executedQty"])):
            yield (
                f"{order_id} is {status} with {row['filled_quantity']} filled,"
                f" at the exchange {order['status']} with {order['executedQty']}."
            )


def _about_fills(venue: list[dict[str, Any]], ours: list[Row]) -> Iterator[str]:
    theirs = {(trade["symbol"], str(trade["orderId"]), str(trade["id"])) for trade in venue}
    booked = {_fill_key(row) for row in ours}
    for key in theirs - booked:
        yield f"The execution {key} is not booked."
    for key in booked - theirs:
        yield f"The booked execution {key} never happened."


def _fill_key(row: Row) -> tuple[str, str, str]:
    order_id, trade_id = row["fill_id"].split(":")[-2:]
    return stream_symbol(row["symbol"]), order_id, trade_id


def _about_money(venue: list[dict[str, Any]], ours: list[Row], moved: list[Row]) -> Iterator[str]:
    """Every asset sums to zero, stands where its transfers lead, and is what the exchange holds."""
    stored = {(row["kind"], row["asset"]): row["units"] for row in ours}
    folded: Counter[tuple[str, str]] = Counter()
    for row in moved:
        folded[row["debit"], row["asset"]] += row["units"]
        folded[row["credit"], row["asset"]] -= row["units"]
    for key in folded.keys() | stored.keys():
        if folded[key] != stored.get(key, 0):
            yield f"{key} stands at {stored.get(key, 0)}, its transfers at {folded[key]}."
    scales = {row["asset"]: row["scale"] for row in ours}
    theirs = {entry["asset"]: Decimal(entry["free"]) + Decimal(entry["locked"]) for entry in venue}
    for asset in scales.keys() | {asset for asset, quantity in theirs.items() if quantity}:
        total = sum(units for (_, name), units in stored.items() if name == asset)
        if total:
            yield f"{asset} sums to {total}."
        owned = stored.get(("free", asset), 0) + stored.get(("held", asset), 0)
        quantity = from_minor(owned, scales.get(asset, 8))
        if quantity != theirs.get(asset, ZERO):
            yield f"We own {quantity} {asset}, at the exchange {theirs.get(asset, ZERO)}."


def _about_positions(ours: list[Row], placed: list[Row]) -> Iterator[str]:
    """What is held has live stops under all of it that could be sold, or is on its way out."""
    for row in ours:
        position = from_json(row["document"], Position)
        if position.trade_id is None or position.quantity * position.entry_price < _NOTIONAL_MIN:
            continue
        mine = [each for each in placed if (each["bot_id"], each["symbol"]) == (position.bot_id, position.symbol)]
        live = [each for each in mine if each["status"] in ("open", "partially_filled")]
        stops = [each for each in live if each["purpose"] == "stop_loss"]
        covered = sum((each["quantity"] - each["filled_quantity"] for each in stops), ZERO)
        lot = Decimal("0.0001")
        if position.exit_reason:
            yield f"{position.bot_id} {position.symbol}: {position.quantity} is still on its way out."
        elif not position.quantity - lot < covered <= position.quantity:
            yield f"{position.bot_id} {position.symbol}: {position.quantity} is held, {covered} is protected."
