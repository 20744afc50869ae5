"""What bots and risk may know of an account when they decide; unknown stays None."""

from decimal import Decimal

from tidegate.app.account import Account
from tidegate.bots.model import Bot, LegView
from tidegate.domain.money import ZERO
from tidegate.domain.orders import OrderIntent, OrderPurpose, Side
from tidegate.execution.orders import open_quantity
from tidegate.risk.model import RiskView

_BPS = Decimal(10_000)
HOLD_MARGIN = 1 + Decimal(100) / _BPS  # a market buy may cost so much more than the mark; the rest comes back


def leg_view(account: Account, bot: Bot) -> LegView:
    """What a bot may know of its symbol."""
    symbol = bot.config.symbol
    instrument = account.around.instruments.get(symbol)
    position = account.positions.get((bot.bot_id, symbol))
    entries = [
        order.client_order_id
        for order in account.live_orders_of(position)
        if order.intent.purpose is OrderPurpose.ENTRY
    ]
    return LegView(
        instrument=instrument,
        position_quantity=position.quantity,
        is_exiting=bool(position.exit_reason),
        entry_order_ids=tuple(entries),
        equity=None if instrument is None else equity(account, instrument.quote),
        available=ZERO if instrument is None else account.books.free(instrument.quote) / HOLD_MARGIN,
    )


def risk_view(account: Account, intent: OrderIntent) -> RiskView:
    """What the limits are compared with; an order whose outcome is unknown counts as filled."""
    symbol, live, marks = intent.symbol, account.execution.orders.live(), account.around.marks
    entries = [order for order in live if order.intent.symbol == symbol and order.intent.purpose is OrderPurpose.ENTRY]
    return RiskView(
        limits=account.around.limits.in_force(account.account_id, intent.bot_id),
        is_kill_switch_on=account.switch.is_on,
        data_age_ms=marks.age_ms(symbol, account.wall_now),
        mark_price=marks.price(symbol),
        position_quantity=_held_quantity(account, intent),
        pending_buy_quantity=open_quantity(entries, Side.BUY),
        pending_sell_quantity=open_quantity(entries, Side.SELL),
        open_orders=len(live),
        daily_pnl=day_pnl(account),
    )


def equity(account: Account, quote: str) -> Decimal | None:
    """What the account holds of known worth, in quote; None while the price of a running position is missing."""
    total = ZERO
    traded = {position.symbol for position in account.positions.running()}
    for asset in {balance.account.asset for balance in account.books.balances()}:
        quantity = account.books.free(asset) + account.books.held(asset)
        if asset == quote:
            total += quantity
        elif quantity and f"{asset}/{quote}" in account.around.instruments:
            mark = account.around.marks.price(f"{asset}/{quote}")
            if mark is not None:
                total += quantity * mark
            elif f"{asset}/{quote}" in traded:
                return None
    return total


def day_pnl(account: Account) -> Decimal | None:
    """Quote won or lost since the start of the UTC day: closed round trips, and what open ones show."""
    total = account.realized_by_day.get(account.day, ZERO)
    for position in account.positions.running():
        mark = account.around.marks.price(position.symbol)
        if mark is None:
            return None
        total += position.realized_pnl + position.unrealized_pnl(mark)
    return total


def _held_quantity(account: Account, intent: OrderIntent) -> Decimal:
    """What an order may reduce: the position of its own bot, or of orders by hand; else all of the symbol."""
    if intent.reduce_only:
        return account.positions.get((intent.bot_id, intent.symbol)).quantity
    return sum(
        (position.quantity for position in account.positions.running() if position.symbol == intent.symbol), ZERO
    )
