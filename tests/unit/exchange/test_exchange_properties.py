"""Whatever is asked and whatever the market does: nothing is created, lost, overdrawn or filled too far."""

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.exchange.floor import ANN, BTC, MINUTE, START, D, a_symbol, bar, play
from tidegate.domain.ids import AccountId
from tidegate.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from tidegate.exchange import BookModel, CandleModel, Exchange, OcoLeg, OcoRequest, OrderRequest, Refusal
from tidegate.exchange.exchange import replay
from tidegate.exchange.model import Deposited, Event, Events, FeeOption, Traded

ACCOUNTS = (ANN, AccountId("bob"))
Step = Callable[[Exchange, int], Events]

prices = st.integers(9_500, 10_500).map(lambda ticks: D(ticks) / 100)
prices_above = st.integers(10_001, 10_300).map(lambda ticks: D(ticks) / 100)
prices_below = st.integers(9_700, 9_999).map(lambda ticks: D(ticks) / 100)
quantities = st.integers(1, 4_000).map(lambda lots: D(lots) / 1_000)
sides = st.sampled_from(Side)
accounts = st.sampled_from(ACCOUNTS)
client_ids = st.sampled_from([f"id{number}" for number in range(8)])


@st.composite
def order_steps(draw: st.DrawFn) -> Step:
    kind = draw(st.sampled_from(OrderType))
    is_limit = kind in {OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT}
    by_quote = kind is OrderType.MARKET and draw(st.booleans())
    request = OrderRequest(
        account_id=draw(accounts),
        symbol=BTC,
        client_order_id=draw(client_ids),
        side=draw(sides),
        type=kind,
        quantity=None if by_quote else draw(quantities),
        quote_quantity=draw(prices) * 10 if by_quote else None,
        limit_price=draw(prices) if is_limit else None,
        stop_price=None if kind in {OrderType.MARKET, OrderType.LIMIT} else draw(prices),
        time_in_force=draw(st.sampled_from(TimeInForce)) if is_limit else TimeInForce.GTC,
        post_only=kind is OrderType.LIMIT and draw(st.booleans()),
    )
    return lambda exchange, at: exchange.place(request, at)


@st.composite
def oco_steps(draw: st.DrawFn) -> Step:
    side, name = draw(sides), draw(client_ids)
    good, bad = (prices_above, prices_below) if side is Side.SELL else (prices_below, prices_above)
    limit = OcoLeg(client_order_id=f"{name}-limit", type=OrderType.LIMIT, limit_price=draw(good))
    stop_limit = draw(st.none() | prices)
    stop = OcoLeg(
        client_order_id=f"{name}-stop",
        type=OrderType.STOP if stop_limit is None else OrderType.STOP_LIMIT,
        stop_price=draw(bad),
        limit_price=stop_limit,
    )
    above, below = (limit, stop) if side is Side.SELL else (stop, limit)
    request = OcoRequest(
        account_id=draw(accounts),
        symbol=BTC,
        list_client_id=name,
        side=side,
        quantity=draw(quantities),
        above=above,
        below=below,
    )
    return lambda exchange, at: exchange.place_oco(request, at)


@st.composite
def cancel_steps(draw: st.DrawFn) -> Step:
    account, order_id = draw(accounts), draw(st.integers(1, 12))
    if draw(st.booleans()):
        return lambda exchange, at: exchange.cancel(account, BTC, order_id=order_id, at=at)
    return lambda exchange, at: exchange.cancel_all(account, BTC, at=at)


@st.composite
def trade_steps(draw: st.DrawFn) -> Step:
    price, quantity, is_buyer_maker = draw(prices), draw(quantities), draw(st.booleans())
    return lambda exchange, at: exchange.on_trade(BTC, price, quantity, is_buyer_maker=is_buyer_maker, at=at)


@st.composite
def book_steps(draw: st.DrawFn) -> Step:
    middle = draw(prices)
    depth = draw(st.lists(quantities, max_size=4))
    bids = [(middle - D(number + 1) / 4, quantity) for number, quantity in enumerate(depth)]
    asks = [(middle + D(number + 1) / 4, quantity) for number, quantity in enumerate(depth)]
    return lambda exchange, at: exchange.on_book(BTC, bids, asks, at)


@st.composite
def bar_steps(draw: st.DrawFn) -> Step:
    open_, close, *others = draw(st.lists(prices, min_size=4, max_size=4))
    high, low = max(open_, close, *others), min(open_, close, *others)
    return lambda exchange, at: play(exchange, bar((at - START) // MINUTE, open_, high, low, close))


requests = st.one_of(order_steps(), order_steps(), oco_steps(), cancel_steps())
book_stories = st.lists(st.one_of(requests, trade_steps(), book_steps()), min_size=12, max_size=30)
candle_stories = st.lists(st.one_of(requests, bar_steps()), min_size=12, max_size=30)


def new_exchange(model: CandleModel | BookModel) -> Exchange:
    symbol = a_symbol(maker_fee_rate=D("0.0007"), taker_fee_rate=D("0.0011"))
    return Exchange([symbol], model, fee_option=FeeOption("BNB", D("0.25"), price=D(500)))


def run(model: CandleModel | BookModel, first: list[Step], story: list[Step]) -> tuple[Exchange, list[Event]]:
    """Play a story, a minute a step; check the books after every step."""
    exchange = new_exchange(model)
    journal: list[Event] = []
    for account in ACCOUNTS:
        for asset, quantity in (("USDT", D(2_000)), ("BTC", D(20)), ("BNB", D("0.002"))):
            journal += exchange.deposit(account, asset, quantity, START)
    for number, step in enumerate([*first, *story]):
        before = len(journal)
        try:
            journal += step(exchange, START + number * MINUTE)
        except Refusal:
            assert len(journal) == before
        check_books(exchange)
    check_journal(exchange, journal)
    return exchange, journal


def check_books(exchange: Exchange) -> None:
    state = exchange.state
    total: dict[str, Decimal] = defaultdict(Decimal)
    for asset, quantity in [*state.house.items(), *state.fees.items()]:
        total[asset] += quantity
    for account in ACCOUNTS:
        for balance in state.balances_of(account):
            assert balance.free >= 0
            total[balance.asset] += balance.free + balance.locked
        assert locks(exchange, account) == {asset: state.balance(account, asset).locked for asset in ("USDT", "BTC")}
    assert not any(total.values())
    for order in state.orders[BTC].values():
        assert order.filled_quantity <= order.quantity
        assert order.quote_quantity is None or order.side is Side.SELL or order.filled_notional <= order.quote_quantity
        assert order.is_open or order.reserved == 0
        assert (order.status is OrderStatus.FILLED) <= (order.leaves == 0)


def locks(exchange: Exchange, account: AccountId) -> dict[str, Decimal]:
    """What the open orders need, a list once."""
    needs: dict[tuple[str, int], Decimal] = {}
    for order in exchange.state.open_orders(account, BTC):
        asset = "USDT" if order.side is Side.BUY else "BTC"
        key = (asset, order.list_id or -order.order_id)
        needs[key] = max(needs.get(key, D(0)), order.reserved)
        if order.limit_price is not None and order.list_id is None:
            assert order.reserved == order.leaves * (order.limit_price if order.side is Side.BUY else 1)
    return {asset: sum((need for (of, _), need in needs.items() if of == asset), D(0)) for asset in ("USDT", "BTC")}


def check_journal(exchange: Exchange, journal: list[Event]) -> None:
    """Balances are the sum of deposits and trades, and no id was given twice."""
    expected: dict[tuple[AccountId, str], Decimal] = defaultdict(Decimal)
    trade_ids: list[int] = []
    for event in journal:
        if isinstance(event, Deposited):
            expected[event.account_id, event.asset] += event.quantity
        elif isinstance(event, Traded):
            trade = event.trade
            sign = 1 if trade.side is Side.BUY else -1
            expected[trade.account_id, "BTC"] += sign * trade.quantity
            expected[trade.account_id, "USDT"] -= sign * trade.price * trade.quantity
            expected[trade.account_id, trade.fee_asset] -= trade.fee
            trade_ids.append(trade.trade_id)
            assert event.order.limit_price is None or (event.order.limit_price - trade.price) * sign >= 0
    assert trade_ids == sorted(set(trade_ids))
    for (account, asset), quantity in expected.items():
        balance = exchange.state.balance(account, asset)
        assert balance.free + balance.locked == quantity


def check_replay(model: CandleModel | BookModel, exchange: Exchange, journal: list[Event]) -> None:
    again = new_exchange(model)
    replay(again, journal)
    assert vars(again.state) == vars(exchange.state)


@settings(max_examples=150, deadline=None)
@given(story=book_stories, latency_us=st.sampled_from([0, 90_000_000]))
def test_the_books_hold_and_the_journal_replays_to_them_with_the_book_model(story: list[Step], latency_us: int) -> None:
    model = BookModel(latency_us)
    first: list[Step] = [
        lambda exchange, at: exchange.on_book(BTC, [(D(99), D(20))], [(D(101), D(20))], at),
        lambda exchange, at: exchange.on_trade(BTC, D(100), D(1), is_buyer_maker=True, at=at),
    ]
    check_replay(model, *run(model, first, story))


@settings(max_examples=150, deadline=None)
@given(story=candle_stories)
def test_the_books_hold_and_the_journal_replays_to_them_with_the_candle_model(story: list[Step]) -> None:
    model = CandleModel()
    first: list[Step] = [lambda exchange, at: play(exchange, bar(0, 100, 101, 99, 100))]
    check_replay(model, *run(model, first, story))


@pytest.mark.parametrize("cut", [3, 9, 15])
def test_a_replayed_exchange_continues_with_ids_that_were_never_used(cut: int) -> None:
    exchange, journal = run(CandleModel(), [], [])
    exchange.on_candle(bar(0, 100, 101, 99, 100))
    for number in range(cut):
        request = OrderRequest(
            account_id=ANN,
            symbol=BTC,
            client_order_id=f"id{number}",
            side=Side.SELL,
            type=OrderType.MARKET,
            quantity=D(1),
        )
        journal += exchange.place(request, START)
        journal += exchange.on_open(BTC, D(100), START + number * MINUTE)
    again = new_exchange(CandleModel())
    replay(again, journal)
    assert again.state.next_order_id[BTC] == cut + 1
    assert again.state.next_trade_id[BTC] == cut + 1
