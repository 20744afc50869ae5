"""Bots and their decision log: rows into a write set, and rows back into memory."""

from collections.abc import Callable, Iterable

from tidegate.bots.model import Bot, BotConfig, BotState
from tidegate.bots.tables import bots, decisions
from tidegate.domain.ids import AccountId, BotId
from tidegate.domain.messages import BarDecided, from_json, to_json
from tidegate.kit.db import Row, Store, WriteSet

SignalKeyOf = Callable[[BotConfig], str]


def write_bots(changed: Iterable[Bot], write_set: WriteSet) -> None:
    """The bots as they stand now."""
    for bot in changed:
        write_set.upsert(bots, **bot_row(bot))


def write_decisions(decided: Iterable[BarDecided], write_set: WriteSet) -> None:
    """One line a bar and bot; a bar that was decided before keeps its first line."""
    for bar in decided:
        write_set.insert_once(
            decisions,
            bot_id=bar.bot_id,
            bar_opened_at=bar.bar_opened_at,
            account_id=bar.account_id,
            symbol=bar.symbol,
            timeframe=bar.timeframe,
            phase=bar.phase,
            verdict=bar.verdict[:400],
            values=to_json(bar.values),
            trace_id=bar.trace_id,
        )


async def load_bots(store: Store, account_id: AccountId, signal_key_of: SignalKeyOf) -> list[Bot]:
    """Every bot of the account, oldest first."""
    rows = sorted(await store.load(bots, account_id=account_id), key=lambda row: (row["created_at"], row["bot_id"]))
    return [_bot(row, signal_key_of) for row in rows]


async def load_listening(store: Store) -> list[BotConfig]:
    """The configurations of all bots that are not stopped."""
    states = [state for state in BotState if state is not BotState.STOPPED]
    rows = [row for state in states for row in await store.load(bots, state=state.value)]
    return [from_json(row["config"], BotConfig) for row in rows]


async def load_bot(store: Store, bot_id: BotId, account_id: AccountId, signal_key_of: SignalKeyOf) -> Bot | None:
    """One bot, for a command that names a bot this engine has not met yet."""
    rows = await store.load(bots, bot_id=bot_id, account_id=account_id)
    return _bot(rows[0], signal_key_of) if rows else None


def bot_row(bot: Bot) -> Row:
    """All columns of a bot."""
    config = bot.config
    return {
        "bot_id": bot.bot_id,
        "account_id": bot.account_id,
        "name": config.name,
        "symbol": config.symbol,
        "timeframe": config.timeframe,
        "strategy": config.strategy,
        "config": to_json(config),
        "state": bot.state.value,
        "reason": bot.reason[:400],
        "created_at": bot.created_at,
    }


def _bot(row: Row, signal_key_of: SignalKeyOf) -> Bot:
    config = from_json(row["config"], BotConfig)
    return Bot(
        bot_id=BotId(row["bot_id"]),
        account_id=AccountId(row["account_id"]),
        config=config,
        signal_key=signal_key_of(config),
        state=BotState(row["state"]),
        reason=row["reason"],
        created_at=row["created_at"],
    )
