"""Payloads into reports: real ones are read, impossible ones are refused by a sentence."""

import contextlib
import gzip
import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.venues.binance.recorded import (
    EXCHANGE_INFO_2021,
    EXECUTION,
    ORDER,
    PAYLOADS,
    PAYLOADS_SEEN,
    needs_data,
)
from tidegate.domain.instruments import InstrumentStatus
from tidegate.domain.orders import (
    AccountEvent,
    BalanceReport,
    FillReport,
    OrderReport,
    OrderStatus,
    Side,
    TapeMark,
)
from tidegate.venues.binance import parse
from tidegate.venues.binance.errors import PayloadUnreadable

FEE = Decimal("0.001")
NAMES = parse.SymbolNames()


def events_of(raw: bytes) -> list[AccountEvent]:
    event = parse.api_frame(raw).event
    assert event is not None
    return parse.account_events(event, NAMES)


def changed(raw: bytes, **values: object) -> bytes:
    """The payload with other values; None takes a field away."""
    payload = json.loads(raw)
    inner = payload.get("event", payload)
    for name, value in values.items():
        if value is None:
            del inner[name]
        else:
            inner[name] = value
    return json.dumps(payload).encode()


def wrapped(path: Path) -> bytes:
    event = json.loads(path.read_bytes())
    event = event.get("data", event)
    return json.dumps(event if "event" in event else {"subscriptionId": 0, "event": event}).encode()


def test_the_answer_to_an_order_tells_its_state_and_its_first_fills() -> None:
    placed = parse.placed(ORDER, NAMES)
    (report,) = placed.reports
    assert (report.symbol, report.client_order_id, report.venue_order_id) == ("BTC/USDT", "ours", "7")
    assert (report.status, report.filled_quantity, report.filled_notional) == (
        OrderStatus.PARTIALLY_FILLED,
        Decimal("0.2"),
        Decimal(6000),
    )
    assert report.reported_at == 1_700_000_000_123_000
    (fill,) = placed.fills
    assert (fill.venue_trade_id, fill.quantity, fill.price) == ("91", Decimal("0.2"), Decimal(30000))
    assert (fill.fee, fill.fee_asset, fill.is_maker) == (Decimal("0.0002"), "BTC", False)


def test_a_trade_on_the_stream_is_a_fill_and_then_the_order_it_changed() -> None:
    fill, report = events_of(EXECUTION)
    assert isinstance(fill, FillReport)
    assert isinstance(report, OrderReport)
    assert (fill.venue_trade_id, fill.quantity, fill.price, fill.side) == (
        "92",
        Decimal("0.3"),
        Decimal("28990.10"),
        Side.SELL,
    )
    assert (report.status, report.filled_quantity) == (OrderStatus.FILLED, Decimal("0.5"))


def test_a_cancel_is_reported_under_the_orders_own_id_and_not_under_the_cancels() -> None:
    raw = changed(EXECUTION, x="CANCELED", X="CANCELED", c="cancel-1", C="ours", l="0", L="0", t=-1)
    (report,) = events_of(raw)
    assert isinstance(report, OrderReport)
    assert (report.client_order_id, report.status) == ("ours", OrderStatus.CANCELLED)


def test_an_expired_market_order_keeps_what_it_filled_and_says_why_it_ended() -> None:
    raw = changed(
        EXECUTION, x="EXPIRED", X="EXPIRED", z="0.2", Z="5800", l="0", L="0", t=-1, eR="INSUFFICIENT_LIQUIDITY"
    )
    (report,) = events_of(raw)
    assert isinstance(report, OrderReport)
    assert (report.status, report.filled_quantity, report.detail) == (
        OrderStatus.EXPIRED,
        Decimal("0.2"),
        "INSUFFICIENT_LIQUIDITY",
    )


@pytest.mark.parametrize(
    ("execution", "status", "expected"),
    [
        ("TRADE_PREVENTION", "EXPIRED_IN_MATCH", OrderStatus.EXPIRED),
        ("NEW", "PENDING_NEW", OrderStatus.PENDING),
        ("REJECTED", "REJECTED", OrderStatus.REJECTED),
        ("CANCELED", "PENDING_CANCEL", OrderStatus.OPEN),
    ],
)
def test_every_documented_status_has_a_meaning(execution: str, status: str, expected: OrderStatus) -> None:
    (report,) = events_of(changed(EXECUTION, x=execution, X=status, z="0", Z="0", l="0"))
    assert isinstance(report, OrderReport)
    assert report.status is expected


def test_a_tape_mark_and_balances_come_through_and_what_others_tell_too_is_passed_over() -> None:
    assert events_of(b'{"subscriptionId":0,"event":{"e":"tapeAdvanced","E":5,"n":17}}') == [TapeMark(17)]
    position = b'{"event":{"e":"outboundAccountPosition","E":1,"u":1,"B":[{"a":"BTC","f":"1.50","l":"0.5"}]}}'
    assert events_of(position) == [BalanceReport(asset="BTC", free=Decimal("1.50"), held=Decimal("0.5"))]
    for name in ("balanceUpdate", "listStatus", "externalLockUpdate"):
        assert events_of(json.dumps({"event": {"e": name, "E": 1}}).encode()) == []


@pytest.mark.parametrize(
    "values",
    [
        {"i": None},
        {"z": None},
        {"N": 5},
        {"q": "NaN"},
        {"q": "Infinity"},
        {"q": "-1"},
        {"q": "1e400"},
        {"q": ""},
        {"z": "0.6"},
        {"l": "0.6"},
        {"L": "0"},
        {"L": "-5"},
        {"t": -1},
        {"t": 2**63},
        {"S": "HOLD"},
        {"X": "SOMETHING"},
        {"s": "1"},
        {"c": ""},
        {"T": -1},
        {"e": "somethingNew"},
    ],
)
def test_an_execution_that_lacks_a_field_or_cannot_be_true_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(PayloadUnreadable):
        events_of(changed(EXECUTION, **values))


@pytest.mark.parametrize(
    "values",
    [
        {"orderId": None},
        {"executedQty": None},
        {"transactTime": None},
        {"executedQty": "0.6"},
        {"status": "NEWISH"},
        {"origQty": "1e30"},
        {"fills": [{"price": "0", "qty": "1", "commission": "0", "commissionAsset": "BTC", "tradeId": 1}]},
        {"fills": [{"price": "1", "qty": "1", "commission": "0", "commissionAsset": "BTC"}]},
    ],
)
def test_an_order_that_lacks_a_field_or_cannot_be_true_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(PayloadUnreadable):
        parse.placed(changed(ORDER, **values), NAMES)


def test_a_crossed_book_an_impossible_candle_and_rows_out_of_order_are_refused() -> None:
    with pytest.raises(PayloadUnreadable, match="crossed"):
        parse.book(b'{"lastUpdateId":1,"bids":[["10","1"]],"asks":[["10","1"]]}', "BTC/USDT")
    row = [60_000, "10", "12", "9", "11", "1", 119_999, "10", 3, "0", "0", "0"]
    assert parse.klines(json.dumps([row]).encode(), "BTC/USDT", "1m")[0].trade_count == 3
    for index, value in ((2, "10.5"), (3, "11.5"), (0, 60_001), (5, "-1"), (1, "nan")):
        broken = [*row[:index], value, *row[index + 1 :]]
        with pytest.raises(PayloadUnreadable):
            parse.klines(json.dumps([broken]).encode(), "BTC/USDT", "1m")
    with pytest.raises(PayloadUnreadable, match="order of time"):
        parse.klines(json.dumps([row, row]).encode(), "BTC/USDT", "1m")


@settings(max_examples=300)
@given(st.data())
def test_a_mutated_frame_is_read_or_refused_and_nothing_else_happens(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from([EXECUTION, ORDER])))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    for reader in (lambda: events_of(bytes(raw)), lambda: parse.placed(bytes(raw), NAMES)):
        with contextlib.suppress(PayloadUnreadable, AssertionError):  # refused by name, or no event at all
            reader()


def test_the_venues_own_list_comes_before_the_known_quote_assets() -> None:
    info = {
        "rateLimits": [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 1234}],
        "symbols": [
            {
                "symbol": "AUSDT",
                "status": status,
                "baseAsset": "AUS",
                "quoteAsset": "DT",
                "baseAssetPrecision": 8,
                "quoteAssetPrecision": 8,
                "isSpotTradingAllowed": True,
                "filters": filters,
            }
            for status, filters in (
                (
                    "BREAK",
                    [
                        {"filterType": "PRICE_FILTER", "minPrice": "0", "maxPrice": "0", "tickSize": "0.01"},
                        {"filterType": "LOT_SIZE", "minQty": "1", "maxQty": "9", "stepSize": "1"},
                    ],
                ),
                ("TRADING", []),
            )
        ],
    }
    instruments, limit, unreadable = parse.exchange_info(json.dumps(info).encode(), FEE, FEE)
    assert (len(instruments), limit, unreadable) == (1, 1234, 1), "a row without filters is counted, the rest is read"
    assert instruments[0].status is InstrumentStatus.HALTED
    names = parse.SymbolNames()
    assert names["AUSDT"] == "A/USDT"
    names.learn(instruments)
    assert names["AUSDT"] == "AUS/DT"


@needs_data
def test_every_recorded_order_answer_is_read() -> None:
    http = PAYLOADS / "http_json"
    assert parse.order((http / "order_response.json").read_bytes(), NAMES).symbol == "LTC/BTC"
    for name in ("open_orders_response", "all_orders_response"):
        (report,) = parse.orders((http / f"{name}.json").read_bytes(), NAMES)
        assert report.client_order_id == "myOrder1"
    (cancelled,) = parse.cancelled((http / "cancel_order_response.json").read_bytes(), NAMES).reports
    assert (cancelled.client_order_id, cancelled.status) == ("myOrder1", OrderStatus.CANCELLED)
    (trade,) = parse.own_trades((http / "account_trades_response.json").read_bytes())
    assert (trade.id, trade.order_id, trade.commission_asset) == (28457, 100234, "BNB")
    assert len(parse.balances((http / "account_response.json").read_bytes())) == 2


@needs_data
def test_every_recorded_public_answer_is_read() -> None:
    http = PAYLOADS / "http_json"
    assert parse.server_time_us((http / "server_time_response.json").read_bytes()) == 1_499_827_319_559_000
    assert parse.book((http / "depth_response.json").read_bytes(), "BNB/BTC").update_id == 1027024
    (candle,) = parse.klines((http / "klines_response.json").read_bytes(), "ETH/BTC", "1w")
    assert candle.trade_count == 308
    # The documents' example has no filters, so its rules are not known and it is not listed.
    assert parse.exchange_info((http / "exchange_info_response.json").read_bytes(), FEE, FEE) == ([], 0, 1)


@needs_data
def test_the_whole_real_list_of_2021_is_read_without_a_loss() -> None:
    with gzip.open(EXCHANGE_INFO_2021, "rt", encoding="utf-8") as lines:
        raw = next(lines).split(": ", 1)[1].encode()
    instruments, limit, unreadable = parse.exchange_info(raw, FEE, FEE)
    listed = {one.symbol: one for one in instruments}
    assert (limit, unreadable) == (1_200, 0)
    assert len(listed) > 1_000
    btc = listed["BTC/USDT"]
    assert (btc.tick_size, btc.lot_size, btc.notional_min) == (Decimal("0.01"), Decimal("0.00001"), Decimal(10))


@needs_data
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("new", [OrderStatus.OPEN]),
        ("canceled", [OrderStatus.CANCELLED]),
        ("expired", [OrderStatus.EXPIRED]),
        ("stop_loss", [OrderStatus.OPEN]),
        ("wrapped", [OrderStatus.OPEN]),
    ],
)
def test_recorded_executions_are_read(name: str, expected: list[OrderStatus]) -> None:
    events = events_of(wrapped(PAYLOADS / "user_data_json" / f"execution_report_{name}.json"))
    assert [event.status for event in events if isinstance(event, OrderReport)] == expected


@needs_data
@pytest.mark.parametrize(
    ("name", "fills", "status"),
    [
        ("calculated", 0, OrderStatus.FILLED),
        ("custom_client_id", 1, OrderStatus.PARTIALLY_FILLED),
        ("pending_cancel", 0, OrderStatus.OPEN),
        ("rejected", 0, OrderStatus.REJECTED),
        ("trade_prevention", 0, OrderStatus.EXPIRED),
        ("trade_l_zero_canceled", 0, OrderStatus.CANCELLED),
        ("trade_l_zero_expired", 0, OrderStatus.EXPIRED),
        ("trade_l_zero_partial", 0, OrderStatus.PARTIALLY_FILLED),
    ],
)
def test_odd_executions_that_another_adapter_met_are_read(name: str, fills: int, status: OrderStatus) -> None:
    events = events_of(wrapped(PAYLOADS_SEEN / "ws_messages" / f"ws_spot_execution_report_{name}.json"))
    assert sum(isinstance(event, FillReport) for event in events) == fills
    assert [event.status for event in events if isinstance(event, OrderReport)] == [status]


@needs_data
@pytest.mark.parametrize("name", ["trade_l_zero", "empty_client_id"])
def test_a_trade_without_a_price_and_an_order_without_an_id_are_refused(name: str) -> None:
    with pytest.raises(PayloadUnreadable):
        events_of(wrapped(PAYLOADS_SEEN / "ws_messages" / f"ws_spot_execution_report_{name}.json"))


@needs_data
def test_recorded_account_events_are_read() -> None:
    folder = PAYLOADS / "user_data_json"
    told = events_of(wrapped(folder / "account_position.json"))
    assert BalanceReport(asset="USDT", free=Decimal(10_000), held=Decimal(2_500)) in told
    for name in ("balance_update_wrapped", "list_status_wrapped"):
        assert events_of(wrapped(folder / f"{name}.json")) == []
