"""The portfolio as HTTP shows it: decimals as strings, null for what is not known."""

from pydantic import BaseModel, ConfigDict

from tidegate.domain.orders import Direction
from tidegate.kit.http import DecimalText


class MoneyOut(BaseModel):
    """So much of one asset."""

    model_config = ConfigDict(from_attributes=True)

    quantity: DecimalText
    asset: str


class HoldingOut(BaseModel):
    """One asset; `cost` and `unrealized_pnl` are those of what was bought here, in the portfolio's currency."""

    model_config = ConfigDict(from_attributes=True)

    asset: str
    free: DecimalText
    held: DecimalText
    mark_price: DecimalText | None
    mark_age_ms: int | None
    value: DecimalText | None
    cost: DecimalText | None
    quantity_without_cost: DecimalText
    unrealized_pnl: DecimalText | None


class PositionOut(BaseModel):
    """One position in its quote asset, before the fee of closing it."""

    model_config = ConfigDict(from_attributes=True)

    bot_id: str | None
    symbol: str
    direction: Direction
    quantity: DecimalText
    entry_price: DecimalText
    realized_pnl: DecimalText
    mark_price: DecimalText | None
    mark_age_ms: int | None
    unrealized_pnl: DecimalText | None


class PortfolioOut(BaseModel):
    """One account; where `is_partial` is true, the lists say what the totals leave out."""

    model_config = ConfigDict(from_attributes=True)

    account_id: str
    currency: str
    equity: DecimalText | None
    realized_pnl: DecimalText
    unrealized_pnl: DecimalText | None
    is_partial: bool
    unpriced_assets: list[str]
    unvalued_quotes: list[str]
    missing_basis: list[MoneyOut]
    unpriced_fees: list[MoneyOut]
    holdings: list[HoldingOut]
    positions: list[PositionOut]
