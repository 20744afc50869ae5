"""A bot, the states of its life, and what it may propose."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from tidegate.domain.errors import Conflict, Invalid
from tidegate.domain.ids import AccountId, BotId, ClientOrderId
from tidegate.domain.instruments import Instrument
from tidegate.domain.messages import OrderProposed
from tidegate.strategies.sizing import SizingKind, SizingRule

Parameter = int | float | str | bool
_PCT_MAX = Decimal(100)
_TENTH_OF_EQUITY = SizingRule(SizingKind.PERCENT, Decimal(10))


class BotState(StrEnum):
    """Where a bot is in its life."""

    STOPPED = "stopped"
    RUNNING = "running"
    PAUSED = "paused"  # no entries, exits are managed
    STOPPING = "stopping"  # until its position is flat
    ERROR = "error"  # its strategy failed; exits are managed


class StopPositions(StrEnum):
    """What stopping does with what is open."""

    KEEP = "keep"  # entries are withdrawn, protection stays
    CLOSE = "close"
    CANCEL_ORDERS = "cancel_orders"  # protection is withdrawn too


class EntryKind(StrEnum):
    """How a bot enters."""

    MARKET = "market"  # at once when triggered
    LIMIT = "limit"  # at the close of the triggering bar
    STOP = "stop"  # rests while armed, withdrawn when disarmed


_LEGAL = {
    BotState.STOPPED: {BotState.RUNNING},
    BotState.RUNNING: {BotState.PAUSED, BotState.STOPPING, BotState.STOPPED, BotState.ERROR},
    BotState.PAUSED: {BotState.RUNNING, BotState.STOPPING, BotState.STOPPED, BotState.ERROR},
    BotState.STOPPING: {BotState.STOPPED, BotState.ERROR},
    BotState.ERROR: {BotState.RUNNING, BotState.STOPPING, BotState.STOPPED},
}


class IllegalBotTransition(Conflict):
    """The bot's state forbids this verb."""

    code = "bots.illegal_transition"


@dataclass(frozen=True, slots=True, kw_only=True)
class BotConfig:
    """All that a person decides about a bot; a change of it is a new bot or a stopped one."""

    name: str
    symbol: str
    timeframe: str
    strategy: str
    parameters: dict[str, Parameter] = field(default_factory=dict)
    arming: dict[str, Parameter] = field(default_factory=dict)
    entry: EntryKind = EntryKind.MARKET
    sizing: SizingRule = _TENTH_OF_EQUITY
    stop_loss_pct: Decimal | None = Decimal(2)  # below the entry; None: the strategy's own price, or no stop
    take_profit_pct: Decimal | None = Decimal(4)

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise Invalid("name must not be empty.", code="bots.config_invalid")
        for name, value in (("stop_loss_pct", self.stop_loss_pct), ("take_profit_pct", self.take_profit_pct)):
            if value is not None and (not value.is_finite() or value <= 0):
                raise Invalid(f"{name} must be above 0 percent, or null for none.", code="bots.config_invalid")
        if self.stop_loss_pct is not None and self.stop_loss_pct >= _PCT_MAX:
            raise Invalid("stop_loss_pct must be below 100 percent.", code="bots.config_invalid")


@dataclass(slots=True)
class Bot:
    """One bot of one account, as its engine knows it."""

    bot_id: BotId
    account_id: AccountId
    config: BotConfig
    signal_key: str  # the computation it listens to
    state: BotState = BotState.STOPPED
    reason: str = ""
    created_at: int = 0  # µs, wall time

    def move(self, state: BotState, reason: str) -> None:
        """The next state of its life; `IllegalBotTransition` where the verb makes no sense."""
        if state not in _LEGAL[self.state]:
            raise IllegalBotTransition(f"Bot {self.config.name!r} is {self.state} and cannot become {state}.")
        self.state = state
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class LegView:
    """What a bot may know of its account and symbol when it decides."""

    instrument: Instrument | None
    position_quantity: Decimal  # base, of this bot
    is_exiting: bool
    entry_order_ids: tuple[ClientOrderId, ...]  # its entries that may still fill
    equity: Decimal | None  # quote, of the account; None when a price is unknown
    available: Decimal  # quote that an entry may spend


@dataclass(frozen=True, slots=True)
class WithdrawEntry:
    """End a resting entry."""

    client_order_id: ClientOrderId


@dataclass(frozen=True, slots=True)
class ExitPosition:
    """Withdraw what protects the position and sell it."""

    reason: str


Proposal = OrderProposed | WithdrawEntry | ExitPosition
