"""What the stages' pages ask of each other, filled: market, execution and accounts meet here and nowhere else."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from tidegate.bots.reading.repository import BotReader
from tidegate.bots.schemas import BotOut
from tidegate.domain.ids import AccountId, TenantId
from tidegate.domain.instruments import split_symbol
from tidegate.domain.money import ZERO, Money
from tidegate.domain.orders import Side
from tidegate.execution.reading.repository import FillReader, OrderReader, PositionReader, TradeReader, Wanted
from tidegate.execution.schemas import OrderOut, fill_out, position_out
from tidegate.kit.clock import Clock
from tidegate.market.model import Series
from tidegate.market.reader import MarketReader
from tidegate.market.schemas import candle_view, print_view, ticker_view
from tidegate.measures.pnl import Execution
from tidegate.portfolio.ports import Mark, OpenPosition
from tidegate.risk.ports import Exposure
from tidegate.risk.repository import RiskReader
from tidegate.risk.schemas import RiskOut
from tidegate.signals.recent import SignalFilter, SignalReader
from tidegate.signals.schemas import signal_view

_SNAPSHOT_MAX = 100
_PRINTS_MAX = 50


class MarketMarks:
    """Mid of the best bid and ask, else the last price: the same rule as the engine's."""

    def __init__(self, market: MarketReader, clock: Clock) -> None:
        self._market = market
        self._clock = clock

    async def mark(self, symbol: str) -> Mark | None:
        """None while nothing is known of the symbol."""
        for now in self._market.tickers(symbol):
            ticker = now.ticker
            bid, ask = ticker.bid_price, ticker.ask_price
            price = (bid + ask) / 2 if bid is not None and ask is not None else ticker.last_price
            return None if price is None else Mark(price, int(now.age_s * 1_000))
        return None

    def market_now(self) -> int:
        """The newest market time that any feed told (µs), so that a replay's orders carry the replay's time."""
        heard = [now.ticker.changed_at for now in self._market.tickers()]
        return max(heard, default=0) or self._clock.now_us()


class PortfolioTrading:
    """Execution as the portfolio reads it."""

    def __init__(self, positions: PositionReader, fills: FillReader) -> None:
        self._positions = positions
        self._fills = fills

    async def open_positions(self, account_id: AccountId) -> Sequence[OpenPosition]:
        """As of the last commit."""
        return [
            OpenPosition(
                bot_id=position.bot_id,
                symbol=position.symbol,
                direction=position.direction,
                quantity=position.quantity,
                entry_price=position.entry_price,
                realized_pnl=position.realized_pnl,
            )
            for position in await self._positions.of_account(account_id)
        ]

    async def executions(self, account_id: AccountId) -> Sequence[Execution]:
        """Every fill, in the order of the market."""
        found = []
        for fill in await self._fills.all_of(account_id):
            base, quote = split_symbol(fill["symbol"])
            found.append(
                Execution(
                    base=base,
                    quote=quote,
                    side=Side(fill["side"]),
                    quantity=fill["quantity"],
                    price=fill["price"],
                    fee=Money(fill["fee"], fill["fee_asset"]),
                    filled_at=fill["filled_at"],
                )
            )
        return found


class AccountExposures:
    """How much of its limits an account uses; a position without a price makes the sum unknown."""

    def __init__(
        self, *, orders: OrderReader, positions: PositionReader, trades: TradeReader, marks: MarketMarks
    ) -> None:
        self._orders = orders
        self._positions = positions
        self._trades = trades
        self._marks = marks

    async def exposure(self, account_id: AccountId) -> Exposure:
        """As of the last commit, at the prices of now."""
        running = await self._positions.of_account(account_id)
        notional: dict[str, Decimal] = {}
        daily_pnl = await self._trades.realized_on(account_id, self._marks.market_now())
        is_known = True
        for position in running:
            mark = await self._marks.mark(position.symbol)
            if mark is None:
                is_known = False
                continue
            notional[position.symbol] = notional.get(position.symbol, ZERO) + position.quantity * mark.price
            daily_pnl += position.realized_pnl + position.unrealized_pnl(mark.price)
        return Exposure(
            open_orders=await self._orders.live_count(account_id),
            position_notional=max(notional.values(), default=ZERO) if is_known else None,
            daily_pnl=daily_pnl if is_known else None,
        )


class ScreenSnapshots:
    """The state in which a screen begins, with the same views as the REST resources."""

    def __init__(
        self,
        *,
        market: MarketReader,
        signals: SignalReader,
        orders: OrderReader,
        fills: FillReader,
        positions: PositionReader,
        bots: BotReader,
        risk: RiskReader,
    ) -> None:
        self._market = market
        self._signals = signals
        self._orders = orders
        self._fills = fills
        self._positions = positions
        self._bots = bots
        self._risk = risk

    async def market(self, kind: str, symbol: str, timeframe: str | None) -> object:
        """Of a public channel: candles and signals newest first."""
        if kind == "ticker":
            return self.ticker(symbol)
        if kind == "trades":
            return self.trades(symbol)
        assert timeframe is not None, "candles and signals have a timeframe"
        if kind == "signals":
            wanted = SignalFilter(symbol, timeframe, with_bars=False)
            heard, _ = await self._signals.recent(wanted, limit=_SNAPSHOT_MAX, cursor=None)
            return [signal_view(one).model_dump(mode="json") for one in heard]
        page = await self._market.candles(Series(symbol, timeframe), limit=_SNAPSHOT_MAX)
        return [candle_view(candle, trace_id).model_dump(mode="json") for candle, trace_id in page.items]

    def ticker(self, symbol: str) -> object | None:
        """Where the symbol stands, without the age that changes by itself."""
        for now in self._market.tickers(symbol):
            return ticker_view(now).model_dump(mode="json", exclude={"feed_age_ms"})
        return None

    def trades(self, symbol: str) -> Sequence[Mapping[str, object]]:
        """The newest prints, newest first."""
        page = self._market.prints_page(symbol, limit=_PRINTS_MAX)
        return [print_view(trade).model_dump(mode="json") for trade in page.items]

    async def private(self, channel: str, tenant_id: TenantId) -> object:
        """Of a private channel: the newest hundred, or all where there are few."""
        match channel:
            case "orders":
                found = await self._orders.orders(tenant_id, Wanted(), limit=_SNAPSHOT_MAX)
                return [OrderOut.of(order).model_dump(mode="json") for order in found.items]
            case "fills":
                rows = await self._fills.fills(tenant_id, Wanted(), limit=_SNAPSHOT_MAX)
                return [fill_out(row).model_dump(mode="json") for row in rows.items]
            case "positions":
                running = await self._positions.positions(tenant_id, Wanted())
                return [position_out(position).model_dump(mode="json") for position in running]
            case "bots":
                page = await self._bots.bots(tenant_id, limit=_SNAPSHOT_MAX, cursor=None)
                return [BotOut.of(bot).model_dump(mode="json") for bot in page.items]
            case _:
                states = await self._risk.states(tenant_id)
                return [RiskOut.model_validate(state).model_dump(mode="json") for state in states]
