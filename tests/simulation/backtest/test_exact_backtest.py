"""Candle to ledger in one process: the live engine under a manual clock, in lockstep."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.real_data import CANDLES, real_candles
from tidegate.app.backtest import Backtest, BacktestPlan, BacktestResult
from tidegate.app.loading import differences
from tidegate.bots.model import BotConfig, EntryKind
from tidegate.domain.candles import Candle
from tidegate.domain.messages import (
    Message,
    OrderApproved,
    OrderDenied,
    OrderFilled,
    OrderSubmitted,
    TradeClosed,
    TransferPosted,
)
from tidegate.domain.money import ZERO
from tidegate.domain.orders import OrderPurpose
from tidegate.exchange.model import ExchangeSymbol
from tidegate.kit.ids import seeded_random
from tidegate.risk.model import Limits
from tidegate.strategies.sizing import SizingKind, SizingRule

MINUTE = 60_000_000
START = 1_700_000_040_000_000


def a_market(name: str = "BTC/USDT") -> ExchangeSymbol:
    base, _, quote = name.partition("/")
    return ExchangeSymbol(symbol=name, base=base, quote=quote, tick_size=Decimal("0.01"), lot_size=Decimal("0.00001"))


def a_bot(name: str = "cross", **changes: object) -> BotConfig:
    """Quick EMAs and near exits, so that a short tape has entries, stops and targets."""
    values: dict[str, object] = {
        "name": name,
        "symbol": "BTC/USDT",
        "timeframe": "1m",
        "strategy": "ema_cross",
        "parameters": {"fast": 5, "slow": 13},
        "stop_loss_pct": Decimal("0.4"),
        "take_profit_pct": Decimal("0.6"),
    }
    return BotConfig(**{**values, **changes})  # type: ignore[arg-type]


def a_walk(seed: int, bars: int, symbol: str = "BTC/USDT") -> Iterator[Candle]:
    """A seeded random walk of 1m candles, each opening where the last one closed."""
    chance = seeded_random(seed)
    price = Decimal(60_000)
    for number in range(bars):
        steps = [price + Decimal(round(chance.gauss(0, 60), 2)).quantize(Decimal("0.01")) for _ in range(4)]
        close = steps[-1]
        yield Candle(
            symbol, "1m", START + number * MINUTE, price, max([price, *steps]), min([price, *steps]), close, Decimal(1)
        )
        price = close


def run(plan: BacktestPlan, candles: Iterator[Candle] | list[Candle]) -> BacktestResult:
    return asyncio.run(Backtest(plan).run(candles))


def a_plan(**changes: object) -> BacktestPlan:
    values: dict[str, object] = {
        "symbols": [a_market()],
        "bots": [a_bot()],
        "balances": {"USDT": Decimal(10_000)},
    }
    return BacktestPlan(**{**values, **changes})  # type: ignore[arg-type]


def told(facts: list[Message], kind: type[Message]) -> list[Message]:
    return [fact for fact in facts if isinstance(fact, kind)]


def test_the_same_tape_gives_the_same_facts() -> None:
    first = run(a_plan(), a_walk(1, 1_500))
    second = run(a_plan(), a_walk(1, 1_500))
    assert first.facts == second.facts
    assert len(told(first.facts, OrderFilled)) >= 20


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("entry", list(EntryKind))
def test_the_books_sum_to_zero_and_equal_the_venue(seed: int, entry: EntryKind) -> None:
    backtest = Backtest(a_plan(bots=[a_bot(entry=entry)]))
    result = asyncio.run(backtest.run(a_walk(seed, 800)))
    units: Counter[str] = Counter()
    for balance in result.account.books.balances():
        units[balance.account.asset] += balance.units
    assert set(units.values()) == {0}
    assert differences(result.account, asyncio.run(backtest.venue.balances())) == []
    assert len(told(result.facts, OrderFilled)) > 0


def test_every_order_was_approved_and_every_fill_moved_value_in_the_same_story() -> None:
    facts = run(a_plan(), a_walk(2, 800)).facts
    approved = {fact.intent.key for fact in facts if isinstance(fact, OrderApproved)}
    submitted = {fact.intent.key for fact in facts if isinstance(fact, OrderSubmitted)}
    assert submitted == approved
    stories = {fact.trace_id for fact in facts if isinstance(fact, TransferPosted)}
    assert {fact.trace_id for fact in facts if isinstance(fact, OrderFilled)} <= stories


def test_stops_and_targets_close_round_trips_and_nothing_stays_naked() -> None:
    result = run(a_plan(bots=[a_bot(stop_loss_pct=Decimal("0.15"))]), a_walk(3, 2_000))
    reasons = Counter(fact.exit_reason for fact in result.facts if isinstance(fact, TradeClosed))
    assert reasons[OrderPurpose.STOP_LOSS.value] > 0
    assert reasons[OrderPurpose.TAKE_PROFIT.value] > 0
    for position in result.account.positions.running():
        live = result.account.live_orders_of(position)
        assert sum((each.open_quantity for each in live if each.is_protective), ZERO) > 0


def test_an_order_above_its_limit_is_denied_and_nothing_is_sent() -> None:
    result = run(a_plan(limits=Limits(order_notional_max=Decimal(100))), a_walk(1, 300))
    assert {fact.code for fact in result.facts if isinstance(fact, OrderDenied)} == {"risk.order_notional_above_max"}
    assert told(result.facts, OrderSubmitted) == []


def test_two_bots_share_one_account_and_its_money_is_spent_once() -> None:
    all_in = SizingRule(SizingKind.PERCENT, Decimal(100))
    bots = [a_bot("one", sizing=all_in), a_bot("two", sizing=all_in, parameters={"fast": 5, "slow": 14})]
    backtest = Backtest(a_plan(bots=bots))
    result = asyncio.run(backtest.run(a_walk(4, 800)))
    assert not result.account.books.is_overdrawn
    assert differences(result.account, asyncio.run(backtest.venue.balances())) == []


def test_longer_timeframes_are_merged_from_the_tape() -> None:
    facts = run(a_plan(bots=[a_bot(timeframe="5m")]), a_walk(5, 3_000)).facts
    entries = [fact for fact in told(facts, OrderSubmitted) if isinstance(fact, OrderSubmitted)]
    opened = [fact.occurred_at for fact in entries if fact.intent.purpose is OrderPurpose.ENTRY]
    assert opened
    assert {at % (5 * MINUTE) for at in opened} == {0}


@pytest.mark.slow
@pytest.mark.skipif(not CANDLES.is_dir(), reason="the real candles are not on this machine")
def test_a_month_of_three_real_symbols_is_the_same_twice_and_balances() -> None:
    names = ["BTC", "ETH", "SOL"]
    files = [Path(CANDLES / "binance_spot" / f"{name}USDT-1m-20260323-20260422.feather") for name in names]
    tape = real_candles(files)
    plan = a_plan(
        symbols=[a_market(f"{name}/USDT") for name in names],
        bots=[a_bot(name, symbol=f"{name}/USDT", parameters={"fast": 12, "slow": 26}) for name in names],
    )
    first, second = (run(plan, tape) for _ in range(2))
    assert first.facts == second.facts
    assert len(told(first.facts, TradeClosed)) > 100
