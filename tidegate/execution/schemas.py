"""Orders, fills, round trips and positions as HTTP shows and takes them."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from tidegate.domain.ids import AccountId
from tidegate.domain.instruments import parse_symbol
from tidegate.domain.money import decimal_of
from tidegate.domain.orders import Direction, OrderPurpose, OrderStatus, OrderType, Side, TimeInForce
from tidegate.execution.desk import HandOrder
from tidegate.execution.positions import Position
from tidegate.execution.reading.repository import OrderRow, OrderStory, Wanted
from tidegate.kit.db import Row
from tidegate.kit.http import DecimalText, Moment

Symbol = Annotated[str, AfterValidator(parse_symbol), Field(max_length=32, description="BTC/USDT or BTC-USDT")]
Id = Annotated[str, Field(max_length=200)]


def _exact(value: object, about: ValidationInfo) -> object:
    if isinstance(value, float):
        raise ValueError("must be written as a decimal string, because a float has lost digits")
    return decimal_of(value, about.field_name or "value") if isinstance(value, str | int) else value


Positive = Annotated[Decimal, BeforeValidator(_exact), Field(gt=0, max_digits=38, decimal_places=18)]


class _Query(BaseModel):
    model_config = ConfigDict(extra="forbid")

    account_id: Id | None = None
    symbol: Symbol | None = None
    bot_id: Id | None = None
    limit: Annotated[int, Field(ge=1, le=500, description="How many items at most.")] = 100
    cursor: Annotated[str | None, Field(max_length=300, description="`next_cursor` of the page before.")] = None

    def wanted(self) -> Wanted:
        """The filter in the words of execution."""
        given = self.model_dump(exclude={"limit", "cursor"}, mode="json")
        return Wanted(**given)


class TradeQuery(_Query):
    """Which round trips."""

    trace_id: Id | None = None


class FillQuery(_Query):
    """Which fills."""

    trace_id: Id | None = None
    side: Side | None = None
    client_order_id: Id | None = None


class OrderQuery(_Query):
    """Which orders."""

    trace_id: Id | None = None
    side: Side | None = None
    status: OrderStatus | None = None


class PositionQuery(BaseModel):
    """Which positions; all of them fit one page."""

    model_config = ConfigDict(extra="forbid")

    account_id: Id | None = None
    symbol: Symbol | None = None
    bot_id: Id | None = None


class OrderIn(BaseModel):
    """An order by hand; prices and quantities are decimal strings."""

    model_config = ConfigDict(extra="forbid")

    account_id: Id | None = None
    symbol: Symbol
    side: Side
    type: OrderType
    quantity: Positive
    limit_price: Positive | None = None
    stop_price: Positive | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reduce_only: bool = False
    stop_loss_price: Positive | None = None
    take_profit_price: Positive | None = None

    def wanted(self) -> HandOrder:
        """The same in the words of execution."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return HandOrder(**given | {"account_id": AccountId(self.account_id) if self.account_id else None})


class PlacementOut(BaseModel):
    """`is_decided` is false while no engine has answered: ask for the order by its id."""

    client_order_id: str
    is_decided: bool


class CancelOut(BaseModel):
    """Whether an engine has taken the wish up; the order is over when its status says so."""

    client_order_id: str
    is_decided: bool


class OrderOut(BaseModel):
    """One order; `status` is one of the public states."""

    client_order_id: str
    venue_order_id: str | None
    account_id: str
    bot_id: str | None
    symbol: str
    side: Side
    type: OrderType
    purpose: OrderPurpose
    status: OrderStatus
    quantity: DecimalText
    limit_price: DecimalText | None
    stop_price: DecimalText | None
    filled_quantity: DecimalText
    filled_notional: DecimalText
    average_price: DecimalText | None
    time_in_force: TimeInForce
    post_only: bool
    reduce_only: bool
    stop_loss_price: DecimalText | None
    take_profit_price: DecimalText | None
    intent_key: str
    attempt: int
    detail: str
    submitted_at: Moment
    trace_id: str

    @classmethod
    def of(cls, order: OrderRow) -> "OrderOut":
        """Row and intent as one."""
        return cls(**_order_fields(order))


class OrderStateOut(BaseModel):
    """One step of an order's life and who told it."""

    model_config = ConfigDict(from_attributes=True)

    sequence: int
    status: OrderStatus
    changed_at: Moment
    source: str


class FillOut(BaseModel):
    """One execution."""

    fill_id: str
    account_id: str
    client_order_id: str
    bot_id: str | None
    symbol: str
    side: Side
    quantity: DecimalText
    price: DecimalText
    fee: DecimalText
    fee_asset: str
    is_maker: bool
    filled_at: Moment
    trace_id: str


class OrderDetailOut(OrderOut):
    """One order with every state it was in and its fills, oldest first."""

    states: list[OrderStateOut]
    fills: list[FillOut]

    @classmethod
    def told(cls, story: OrderStory) -> "OrderDetailOut":
        """The whole story."""
        return cls(
            **_order_fields(story.order),
            states=[OrderStateOut(**_named(OrderStateOut, row)) for row in story.states],
            fills=[fill_out(row) for row in story.fills],
        )


class TradeOut(BaseModel):
    """A round trip; `realized_pnl` is in quote, after fees."""

    trade_id: str
    account_id: str
    bot_id: str | None
    symbol: str
    direction: Direction
    quantity: DecimalText
    entry_price: DecimalText
    exit_price: DecimalText
    fees: DecimalText
    realized_pnl: DecimalText
    opened_at: Moment
    closed_at: Moment
    exit_reason: str
    trace_id: str


class PositionOut(BaseModel):
    """A position that is not flat; `realized_pnl` is that of the running round trip."""

    model_config = ConfigDict(from_attributes=True)

    account_id: str
    bot_id: str | None
    symbol: str
    direction: Direction
    quantity: DecimalText
    entry_price: DecimalText
    realized_pnl: DecimalText
    stop_loss_price: DecimalText | None
    take_profit_price: DecimalText | None
    trade_id: str
    opened_at: Moment


def fill_out(row: Row) -> FillOut:
    """A row of fills."""
    return FillOut(**_named(FillOut, row))


def trade_out(row: Row) -> TradeOut:
    """A row of round trips."""
    return TradeOut(**_named(TradeOut, row))


def position_out(position: Position) -> PositionOut:
    """A running position."""
    return PositionOut.model_validate(position)


def _order_fields(order: OrderRow) -> dict[str, Any]:
    intent, row = order.intent, order.row
    filled, notional = row["filled_quantity"], row["filled_notional"]
    names = OrderOut.model_fields
    from_intent = {name: getattr(intent, name) for name in names if hasattr(intent, name)}
    from_row = {name: row[name] for name in names if name in row}
    return from_intent | from_row | {"average_price": notional / filled if filled else None}


def _named(model: type[BaseModel], row: Row) -> dict[str, Any]:
    return {name: row[name] for name in model.model_fields}
