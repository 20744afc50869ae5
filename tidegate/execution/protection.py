"""The positions of one account, and the orders that protect or close them."""

from collections.abc import Iterable
from decimal import Decimal

from tidegate.domain.ids import AccountId, IntentKey
from tidegate.domain.instruments import Instrument
from tidegate.domain.messages import OrderFilled, PositionChanged, TradeClosed
from tidegate.domain.money import ZERO
from tidegate.domain.orders import Direction, OrderIntent, OrderPurpose, OrderType, Side
from tidegate.execution.brackets import Close, Protect
from tidegate.execution.model import Order
from tidegate.execution.positions import Position, PositionKey

_RETRY_FIRST_US = 250_000
_RETRY_MAX_US = 10_000_000
_REFUSALS_MAX = 2  # a stop refused so often is replaced by the way out


class Positions:
    """Positions by bot and symbol; every fill changes one, some fills end a round trip."""

    def __init__(self, account_id: AccountId) -> None:
        self._account_id = account_id
        self._positions: dict[PositionKey, Position] = {}
        self._changed: dict[PositionKey, Position] = {}

    def restore(self, positions: Iterable[Position]) -> None:
        """Take over what an earlier life wrote."""
        for position in positions:
            self._positions[position.key] = position

    def get(self, key: PositionKey) -> Position:
        """The position, flat if there never was one."""
        position = self._positions.get(key)
        if position is None:
            position = self._positions[key] = Position(self._account_id, *key)
        return position

    def running(self) -> list[Position]:
        """Positions with a round trip under way."""
        return [position for position in self._positions.values() if position.trade_id is not None]

    def book(self, fill: OrderFilled, order: Order, instrument: Instrument) -> list[PositionChanged | TradeClosed]:
        """Add a fill to the position of its bot and symbol."""
        intent = order.intent
        position = self.get((intent.bot_id, intent.symbol))
        position.book(fill, instrument.base, instrument.quote)
        self._changed[position.key] = position
        if intent.purpose is OrderPurpose.ENTRY and intent.side is Side.BUY:
            # An entry without prices of its own adds to what is protected already.
            position.stop_loss_price = intent.stop_loss_price or position.stop_loss_price
            position.take_profit_price = intent.take_profit_price or position.take_profit_price
        elif intent.side is Side.SELL:
            position.exited_by = intent.purpose.value
        facts: list[PositionChanged | TradeClosed] = [_position_changed(position, fill)]
        if position.is_closed(instrument.lot_size):
            facts.append(_trade_closed(position, fill))
            position.reset()
        return facts

    def exit(self, position: Position, reason: str) -> None:
        """From now on the position is being closed; an empty reason takes that back."""
        if not (reason and position.exit_reason):
            position.exit_reason = reason
            self._changed[position.key] = position

    def unprotect(self, position: Position) -> None:
        """From now on nothing protects the position: a person said so."""
        position.stop_loss_price = position.take_profit_price = None
        self._changed[position.key] = position

    def refused(self, position: Position, detail: str, now: int, *, is_protective: bool) -> None:
        """Protection or a way out was refused: try again later, or go the way out."""
        self.postpone(position, now)
        if is_protective and position.refusal_count >= _REFUSALS_MAX and not position.exit_reason:
            position.exit_reason = f"protection refused: {detail}"[:200]
            position.retry_at = now
        self._changed[position.key] = position

    def postpone(self, position: Position, now: int) -> None:
        """Wait before the next try, longer after each refusal."""
        position.refusal_count += 1
        position.retry_at = now + min(_RETRY_FIRST_US << min(position.refusal_count, 10), _RETRY_MAX_US)
        self._changed[position.key] = position

    def accepted(self, position: Position) -> None:
        """The venue took a protective or closing order."""
        position.refusal_count = 0
        position.retry_at = 0
        self._changed[position.key] = position

    def protective_intents(self, position: Position, step: Protect) -> tuple[OrderIntent, OrderIntent | None]:
        """The stop, and the target if there is one, of a fresh bracket."""
        number = self._next_number(position)
        stop = self._reducing(position, f"stop:{number}", OrderPurpose.STOP_LOSS, step.quantity, step)
        if step.take_profit_price is None:
            return stop, None
        return stop, self._reducing(position, f"target:{number}", OrderPurpose.TAKE_PROFIT, step.quantity, step)

    def closing_intent(self, position: Position, step: Close) -> OrderIntent:
        """The market sale that ends a position."""
        number = self._next_number(position)
        return self._reducing(position, f"exit:{number}", OrderPurpose.EXIT, step.quantity, None)

    def take(self) -> list[Position]:
        """What is to be written, once."""
        taken, self._changed = list(self._changed.values()), {}
        return taken

    def _next_number(self, position: Position) -> int:
        position.protection_count += 1
        self._changed[position.key] = position
        return position.protection_count

    def _reducing(
        self, position: Position, label: str, purpose: OrderPurpose, quantity: Decimal, prices: Protect | None
    ) -> OrderIntent:
        assert position.trade_id is not None, "only a running round trip is protected or closed"
        is_target = purpose is OrderPurpose.TAKE_PROFIT
        is_stop = purpose is OrderPurpose.STOP_LOSS
        return OrderIntent(
            key=IntentKey(f"{position.trade_id}|{label}"),
            account_id=self._account_id,
            bot_id=position.bot_id,
            symbol=position.symbol,
            side=Side.SELL,
            type=OrderType.LIMIT if is_target else OrderType.STOP if is_stop else OrderType.MARKET,
            quantity=quantity,
            purpose=purpose,
            limit_price=prices.take_profit_price if prices and is_target else None,
            stop_price=prices.stop_price if prices and is_stop else None,
            reduce_only=True,
            parent_key=IntentKey(position.trade_id),
        )


def _position_changed(position: Position, fill: OrderFilled) -> PositionChanged:
    return PositionChanged(
        trace_id=fill.trace_id,
        occurred_at=fill.occurred_at,
        account_id=position.account_id,
        bot_id=position.bot_id,
        symbol=position.symbol,
        direction=position.direction,
        quantity=max(position.quantity, ZERO),
        entry_price=position.entry_price,
        realized_pnl=position.realized_pnl,
    )


def _trade_closed(position: Position, fill: OrderFilled) -> TradeClosed:
    assert position.trade_id is not None, "a round trip has an id"
    return TradeClosed(
        trace_id=fill.trace_id,
        occurred_at=fill.occurred_at,
        trade_key=position.trade_id,
        account_id=position.account_id,
        bot_id=position.bot_id,
        symbol=position.symbol,
        direction=Direction.LONG,
        quantity=position.entered_quantity,
        entry_price=position.entry_price,
        exit_price=position.exit_price,
        fees=position.fees,
        realized_pnl=position.realized_pnl,
        opened_at=position.opened_at,
        exit_reason=position.exit_reason or position.exited_by,
    )
