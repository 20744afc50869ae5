"""What a signal is, and how one turns candles into messages."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypedDict

from tidegate.domain.candles import Candle, duration_us
from tidegate.domain.ids import TraceId
from tidegate.domain.instruments import parse_symbol
from tidegate.domain.messages import BarEvaluated, Signal, SignalArmed, SignalDisarmed, SignalTriggered
from tidegate.domain.orders import Side
from tidegate.indicators.layout import Bar
from tidegate.strategies.arming import (
    Armed,
    ArmingEvent,
    ArmingMachine,
    ArmingOptions,
    Disarmed,
    DisarmReason,
    Phase,
    Triggered,
    TriggerKind,
)
from tidegate.strategies.catalogue import READY, Catalogue, entry_of
from tidegate.strategies.parameters import Parameters, checked, text_of, values_of
from tidegate.strategies.protocol import Assessment

EXIT_REASON = "strategy_exit"


@dataclass(frozen=True, slots=True)
class SignalSpec:
    """Which strategy, how set, on what; equal specs are one signal."""

    strategy: str
    parameters: Parameters
    arming: ArmingOptions
    symbol: str
    timeframe: str
    key: str  # all of the above as text, the same in every process and after every restart


def signal_spec(
    strategy: str,
    symbol: str,
    timeframe: str,
    *,
    parameters: Mapping[str, object] | None = None,
    arming: Mapping[str, object] | None = None,
    catalogue: Catalogue = READY,
) -> SignalSpec:
    """A checked spec with every default spelled out; `Invalid` names the field, `NotFound` the strategy."""
    entry = entry_of(catalogue, strategy)
    set_up = entry.check(parameters or {})
    options = checked(ArmingOptions, {**values_of(entry.arming), **(arming or {})}, "arming")
    symbol = parse_symbol(symbol)
    duration_us(timeframe)
    key = f"{strategy}({text_of(set_up)})|{text_of(options)}|{symbol}|{timeframe}"
    return SignalSpec(strategy, set_up, options, symbol, timeframe, key)


def bar_of(candle: Candle) -> Bar:
    """The candle as floats; nothing that touches money goes back this way."""
    return Bar(
        float(candle.opened_at),
        float(candle.open),
        float(candle.high),
        float(candle.low),
        float(candle.close),
        float(candle.volume),
    )


def price_of(x: float) -> Decimal:
    """A float price with 15 significant digits: exactly the decimal it was made of, if it was made of one."""
    return Decimal(f"{x:.15g}")


class _Common(TypedDict):
    trace_id: TraceId
    occurred_at: int
    signal_key: str
    symbol: str
    timeframe: str
    bar_opened_at: int
    close: Decimal


class SignalRun:
    """One signal at work: its strategy, its machines and the last bar it has seen."""

    def __init__(self, spec: SignalSpec, catalogue: Catalogue) -> None:
        self.spec = spec
        self._entry = entry_of(catalogue, spec.strategy)
        self._bar_us = duration_us(spec.timeframe)
        self._last: Candle | None = None
        self._gap_bars = 0
        self._begin()

    @property
    def settling_bars(self) -> int:
        """How much history makes the numbers independent of where it begins."""
        return self._strategy.settling_bars

    def on_candle(self, candle: Candle, trace_id: TraceId) -> list[Signal]:
        """What this closed bar says, `BarEvaluated` last; nothing for a bar that has been seen."""
        common = self._common(candle, trace_id)
        last = self._last
        if last is not None and candle.opened_at <= last.opened_at:
            return self._note_correction(candle, last, common)
        signals: list[Signal] = []
        if last is not None and candle.opened_at != last.closes_at:
            self._gap_bars = (candle.opened_at - last.closes_at) // self._bar_us
            signals += self._forget(common)
        self._last = candle
        self._bars_seen += 1
        bar = bar_of(candle)
        seen = self._strategy.assess(bar)
        if not seen.is_ready:
            return [*signals, self._evaluated(common, seen.values, self._warming())]
        self._gap_bars = 0
        signals += self._exits(seen, common)
        verdicts = [self._advance(machine, bar, seen, signals, common) for machine in self._machines]
        return [*signals, self._evaluated(common, seen.values, "; ".join(verdicts))]

    def _begin(self) -> None:
        self._strategy = self._entry.build(values_of(self.spec.parameters), self._bar_us)
        self._machines = [ArmingMachine(side, self.spec.arming) for side in self.spec.arming.sides.entries]
        self._bars_seen = 0

    def _forget(self, common: _Common) -> list[Signal]:
        signals: list[Signal] = [
            SignalDisarmed(**common, side=machine.side, reason=event.reason.value)
            for machine in self._machines
            for event in machine.disarm(DisarmReason.GAP)
        ]
        self._begin()
        return signals

    def _exits(self, seen: Assessment, common: _Common) -> list[Signal]:
        if seen.leaves not in self.spec.arming.sides.entries:
            return []
        return [SignalTriggered(**common, side=seen.leaves.opposite, is_entry=False, reason=EXIT_REASON)]

    def _advance(
        self, machine: ArmingMachine, bar: Bar, seen: Assessment, signals: list[Signal], common: _Common
    ) -> str:
        events = machine.on_bar(bar, seen)
        signals += [_message(event, machine.side, seen, common, self._bar_us) for event in events]
        verdict = _verdict(machine, events[-1] if events else None, seen, self.spec.arming.trigger)
        if len(self._machines) == 1:
            return verdict
        return f"{'long' if machine.side is Side.BUY else 'short'}: {verdict}"

    def _evaluated(self, common: _Common, values: dict[str, float], verdict: str) -> BarEvaluated:
        phases = [machine.phase.value for machine in self._machines if machine.phase is not Phase.IDLE]
        return BarEvaluated(
            **common,
            values={name: value for name, value in values.items() if math.isfinite(value)},
            phase=phases[0] if phases else Phase.IDLE.value,
            verdict=verdict,
        )

    def _warming(self) -> str:
        progress = f"{self._bars_seen} of {self._strategy.warm_up_bars} bars"
        if self._gap_bars:
            return f"warming up anew after a gap of {self._gap_bars} bars: {progress}"
        return f"warming up: {progress}"

    def _note_correction(self, candle: Candle, last: Candle, common: _Common) -> list[Signal]:
        known_revision = last.revision if candle.opened_at == last.opened_at else 0
        if candle.revision <= known_revision:
            return []
        if candle.opened_at == last.opened_at:
            self._last = candle
        verdict = f"corrected (revision {candle.revision}) after it was evaluated: noted, not traded again"
        return [self._evaluated(common, {}, verdict)]

    def _common(self, candle: Candle, trace_id: TraceId) -> _Common:
        return {
            "trace_id": trace_id,
            "occurred_at": candle.closes_at,
            "signal_key": self.spec.key,
            "symbol": candle.symbol,
            "timeframe": candle.timeframe,
            "bar_opened_at": candle.opened_at,
            "close": candle.close,
        }


def _message(event: ArmingEvent, side: Side, seen: Assessment, common: _Common, bar_us: int) -> Signal:
    if isinstance(event, Armed):
        return SignalArmed(
            **common,
            side=side,
            entry_price=None if event.entry_price is None else price_of(event.entry_price),
            invalidation_price=price_of(event.invalidation_price),
            expires_at=common["occurred_at"] + event.bars_left * bar_us,
        )
    if isinstance(event, Disarmed):
        return SignalDisarmed(**common, side=side, reason=event.reason.value)
    away = 1.0 if side is Side.BUY else -1.0
    return SignalTriggered(
        **common,
        side=side,
        is_entry=True,
        reason=event.kind.value,
        stop_loss_price=_advice(event.entry_price, -away * seen.stop_distance),
        take_profit_price=_advice(event.entry_price, away * seen.target_distance),
    )


def _advice(entry_price: float, distance: float) -> Decimal | None:
    price = entry_price + distance
    return price_of(price) if distance and price > 0.0 else None


def _verdict(machine: ArmingMachine, event: ArmingEvent | None, seen: Assessment, trigger: TriggerKind) -> str:
    if isinstance(event, Triggered):
        return f"triggered by {event.kind.value}"
    if isinstance(event, Disarmed):
        why = f" ({seen.veto})" if event.reason is DisarmReason.REGIME_VETO else ""
        return f"disarmed: {event.reason.value}{why}"
    if machine.phase is Phase.ARMED:
        return f"armed: waiting for {trigger.value}, {machine.bars_left} bars left"
    if machine.phase is Phase.COOLDOWN:
        return f"cooling down: {machine.bars_left} more bars"
    if seen.setup is machine.side and seen.veto:
        return f"set-up vetoed: {seen.veto}"
    return seen.note
