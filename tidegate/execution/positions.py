"""A position as the sum of its fills, net of fees taken in base, and the round trip it closes."""

from dataclasses import dataclass
from decimal import Decimal

from tidegate.domain.ids import AccountId, BotId, TradeId
from tidegate.domain.messages import OrderFilled
from tidegate.domain.money import ZERO, round_to
from tidegate.domain.orders import Direction, Side

_AVERAGE_STEP = Decimal("1e-12")  # averages end somewhere; sums stay exact
PositionKey = tuple[BotId | None, str]  # bot (None: orders by hand) and symbol


@dataclass(slots=True)
class Position:
    """What one bot, or a person by hand, holds of one symbol; long only on spot."""

    account_id: AccountId
    bot_id: BotId | None
    symbol: str
    quantity: Decimal = ZERO  # base, net of fees taken in base
    trade_id: TradeId | None = None  # the running round trip
    opened_at: int = 0  # µs
    entered_quantity: Decimal = ZERO  # base, gross, of the running round trip
    entered_notional: Decimal = ZERO  # quote
    exited_quantity: Decimal = ZERO
    exited_notional: Decimal = ZERO
    fees: Decimal = ZERO  # quote, at fill prices; fees in a third asset count in the ledger alone
    quote_fees: Decimal = ZERO  # the part of them that was taken in quote
    stop_loss_price: Decimal | None = None
    take_profit_price: Decimal | None = None
    exit_reason: str = ""  # not empty: the position is being closed
    exited_by: str = ""  # the purpose of the last order that sold
    protection_count: int = 0  # numbers the protective and closing intents of this round trip
    refusal_count: int = 0  # of protective and closing orders in a row
    retry_at: int = 0  # µs, wall time before which a refused protective or closing order is not tried again

    @property
    def key(self) -> PositionKey:
        return (self.bot_id, self.symbol)

    @property
    def direction(self) -> Direction:
        return Direction.LONG if self.quantity > 0 else Direction.FLAT

    @property
    def entry_price(self) -> Decimal:
        """Average price paid per base of the running round trip; 0 when there is none."""
        return _average(self.entered_notional, self.entered_quantity)

    @property
    def exit_price(self) -> Decimal:
        """Average price received per base so far; 0 before the first exit."""
        return _average(self.exited_notional, self.exited_quantity)

    @property
    def realized_pnl(self) -> Decimal:
        """Quote won or lost on what was sold, fees taken in quote included (fees in base lower what can be sold)."""
        return self.exited_notional - self._cost_of_exited() - self.quote_fees

    def unrealized_pnl(self, mark_price: Decimal) -> Decimal:
        """Quote that selling all at the mark would add, before the fee of that sale."""
        return self.quantity * mark_price - (self.entered_notional - self._cost_of_exited())

    def book(self, fill: OrderFilled, base: str, quote: str) -> None:
        """Add one fill; a fee taken in base lowers the quantity, a sale of what no entry bought is no position."""
        if fill.side is Side.SELL and self.trade_id is None:
            return
        if fill.side is Side.BUY:
            if self.trade_id is None:
                self._open(fill)
            self.entered_quantity += fill.quantity
            self.entered_notional += fill.quantity * fill.price
            self.quantity += fill.quantity
        else:
            self.exited_quantity += fill.quantity
            self.exited_notional += fill.quantity * fill.price
            self.quantity -= fill.quantity
        if fill.fee.asset == base:
            self.quantity -= fill.fee.quantity
            self.fees += fill.fee.quantity * fill.price
        elif fill.fee.asset == quote:
            self.fees += fill.fee.quantity
            self.quote_fees += fill.fee.quantity

    def is_closed(self, lot_size: Decimal) -> bool:
        """Whether a round trip ran and what is left is less than one lot, which nobody could sell."""
        return self.trade_id is not None and self.quantity < lot_size and self.exited_quantity > 0

    def reset(self) -> None:
        """Begin anew after a round trip; dust stays in the ledger and is no position."""
        blank = Position(account_id=self.account_id, bot_id=self.bot_id, symbol=self.symbol)
        for name in self.__slots__:
            setattr(self, name, getattr(blank, name))

    def _cost_of_exited(self) -> Decimal:
        return _average(self.entered_notional * self.exited_quantity, self.exited_quantity + self.quantity)

    def _open(self, fill: OrderFilled) -> None:
        # One entry may open two round trips: its first part may be sold before the rest fills.
        self.trade_id = TradeId(f"{fill.intent_key}:{fill.fill_id.rpartition(':')[2]}")
        self.opened_at = fill.occurred_at


def _average(notional: Decimal, quantity: Decimal) -> Decimal:
    return round_to(notional / quantity, _AVERAGE_STEP) if quantity else ZERO
