"""Sizing counts fees, never rounds up and never spends what is not there."""

from dataclasses import replace
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.errors import Invalid
from tidegate.domain.instruments import Instrument
from tidegate.domain.orders import Side
from tidegate.strategies.sizing import Entry, SizingKind, SizingRule, breakeven_price, risk_quantity, size

BTC = Instrument(
    symbol="BTC/USDT",
    base="BTC",
    quote="USDT",
    tick_size=D("0.01"),
    lot_size=D("0.00001"),
    quantity_min=D("0.00001"),
    notional_min=D(5),
)
LONG = Entry(
    instrument=BTC,
    side=Side.BUY,
    price=D(60_000),
    stop_price=D(58_800),
    equity=D(10_000),
    available=D(10_000),
    fee_rate_in=D("0.001"),
    fee_rate_out=D("0.001"),
)


def test_breakeven_pays_both_fees() -> None:
    assert round(breakeven_price(Side.BUY, D(60_000), D("0.001"), D("0.001")), 4) == D("60120.1201")
    assert round(breakeven_price(Side.BUY, D(60_000), D("0.0002"), D("0.0005")), 4) == D("60042.0210")


@given(st.integers(1, 10**9), st.integers(0, 1_000), st.integers(0, 1_000))
def test_leaving_at_breakeven_returns_what_was_paid(price: int, fee_in_bps: int, fee_out_bps: int) -> None:
    fee_in, fee_out = D(fee_in_bps) / 10_000, D(fee_out_bps) / 10_000
    long = breakeven_price(Side.BUY, D(price), fee_in, fee_out)
    assert abs(long * (1 - fee_out) - price * (1 + fee_in)) < D("1e-12")
    short = breakeven_price(Side.SELL, D(price), fee_in, fee_out)
    assert abs(short * (1 + fee_out) - price * (1 - fee_in)) < D("1e-12")


def test_risk_sizing_includes_both_fees_in_the_loss() -> None:
    assert round(risk_quantity(D(100), D(60_000), D(58_800), D("0.001"), D("0.001")), 7) == D("0.0758265")
    sized = size(SizingRule(SizingKind.RISK, D(1)), LONG)  # 1 % of 10,000
    assert sized.quantity == D("0.07582")


@given(
    st.decimals(1, 100_000, places=2),
    st.decimals("0.1", 50, places=1),
    st.decimals("0.01", 100, places=2),
    st.decimals(1, 1_000_000, places=2),
    st.sampled_from([SizingKind.PERCENT, SizingKind.RISK]),
)
def test_an_entry_never_costs_more_than_is_available_and_never_loses_more_than_wanted(
    price: D, stop_pct: D, value: D, equity: D, kind: SizingKind
) -> None:
    stop = price * (1 - stop_pct / 100)
    entry = replace(LONG, price=price, stop_price=stop, equity=equity, available=equity / 2)
    quantity = size(SizingRule(kind, value), entry).quantity
    assert quantity % BTC.lot_size == 0
    cost = quantity * price * D("1.001")
    assert cost <= entry.available
    if kind is SizingKind.PERCENT:
        assert cost <= equity * value / 100
    else:
        assert quantity * (price - stop) + quantity * (price + stop) * D("0.001") <= equity * value / 100


def test_a_fixed_quantity_is_cut_to_lots_and_to_nothing_else() -> None:
    poor = replace(LONG, available=D(1), equity=D(1), stop_price=None)
    assert size(SizingRule(SizingKind.FIXED, D("0.123456")), poor).quantity == D("0.12345")


def test_a_cap_bounds_every_kind() -> None:
    for kind in SizingKind:
        quantity = size(SizingRule(kind, D(10), notional_max=D(600)), LONG).quantity
        assert quantity == D("0.01")


@pytest.mark.parametrize(
    ("rule", "entry", "sentence"),
    [
        (SizingRule(SizingKind.PERCENT, D("0.01")), LONG, "but notional must be at least 5 USDT"),
        (SizingRule(SizingKind.FIXED, D("0.000001")), LONG, "quantity must be above 0"),
        (SizingRule(SizingKind.RISK, D(1)), replace(LONG, stop_price=None), "needs a stop price"),
        (SizingRule(SizingKind.RISK, D(1)), replace(LONG, stop_price=D(60_000)), "must be below 60000"),
        (SizingRule(SizingKind.RISK, D(1)), replace(LONG, side=Side.SELL), "must be above 60000"),
        (SizingRule(SizingKind.PERCENT, D(1)), replace(LONG, equity=D(0)), "nothing is available"),
        (SizingRule(SizingKind.PERCENT, D(1)), replace(LONG, available=D(0)), "nothing is available"),
        (SizingRule(SizingKind.FIXED, D(1)), replace(LONG, price=D(0)), "price must be above 0"),
    ],
)
def test_what_cannot_be_sized_is_refused_in_a_sentence(rule: SizingRule, entry: Entry, sentence: str) -> None:
    sized = size(rule, entry)
    assert sized.quantity == 0
    assert sentence in sized.objection


@pytest.mark.parametrize(
    ("kind", "value", "cap"),
    [
        (SizingKind.FIXED, "0", "0"),
        (SizingKind.PERCENT, "100.1", "0"),
        (SizingKind.RISK, "-1", "0"),
        (SizingKind.FIXED, "1", "-1"),
    ],
)
def test_a_rule_out_of_range_is_refused(kind: SizingKind, value: str, cap: str) -> None:
    with pytest.raises(Invalid, match="sizing"):
        SizingRule(kind, D(value), D(cap))
