"""An account from what is committed, and its first comparison with the venue."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tidegate.app.account import Account, Surroundings
from tidegate.bots.model import BotConfig, EntryKind
from tidegate.bots.repository import load_bots
from tidegate.bots.service import Bots
from tidegate.domain.ids import AccountId, Environment, TraceId
from tidegate.domain.money import plain
from tidegate.domain.orders import BalanceReport, OrderStatus
from tidegate.domain.ports import AccountQueries
from tidegate.execution.protection import Positions
from tidegate.execution.repository import load_account
from tidegate.execution.service import Execution
from tidegate.kit.db import Store, event_heads, events
from tidegate.ledger.model import Books
from tidegate.ledger.model import check as check_books
from tidegate.ledger.repository import load as load_books
from tidegate.risk.repository import load_switch
from tidegate.signals.model import SignalSpec, signal_spec
from tidegate.strategies.arming import TriggerKind


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an account trades."""

    account_id: AccountId
    venue: str
    environment: Environment


async def load(store: Store, origin: Origin, around: Surroundings, draw_id: Callable[[], str]) -> tuple[Account, int]:
    """The account as the last commit left it, and the sequence of its last event."""
    account_id = origin.account_id
    scales = {instrument.base: instrument.base_scale for instrument in around.instruments.values()}
    scales |= {instrument.quote: instrument.quote_scale for instrument in around.instruments.values()}
    books = Books(account_id, draw_id=draw_id, scales=scales)
    await load_books(store, books)
    stored = await load_account(store, account_id)
    execution = Execution(account_id, venue=origin.venue, environment=origin.environment)
    execution.restore(stored.orders, stored.fill_ids)
    positions = Positions(account_id)
    positions.restore(stored.positions)
    account = Account(
        account_id,
        around=around,
        books=books,
        execution=execution,
        positions=positions,
        bots=Bots(await load_bots(store, account_id, signal_key)),
        switch=await load_switch(store, account_id),
    )
    account.realized_by_day = stored.realized_by_day
    account.monitor.lose_sight(stored.orders)
    for order in stored.orders:
        if order.status is OrderStatus.PENDING:  # it may or may not have been sent
            account.post(execution.doubt(order, "the engine restarted before the answer", order.submitted_at))
    heads = await store.load(event_heads, account_id=account_id)
    sequence: int = heads[0]["sequence"] if heads else 0
    for last in await store.load(events, account_id=account_id, sequence=sequence):
        account.begin(last["occurred_at"], last["trace_id"])
    return account, sequence


async def open_books(account: Account, venue: AccountQueries, trace_id: TraceId, at: int) -> None:
    """The first time an account is met: what the venue holds is where its books begin."""
    if account.books.balances():
        return
    account.begin(at, trace_id)
    for balance in await venue.balances():
        account.open_balance(balance)


def differences(account: Account, venue: Sequence[BalanceReport]) -> list[str]:
    """Assets of which the venue holds another quantity than the books say, as words."""
    return [
        f"{check.asset} by {plain(check.difference)}"
        for check in check_books(account.books.balances(), venue)
        if check.difference and not check.is_balanced
    ]


def spec_of(config: BotConfig) -> SignalSpec:
    """The computation that a bot listens to; `Invalid` names what is wrong with its strategy or parameters."""
    # An entry that rests while armed needs the price to rest at.
    triggers = {"trigger": TriggerKind.STOP_ENTRY.value} if config.entry is EntryKind.STOP else {}
    return signal_spec(
        config.strategy,
        config.symbol,
        config.timeframe,
        parameters=config.parameters,
        arming={**triggers, **config.arming},
    )


def signal_key(config: BotConfig) -> str:
    """The key of that computation."""
    return spec_of(config).key
