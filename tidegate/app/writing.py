"""What one stimulus changed, as rows and events of one write set."""

from typing import NamedTuple

from tidegate.app.account import Account, day_of
from tidegate.app.commands import Outcome
from tidegate.bots.repository import write_bots, write_decisions
from tidegate.domain.ids import AccountId
from tidegate.domain.messages import KillSwitchSet, Message, TradeClosed, to_json
from tidegate.execution.model import VenueCall
from tidegate.execution.repository import write_changes, write_daily_pnl, write_positions, write_trade
from tidegate.kit.db import WriteSet, inbox
from tidegate.ledger.repository import write as write_books
from tidegate.risk.repository import write_switch


class Written(NamedTuple):
    """What became durable, and what must be done once it is."""

    facts: tuple[Message, ...]
    calls: list[VenueCall]


def write_account(account: Account, sequence: int, write_set: WriteSet) -> Written:
    """Take everything that changed out of the account and into the write set; `sequence` is the last event's."""
    facts, account.facts = account.facts, []
    changes, calls = account.execution.take()
    write_changes(changes, write_set)
    write_positions(account.positions.take(), write_set)
    write_books(write_set, account.account_id, account.books.take(), account.trace_id)
    bots, account.changed_bots = account.changed_bots, {}
    write_bots(bots.values(), write_set)
    decided, account.decided = account.decided, []
    write_decisions(decided, write_set)
    for number, fact in enumerate(facts, start=sequence + 1):
        write_set.append(account.account_id, number, fact)
        match fact:
            case TradeClosed():
                write_trade(fact, write_set)
                day = day_of(fact.occurred_at)
                write_daily_pnl(account.account_id, {day: account.realized_by_day[day]}, write_set)
            case KillSwitchSet():
                write_switch(write_set, account.account_id, account.switch)
            case _:
                pass
    return Written(tuple(facts), calls)


def write_outcome(outcome: Outcome, account_id: AccountId, shard: int, handled_at: int, write_set: WriteSet) -> None:
    """The inbox row that makes a command obeyed once."""
    write_set.insert(
        inbox,
        command_id=outcome.command_id,
        shard=shard,
        account_id=account_id,
        status=outcome.status,
        answer=to_json(outcome),
        handled_at=handled_at,
    )
