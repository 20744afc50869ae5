"""ARM / DISARM: a set-up arms, a confirmation within `max_wait` bars triggers, anything against it disarms.

    IDLE ── set-up ──▶ ARMED ── confirmation ──▶ TRIGGERED ──▶ COOLDOWN ──▶ IDLE
                         └──── expired, invalidated, opposite set-up, veto, gap ────▶ IDLE

One machine stands for one side of one symbol. On one bar what disarms goes before what triggers, as a stop goes
before a target; a machine that disarmed does not arm again on the same bar.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from tidegate.domain.errors import Invalid
from tidegate.domain.orders import Side
from tidegate.indicators.layout import Bar
from tidegate.strategies.parameters import Parameter
from tidegate.strategies.protocol import Assessment


class Phase(StrEnum):
    """Where a machine stands after a bar."""

    IDLE = "idle"
    ARMED = "armed"
    TRIGGERED = "triggered"
    COOLDOWN = "cooldown"


class TriggerKind(StrEnum):
    """What confirms a set-up."""

    RULE = "rule"  # the strategy's own rule, at a close
    STOP_ENTRY = "stop_entry"  # price passes the set-up bar's high (shorts: low), where a resting stop order waits
    PULLBACK = "pullback"  # price touches the strategy's line and closes back on the right side of it


class Rearm(StrEnum):
    """What a second set-up does to a machine that is armed."""

    IGNORE = "ignore"
    RESET = "reset"  # levels and waiting time begin anew


class Sides(StrEnum):
    """Which entries are looked for."""

    LONG = "long"
    SHORT = "short"
    BOTH = "both"

    @property
    def entries(self) -> tuple[Side, ...]:
        return {
            Sides.LONG: (Side.BUY,),
            Sides.SHORT: (Side.SELL,),
            Sides.BOTH: (Side.BUY, Side.SELL),
        }[self]


class DisarmReason(StrEnum):
    """Why an armed set-up ended without an entry."""

    EXPIRED = "expired"
    INVALIDATED = "invalidated"
    OPPOSITE_SETUP = "opposite_setup"
    REGIME_VETO = "regime_veto"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class ArmingOptions:
    trigger: Annotated[TriggerKind, Parameter("what confirms a set-up")] = TriggerKind.RULE
    max_wait: Annotated[
        int, Parameter("bars that a confirmation may take; 0 means the set-up's own bar only", 0, 500)
    ] = 5
    cooldown: Annotated[int, Parameter("bars without a new set-up after an entry", 0, 500)] = 3
    invalidation_atr: Annotated[
        float, Parameter("a set-up dies so many ATR(14) below its bar's low (shorts: above its high)", 0, 20)
    ] = 0.5
    rearm: Annotated[Rearm, Parameter("what a second set-up does while armed")] = Rearm.IGNORE
    allow_same_bar: Annotated[bool, Parameter("set-up and rule may meet on one bar")] = False
    sides: Annotated[Sides, Parameter("which entries are looked for")] = Sides.LONG

    def __post_init__(self) -> None:
        if self.max_wait == 0 and not (self.allow_same_bar and self.trigger is TriggerKind.RULE):
            raise Invalid(
                "max_wait of arming may be 0 only with trigger rule and allow_same_bar true; set it to 1 or more.",
                code="strategies.parameter_invalid",
            )


@dataclass(frozen=True, slots=True)
class Armed:
    """An entry may follow within `bars_left` bars; `entry_price` is where a resting order waits, if one does."""

    entry_price: float | None
    invalidation_price: float
    bars_left: int


@dataclass(frozen=True, slots=True)
class Disarmed:
    """The set-up ended without an entry."""

    reason: DisarmReason


@dataclass(frozen=True, slots=True)
class Triggered:
    """Enter; `entry_price` is the resting order's price, or the close."""

    kind: TriggerKind
    entry_price: float


ArmingEvent = Armed | Disarmed | Triggered


class ArmingMachine:
    """The two stages of one side of one symbol."""

    def __init__(self, side: Side, options: ArmingOptions) -> None:
        self.side = side
        self.phase = Phase.IDLE
        self._options = options
        self._bars_waited = 0
        self._cooldown_left = 0
        self._entry_price: float | None = None
        self._invalidation_price = 0.0

    @property
    def bars_left(self) -> int:
        """Bars that an armed machine goes on waiting, or that a cooldown goes on."""
        if self.phase is Phase.ARMED:
            return self._options.max_wait - self._bars_waited
        return self._cooldown_left if self.phase is Phase.COOLDOWN else 0

    def on_bar(self, bar: Bar, seen: Assessment) -> list[ArmingEvent]:
        """What this closed bar changes, in order; `seen` must be ready."""
        if self.phase in (Phase.TRIGGERED, Phase.COOLDOWN):
            self._cool_down()
        if self.phase is Phase.ARMED:
            return self._wait(bar, seen)
        if self.phase is Phase.IDLE and seen.setup is self.side and not seen.veto:
            return self._arm(bar, seen)
        return []

    def disarm(self, reason: DisarmReason) -> list[Disarmed]:
        """End an armed set-up from outside; any other phase stays."""
        if self.phase is not Phase.ARMED:
            return []
        self.phase = Phase.IDLE
        return [Disarmed(reason)]

    def _cool_down(self) -> None:
        if self.phase is Phase.TRIGGERED:
            self.phase = Phase.COOLDOWN
            self._cooldown_left = self._options.cooldown
        if self._cooldown_left == 0:
            self.phase = Phase.IDLE
        else:
            self._cooldown_left -= 1

    def _arm(self, bar: Bar, seen: Assessment) -> list[ArmingEvent]:
        self.phase = Phase.ARMED
        events: list[ArmingEvent] = [self._set_levels(bar, seen)]
        options = self._options
        if options.trigger is TriggerKind.RULE and options.allow_same_bar and seen.confirms is self.side:
            return [*events, self._trigger(bar.close)]
        return [*events, *self._expire()]

    def _wait(self, bar: Bar, seen: Assessment) -> list[ArmingEvent]:
        self._bars_waited += 1
        reason = self._objection(bar, seen)
        if reason is not None:
            return [*self.disarm(reason)]
        price = self._confirmed_price(bar, seen)
        if price is not None:
            return [self._trigger(price)]
        if seen.setup is self.side and self._options.rearm is Rearm.RESET:
            return [self._set_levels(bar, seen)]
        return [*self._expire()]

    def _expire(self) -> list[Disarmed]:
        return self.disarm(DisarmReason.EXPIRED) if self.bars_left <= 0 else []

    def _objection(self, bar: Bar, seen: Assessment) -> DisarmReason | None:
        is_buy = self.side is Side.BUY
        if bar.low <= self._invalidation_price if is_buy else bar.high >= self._invalidation_price:
            return DisarmReason.INVALIDATED
        if seen.setup is self.side.opposite:
            return DisarmReason.OPPOSITE_SETUP
        return DisarmReason.REGIME_VETO if seen.veto else None

    def _confirmed_price(self, bar: Bar, seen: Assessment) -> float | None:
        is_buy = self.side is Side.BUY
        if self._entry_price is not None:
            passed = bar.high >= self._entry_price if is_buy else bar.low <= self._entry_price
            return self._entry_price if passed else None
        if self._options.trigger is TriggerKind.RULE:
            return bar.close if seen.confirms is self.side else None
        line = seen.pullback_price
        came_back = bar.low <= line < bar.close if is_buy else bar.high >= line > bar.close
        return bar.close if came_back else None

    def _trigger(self, price: float) -> Triggered:
        self.phase = Phase.TRIGGERED
        return Triggered(self._options.trigger, price)

    def _set_levels(self, bar: Bar, seen: Assessment) -> Armed:
        self._bars_waited = 0
        room = self._options.invalidation_atr * seen.atr
        is_buy = self.side is Side.BUY
        self._invalidation_price = bar.low - room if is_buy else bar.high + room
        rests = self._options.trigger is TriggerKind.STOP_ENTRY
        extreme = bar.high if is_buy else bar.low
        self._entry_price = extreme if rests else None
        return Armed(self._entry_price, self._invalidation_price, self._options.max_wait)
