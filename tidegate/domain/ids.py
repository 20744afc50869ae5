"""Typed identifiers, and the two that are derived instead of drawn: client order id and fill id."""

import base64
import hashlib
from enum import StrEnum
from typing import NewType

TenantId = NewType("TenantId", str)
UserId = NewType("UserId", str)
AccountId = NewType("AccountId", str)
BotId = NewType("BotId", str)
CommandId = NewType("CommandId", str)
TransferId = NewType("TransferId", str)
TradeId = NewType("TradeId", str)  # a round trip, from the entry to the exit
TraceId = NewType("TraceId", str)  # one story: candle, signal, order, fill and transfer share it
IntentKey = NewType("IntentKey", str)  # what an order is for; unique in the database
ClientOrderId = NewType("ClientOrderId", str)  # ours, at most 32 characters
VenueOrderId = NewType("VenueOrderId", str)  # the venue's, unique only per symbol
FillId = NewType("FillId", str)

_ATTEMPT_MAX = 999
_DIGEST_BYTES = 15  # 24 base32 characters: a collision among 10^12 intents has odds of 10^-12


class Environment(StrEnum):
    """Where orders go; the first letter of every client order id, so that no two can be confused."""

    SIMULATION = "s"
    PAPER = "p"
    TESTNET = "t"
    LIVE = "l"


def client_order_id(environment: Environment, intent: IntentKey, attempt: int) -> ClientOrderId:
    """The same intent and attempt give the same id after any crash; 28 characters of `[a-z0-9]`.

    Attempt n+1 may be used only in the commit that records the proof that attempt n is dead.
    """
    if not 1 <= attempt <= _ATTEMPT_MAX:
        raise ValueError(f"attempt must be from 1 to {_ATTEMPT_MAX}, not {attempt}")
    digest = hashlib.sha256(f"{environment.value}|{intent}".encode()).digest()[:_DIGEST_BYTES]
    return ClientOrderId(f"{environment.value}{base64.b32encode(digest).decode().lower()}{attempt:03d}")


def fill_id(venue: str, account: AccountId, symbol: str, venue_order_id: VenueOrderId, venue_trade_id: str) -> FillId:
    """The key of one execution: a trade id alone is unique only per symbol, and a self-trade gives it twice."""
    return FillId(f"{venue}:{account}:{symbol}:{venue_order_id}:{venue_trade_id}")


def shard_of(account: AccountId, shards: int) -> int:
    """The shard that owns an account: stable over processes and Python versions."""
    return int.from_bytes(hashlib.sha256(account.encode()).digest()[:4], "big") % shards
