"""ARM / DISARM: the table of transitions, and what holds for every series."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.domain.errors import Invalid
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
    Rearm,
    Sides,
    Triggered,
    TriggerKind,
)
from tidegate.strategies.protocol import Assessment

CALM = Bar(0.0, 100.0, 101.0, 99.0, 100.0, 1.0)
NOTHING = Assessment(note="", values={}, atr=2.0, pullback_price=50.0)
SET_UP = replace(NOTHING, setup=Side.BUY)
CONFIRMED = replace(NOTHING, confirms=Side.BUY)
VETOED = replace(NOTHING, veto="the regime is range")
OPPOSITE = replace(NOTHING, setup=Side.SELL)

Seen = Assessment | tuple[Bar, Assessment]


def _run(*seen: Seen, side: Side = Side.BUY, options: ArmingOptions | None = None) -> list[list[ArmingEvent]]:
    machine = ArmingMachine(side, options or ArmingOptions())
    steps = [one if isinstance(one, tuple) else (CALM, one) for one in seen]
    return [machine.on_bar(bar, assessment) for bar, assessment in steps]


def _bar(**changes: float) -> Bar:
    return CALM._replace(**changes)


def _kinds(events: list[list[ArmingEvent]]) -> list[str]:
    return ["+".join(type(event).__name__ for event in bar) for bar in events]


def test_a_set_up_arms_and_a_later_confirmation_triggers() -> None:
    events = _run(SET_UP, NOTHING, CONFIRMED)
    assert _kinds(events) == ["Armed", "", "Triggered"]
    assert events[2] == [Triggered(TriggerKind.RULE, 100.0)]


def test_a_confirmation_without_a_set_up_does_nothing() -> None:
    assert _kinds(_run(CONFIRMED, CONFIRMED)) == ["", ""]


def test_set_up_and_confirmation_meet_on_one_bar_only_if_allowed() -> None:
    both = replace(SET_UP, confirms=Side.BUY)
    assert _kinds(_run(both)) == ["Armed"]
    assert _kinds(_run(both, options=ArmingOptions(allow_same_bar=True))) == ["Armed+Triggered"]


@pytest.mark.parametrize(("waits", "last"), [(4, "Triggered"), (5, "")])
def test_a_confirmation_may_come_on_the_last_bar_of_the_wait_and_not_later(waits: int, last: str) -> None:
    events = _run(SET_UP, *[NOTHING] * waits, CONFIRMED)
    assert _kinds(events)[-1] == last
    if not last:
        assert events[5] == [Disarmed(DisarmReason.EXPIRED)]


def test_cooldown_ignores_set_ups_for_its_bars() -> None:
    events = _run(SET_UP, CONFIRMED, SET_UP, SET_UP, SET_UP, SET_UP)
    assert _kinds(events) == ["Armed", "Triggered", "", "", "", "Armed"]
    without = _run(SET_UP, CONFIRMED, SET_UP, options=ArmingOptions(cooldown=0))
    assert _kinds(without) == ["Armed", "Triggered", "Armed"]


def test_the_set_up_dies_half_an_atr_below_its_low() -> None:
    armed, above = _run(SET_UP, (_bar(low=98.01), NOTHING))
    assert armed == [Armed(None, 98.0, 5)]
    assert above == []
    assert _run(SET_UP, (_bar(low=98.0), CONFIRMED))[1] == [Disarmed(DisarmReason.INVALIDATED)]


def test_a_short_set_up_dies_half_an_atr_above_its_high() -> None:
    events = _run(OPPOSITE, (_bar(high=102.0), NOTHING), side=Side.SELL)
    assert events == [[Armed(None, 102.0, 5)], [Disarmed(DisarmReason.INVALIDATED)]]


@pytest.mark.parametrize(
    ("against", "reason"),
    [
        (replace(OPPOSITE, confirms=Side.BUY), DisarmReason.OPPOSITE_SETUP),
        (replace(VETOED, confirms=Side.BUY), DisarmReason.REGIME_VETO),
    ],
)
def test_what_disarms_goes_before_what_triggers(against: Assessment, reason: DisarmReason) -> None:
    assert _run(SET_UP, against)[1] == [Disarmed(reason)]


def test_a_veto_keeps_a_set_up_from_arming() -> None:
    assert _kinds(_run(replace(VETOED, setup=Side.BUY))) == [""]


def test_a_machine_that_disarmed_arms_again_on_the_next_bar_at_the_earliest() -> None:
    hit = (_bar(low=90.0), SET_UP)
    assert _kinds(_run(SET_UP, hit, SET_UP)) == ["Armed", "Disarmed", "Armed"]


def test_a_second_set_up_is_ignored_or_begins_the_wait_anew() -> None:
    second = (_bar(low=95.0), SET_UP)
    loose = ArmingOptions(invalidation_atr=10.0, max_wait=2)
    assert _kinds(_run(SET_UP, second, NOTHING, options=loose)) == ["Armed", "", "Disarmed"]
    anew = _run(SET_UP, second, NOTHING, NOTHING, options=replace(loose, rearm=Rearm.RESET))
    assert _kinds(anew) == ["Armed", "Armed", "", "Disarmed"]
    assert anew[1] == [Armed(None, 75.0, 2)]


@pytest.mark.parametrize(("high", "kind"), [(100.99, ""), (101.0, "Triggered"), (105.0, "Triggered")])
def test_a_stop_entry_waits_at_the_set_ups_high(high: float, kind: str) -> None:
    options = ArmingOptions(trigger=TriggerKind.STOP_ENTRY, allow_same_bar=True)
    events = _run(SET_UP, (_bar(high=high), NOTHING), options=options)
    assert events[0] == [Armed(101.0, 98.0, 5)]
    assert _kinds(events)[1] == kind
    if kind:
        assert events[1] == [Triggered(TriggerKind.STOP_ENTRY, 101.0)]


@pytest.mark.parametrize(
    ("line", "kind"),
    [(98.9, ""), (99.0, "Triggered"), (99.9, "Triggered"), (100.0, "")],
)
def test_a_pullback_touches_the_line_and_closes_above_it(line: float, kind: str) -> None:
    options = ArmingOptions(trigger=TriggerKind.PULLBACK)
    assert _kinds(_run(SET_UP, replace(CONFIRMED, pullback_price=line), options=options))[1] == kind


def test_disarming_from_outside_ends_only_an_armed_machine() -> None:
    machine = ArmingMachine(Side.BUY, ArmingOptions())
    assert machine.disarm(DisarmReason.GAP) == []
    machine.on_bar(CALM, SET_UP)
    assert machine.disarm(DisarmReason.GAP) == [Disarmed(DisarmReason.GAP)]
    assert machine.phase is Phase.IDLE


def test_waiting_no_bar_needs_a_rule_on_the_same_bar() -> None:
    with pytest.raises(Invalid, match="max_wait"):
        ArmingOptions(max_wait=0)
    with pytest.raises(Invalid, match="max_wait"):
        ArmingOptions(max_wait=0, allow_same_bar=True, trigger=TriggerKind.PULLBACK)
    once = ArmingOptions(max_wait=0, allow_same_bar=True, cooldown=0)
    assert _kinds(_run(SET_UP, options=once)) == ["Armed+Disarmed"]
    assert _kinds(_run(replace(SET_UP, confirms=Side.BUY), options=once)) == ["Armed+Triggered"]


_sides = st.sampled_from([None, None, None, Side.BUY, Side.SELL])
_seen = st.builds(
    lambda setup, confirms, veto, close, line: (
        CALM._replace(high=close + 1, low=close - 1, close=close),
        replace(NOTHING, setup=setup, confirms=confirms, veto=veto, pullback_price=line),
    ),
    _sides,
    _sides,
    st.sampled_from(["", "", "", "vetoed"]),
    st.integers(96, 104).map(float),
    st.integers(96, 104).map(float),
)
_options = st.builds(
    ArmingOptions,
    trigger=st.sampled_from(TriggerKind),
    max_wait=st.integers(1, 6),
    cooldown=st.integers(0, 4),
    rearm=st.sampled_from(Rearm),
    allow_same_bar=st.booleans(),
)


@given(st.lists(_seen, min_size=1, max_size=60), _options, st.sampled_from(Side))
@settings(max_examples=300, deadline=None)
def test_every_trigger_has_its_own_arm_on_an_earlier_bar_and_in_time(
    series: list[tuple[Bar, Assessment]], options: ArmingOptions, side: Side
) -> None:
    armed_at: int | None = None
    triggered_at: int | None = None
    for i, events in enumerate(_run(*series, side=side, options=options)):
        for event in events:
            if isinstance(event, Armed):
                assert armed_at is None or options.rearm is Rearm.RESET
                assert triggered_at is None or i - triggered_at > options.cooldown
                assert series[i][1].setup is side
                armed_at = i
                continue
            assert armed_at is not None, "only what is armed can trigger or disarm"
            waited = i - armed_at
            if isinstance(event, Triggered):
                same_bar = options.allow_same_bar and options.trigger is TriggerKind.RULE
                assert waited <= options.max_wait and (waited > 0 or same_bar)
                assert not series[i][1].veto
                triggered_at = i
            elif event.reason is DisarmReason.EXPIRED:
                assert waited == options.max_wait
            elif event.reason is DisarmReason.OPPOSITE_SETUP:
                assert series[i][1].setup is side.opposite
            elif event.reason is DisarmReason.REGIME_VETO:
                assert series[i][1].veto
            armed_at = None
        assert armed_at is None or i - armed_at < options.max_wait


def test_sides_name_the_entries_that_are_looked_for() -> None:
    assert [one.entries for one in Sides] == [(Side.BUY,), (Side.SELL,), (Side.BUY, Side.SELL)]
