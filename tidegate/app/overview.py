"""What the page shows, read from the same readers as the API and turned into words."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tidegate.accounts.repository import VisibleAccounts
from tidegate.app.checks import FEED_AGE_S_MAX
from tidegate.app.health import HealthMonitor, Status
from tidegate.bots.model import Bot, BotState
from tidegate.bots.reading.repository import BotReader
from tidegate.domain.candles import Candle
from tidegate.domain.errors import TidegateError
from tidegate.domain.ids import TenantId
from tidegate.domain.money import plain
from tidegate.domain.orders import OrderStatus, Side
from tidegate.execution.reading.repository import OrderReader, OrderRow, Wanted
from tidegate.kit.clock import Clock, rfc3339
from tidegate.ledger.repository import LedgerReader
from tidegate.market.model import Series
from tidegate.market.reader import MarketReader, TickerNow
from tidegate.portfolio.service import PortfolioReader
from tidegate.risk.repository import RiskReader

ORDERS_MAX = 20
_BARS = 60
_BOTS_MAX = 50
_CURRENCY = "USDT"
_UNKNOWN = "—"
_CENT = Decimal("0.01")
Shown = dict[str, object]

_ORDER_TONES = {
    OrderStatus.FILLED: "good",
    OrderStatus.PARTIALLY_FILLED: "good",
    OrderStatus.REJECTED: "bad",
    OrderStatus.UNKNOWN: "wary",
}
_BOT_TONES = {BotState.RUNNING: "good", BotState.PAUSED: "wary", BotState.STOPPING: "wary", BotState.ERROR: "bad"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything of one tenant on one page."""

    accounts: VisibleAccounts
    portfolio: PortfolioReader
    ledger: LedgerReader
    market: MarketReader
    bots: BotReader
    orders: OrderReader
    risk: RiskReader
    health: HealthMonitor
    timeframe: str
    symbols: Sequence[str]
    clock: Clock

    async def of(self, tenant_id: TenantId) -> Shown:
        """The names that `overview.html` uses."""
        bots = await self.bots.bots(tenant_id, limit=_BOTS_MAX, cursor=None)
        orders = await self.orders.orders(tenant_id, Wanted(), limit=ORDERS_MAX)
        return {
            "accounts": await self._account_cards(tenant_id),
            "markets": [await self._market_card(symbol) for symbol in self.symbols],
            "bots": [await self._bot_line(tenant_id, bot) for bot in bots.items],
            "orders": [_order_line(order) for order in orders.items],
            "switches": [state.switch for state in await self.risk.states(tenant_id)],
            "health": self.health.status.value,
            "troubles": [each for each in self.health.components if each.status is not Status.OK],
            "now": _clock_time(self.clock.now_us()),
        }

    async def _account_cards(self, tenant_id: TenantId) -> list[Shown]:
        cards = []
        for account in await self.accounts.of_tenant(tenant_id):
            worth = await self.portfolio.portfolio(tenant_id, account.account_id, _CURRENCY)
            checks = await self.ledger.check_own(tenant_id, account.account_id)
            cards.append(
                {
                    "name": account.name,
                    "venue": account.venue,
                    "currency": _CURRENCY,
                    "equity": _money(worth.equity),
                    "realized_pnl": _signed(worth.realized_pnl),
                    "realized_tone": _tone(worth.realized_pnl),
                    "unrealized_pnl": _signed(worth.unrealized_pnl),
                    "unrealized_tone": _tone(worth.unrealized_pnl),
                    "is_balanced": all(line.is_balanced for line in checks),
                }
            )
        return cards

    async def _market_card(self, symbol: str) -> Shown:
        now = next(iter(self.market.tickers(symbol)), None)
        candles = await self._candles(symbol)
        price = now.ticker.last_price if now else None
        price = price if price is not None else (candles[-1].close if candles else None)
        change = now.ticker.change if now else None
        return {
            "symbol": symbol,
            "timeframe": self.timeframe,
            "price": _UNKNOWN if price is None else plain(price),
            "change": "" if change is None else f"{change * 100:+.2f} % in 24 h",
            "tone": _tone(change),
            "age": _age(now),
            "is_fresh": now is not None and now.age_s <= FEED_AGE_S_MAX,
            "bars": bars_of(candles),
            "label": f"The last {len(candles)} closed candles of {symbol}",
        }

    async def _candles(self, symbol: str) -> list[Candle]:
        try:
            page = await self.market.candles(Series(symbol, self.timeframe), limit=_BARS)
        except TidegateError:
            return []  # the venue is away or does not list it: health says so, the rest of the page stands
        return [candle for candle, _ in reversed(page.items)]

    async def _bot_line(self, tenant_id: TenantId, bot: Bot) -> Shown:
        last = (await self.bots.decisions(tenant_id, bot.bot_id, limit=1, cursor=None)).items
        config = bot.config
        return {
            "name": config.name,
            "state": bot.state.value,
            "tone": _BOT_TONES.get(bot.state, ""),
            "strategy": config.strategy,
            "symbol": config.symbol,
            "timeframe": config.timeframe,
            "verdict": last[0]["verdict"] if last else bot.reason,
        }


def bars_of(candles: Sequence[Candle]) -> list[Shown]:
    """Candles, oldest first, as shapes in a box of 600 × 100 whose top is the highest high."""
    if not candles:
        return []
    high, low = max(candle.high for candle in candles), min(candle.low for candle in candles)
    span = high - low or Decimal(1)
    width = 600 / max(len(candles), _BARS)

    def height_of(price: Decimal) -> float:
        return round(float((high - price) / span) * 100, 2)

    bars: list[Shown] = []
    for place, candle in enumerate(candles):
        top, bottom = height_of(max(candle.open, candle.close)), height_of(min(candle.open, candle.close))
        bars.append(
            {
                "tone": "u" if candle.close >= candle.open else "d",
                "middle": round((place + 0.5) * width, 2),
                "left": round((place + 0.18) * width, 2),
                "width": round(width * 0.64, 2),
                "high": height_of(candle.high),
                "low": height_of(candle.low),
                "top": top,
                "height": max(round(bottom - top, 2), 0.8),
            }
        )
    return bars


def _order_line(order: OrderRow) -> Shown:
    row, intent = order.row, order.intent
    status = OrderStatus(row["status"])
    price = intent.limit_price if intent.limit_price is not None else intent.stop_price
    if price is None and row["filled_quantity"]:
        price = (row["filled_notional"] / row["filled_quantity"]).quantize(_CENT)
    return {
        "time": _clock_time(row["submitted_at"])[len("2026-") :],
        "symbol": intent.symbol,
        "side": intent.side.value,
        "side_tone": "up" if intent.side is Side.BUY else "down",
        "type": intent.type.value.replace("_", " "),
        "quantity": plain(intent.quantity),
        "price": "market" if price is None else plain(price),
        "filled": plain(row["filled_quantity"]),
        "status": status.value.replace("_", " "),
        "tone": _ORDER_TONES.get(status, ""),
    }


def _clock_time(at: int) -> str:
    return rfc3339(at)[:19].replace("T", " ")


def _age(now: TickerNow | None) -> str:
    return "no data yet" if now is None else f"{now.age_s:.1f} s old"


def _money(value: Decimal | None) -> str:
    return _UNKNOWN if value is None else f"{value:,.2f}"


def _signed(value: Decimal | None) -> str:
    return _UNKNOWN if value is None else f"{value:+,.2f}"


def _tone(value: Decimal | None) -> str:
    if not value:
        return "soft"
    return "up" if value > 0 else "down"
