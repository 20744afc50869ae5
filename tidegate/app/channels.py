"""The names that processes of one Tidegate agree on: notices that may be lost, and the streams of commands."""

from tidegate.domain.ids import AccountId, shard_of

COMMITTED = "committed"  # the engine committed something: the relay may look
DECISIONS = "decisions"  # what became of a command, for the one who waits
EVENTS = "events"  # committed events, for screens


def commands_stream(shard: int) -> str:
    """Commands to the accounts of one shard, in the order of their sending."""
    return f"commands:{shard}"


def commands_stream_of(account_id: AccountId, shards: int) -> str:
    """The stream that the engine of this account reads."""
    return commands_stream(shard_of(account_id, shards))
