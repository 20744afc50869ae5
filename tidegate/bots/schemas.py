"""Bots as HTTP shows and takes them: decimals as strings, times in RFC 3339."""

from decimal import Decimal
from typing import Annotated

import msgspec
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from tidegate.bots.model import Bot, BotConfig, BotState, EntryKind, StopPositions
from tidegate.domain.candles import duration_us
from tidegate.domain.instruments import parse_symbol
from tidegate.domain.money import decimal_of
from tidegate.kit.db import Row
from tidegate.kit.http import DecimalText, Moment
from tidegate.strategies.sizing import SizingKind, SizingRule


def _exact(value: object, about: ValidationInfo) -> object:
    if isinstance(value, float):
        raise ValueError("must be written as a decimal string, because a float has lost digits")
    return decimal_of(value, about.field_name or "value") if isinstance(value, str | int) else value


def _timeframe(text: str) -> str:
    duration_us(text)
    return text


Name = Annotated[str, Field(min_length=1, max_length=80)]
Symbol = Annotated[str, AfterValidator(parse_symbol), Field(max_length=32, description="BTC/USDT or BTC-USDT")]
Timeframe = Annotated[str, AfterValidator(_timeframe), Field(max_length=8)]
Exact = Annotated[Decimal, BeforeValidator(_exact), Field(max_digits=38, decimal_places=18)]
Parameters = Annotated[dict[str, bool | int | float | str], Field(max_length=50)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SizingIn(_In):
    """How an entry is sized: `fixed` base, or `percent` or `risk` of equity."""

    kind: SizingKind = SizingKind.PERCENT
    value: Exact = Decimal(10)
    notional_max: Exact = Decimal(0)


class BotIn(_In):
    """A new bot; what is left out takes the default of `BotConfig` and of its strategy."""

    account_id: Annotated[str, Field(max_length=36)] | None = None
    name: Name
    symbol: Symbol
    timeframe: Timeframe
    strategy: Annotated[str, Field(max_length=40)]
    parameters: Parameters = {}
    arming: Parameters = {}
    entry: EntryKind = EntryKind.MARKET
    sizing: SizingIn = SizingIn()
    stop_loss_pct: Exact | None = Decimal(2)
    take_profit_pct: Exact | None = Decimal(4)

    def config(self) -> BotConfig:
        """The same in the words of bots."""
        given = {name: getattr(self, name) for name in type(self).model_fields if name not in ("account_id", "sizing")}
        sizing = SizingRule(self.sizing.kind, self.sizing.value, self.sizing.notional_max)
        return BotConfig(**given, sizing=sizing)


class CloneIn(_In):
    """The name of the copy; the original's with "copy" behind it when left out."""

    name: Name | None = None


class StopIn(_In):
    """What stopping does with what is open."""

    positions: StopPositions = StopPositions.KEEP


class BotQuery(_In):
    """Which bots."""

    state: BotState | None = None
    symbol: Symbol | None = None
    limit: Annotated[int, Field(ge=1, le=500, description="How many items at most.")] = 100
    cursor: Annotated[str | None, Field(max_length=200, description="`next_cursor` of the page before.")] = None


class DecisionQuery(_In):
    """Which part of a decision log."""

    limit: Annotated[int, Field(ge=1, le=500, description="How many items at most.")] = 100
    cursor: Annotated[str | None, Field(max_length=200, description="`next_cursor` of the page before.")] = None


class SizingOut(BaseModel):
    """How an entry is sized."""

    model_config = ConfigDict(from_attributes=True)

    kind: SizingKind
    value: DecimalText
    notional_max: DecimalText


class BotOut(BaseModel):
    """One bot as it stands."""

    bot_id: str
    account_id: str
    state: BotState
    reason: str
    created_at: Moment
    name: str
    symbol: str
    timeframe: str
    strategy: str
    parameters: dict[str, bool | int | float | str]
    arming: dict[str, bool | int | float | str]
    entry: EntryKind
    sizing: SizingOut
    stop_loss_pct: DecimalText | None
    take_profit_pct: DecimalText | None

    @classmethod
    def of(cls, bot: Bot) -> "BotOut":
        """State and configuration as one."""
        fields = {
            name: getattr(source, name)
            for name in cls.model_fields
            for source in (bot, bot.config)
            if hasattr(source, name) and name != "sizing"
        }
        return cls(**fields, sizing=SizingOut.model_validate(bot.config.sizing))


class DirectedBotOut(BotOut):
    """The bot after a command; `is_decided` is false while no engine has answered."""

    is_decided: bool


class DecisionOut(BaseModel):
    """What a bot made of one closed bar, and why it did not trade."""

    bar_opened_at: Moment
    symbol: str
    timeframe: str
    phase: str
    verdict: str
    values: dict[str, float | None]
    trace_id: str


def directed_bot_out(bot: Bot, is_decided: bool) -> DirectedBotOut:
    """A bot after a command."""
    shown = BotOut.of(bot)
    return DirectedBotOut(**{name: getattr(shown, name) for name in BotOut.model_fields}, is_decided=is_decided)


def decision_out(row: Row) -> DecisionOut:
    """A row of the decision log; a number that was not known is null."""
    named = {name: row[name] for name in DecisionOut.model_fields if name != "values"}
    return DecisionOut(**named, values=msgspec.json.decode(row["values"], type=dict[str, float | None]))
