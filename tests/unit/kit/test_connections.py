import pytest

from tidegate.domain.errors import Unavailable
from tidegate.kit.clock import ManualClock
from tidegate.kit.connections import BackOff, Connection, Connections, ConnectionState, NetworkInsideTransaction, guard
from tidegate.kit.connections import inside_transaction as transaction_flag

TWO_FAILURES = BackOff(first_s=1.0, pause_s_max=8.0, failures_max=2)


def a_connection(clock: ManualClock | None = None, *, chance: float = 1.0) -> Connection:
    return Connection("venue", clock=clock or ManualClock(0), chance=lambda: chance, back_off=TWO_FAILURES)


def test_a_network_call_inside_a_transaction_is_refused() -> None:
    token = transaction_flag.set(True)
    try:
        with pytest.raises(NetworkInsideTransaction):
            guard()
        with pytest.raises(NetworkInsideTransaction):
            a_connection().guard()
    finally:
        transaction_flag.reset(token)
    guard()


def test_pauses_double_up_to_their_bound() -> None:
    connection = a_connection()
    assert [connection.failed("no route") for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_chance_shortens_a_pause_by_at_most_half() -> None:
    assert a_connection(chance=0.0).failed("no route") == 0.5


def test_a_success_starts_the_pauses_anew() -> None:
    connection = a_connection()
    connection.failed("no route")
    connection.failed("no route")
    connection.opened()
    assert connection.failed("no route") == 1.0


def test_a_broken_circuit_refuses_until_the_pause_has_passed_and_then_lets_one_probe_through() -> None:
    clock = ManualClock(0)
    connection = a_connection(clock)
    connection.failed("no route")
    connection.guard()  # one failure is not enough
    connection.failed("no route")
    with pytest.raises(Unavailable, match=r"^venue is not answering: no route\.$") as refusal:
        connection.guard()
    assert refusal.value.code == "connection.broken"
    clock.advance_to(2_000_000)
    connection.guard()
    with pytest.raises(Unavailable):
        connection.guard()
    connection.opened()
    connection.guard()
    connection.guard()


def test_health_shows_every_connection_with_its_state_its_reason_and_since_when() -> None:
    clock = ManualClock(5)
    connections = Connections(clock)
    connections.connection("redis").opened()
    connections.connection("binance").failed("no route")
    assert connections.connection("redis") is connections.connection("redis")
    shown = [(one.name, one.state, one.reason, one.since_us) for one in connections.all()]
    assert shown == [("binance", ConnectionState.BROKEN, "no route", 5), ("redis", ConnectionState.OPEN, "", 5)]
