"""Risk as HTTP shows it: decimals as strings, times in RFC 3339, null for what is not set or not known."""

from pydantic import BaseModel, ConfigDict

from tidegate.kit.http import DecimalText, Moment


class LimitsOut(BaseModel):
    """The tightest of platform and account; null sets no limit."""

    model_config = ConfigDict(from_attributes=True)

    order_notional_max: DecimalText | None
    position_notional_max: DecimalText | None
    open_orders_max: int | None
    price_collar_bps: DecimalText | None
    data_age_ms_max: int | None
    daily_loss_max: DecimalText | None


class SwitchOut(BaseModel):
    """The kill switch; `set_at` is null while nobody has ever set it."""

    model_config = ConfigDict(from_attributes=True)

    is_on: bool
    reason: str
    set_at: Moment | None


class UsageOut(BaseModel):
    """One limit that fills up; `share` is a fraction of `bound`, null when `used` is not known."""

    model_config = ConfigDict(from_attributes=True)

    limit: str
    used: DecimalText | None
    bound: DecimalText
    share: DecimalText | None


class RiskOut(BaseModel):
    """Limits in force, their use, and the switch of one account."""

    model_config = ConfigDict(from_attributes=True)

    account_id: str
    limits: LimitsOut
    switch: SwitchOut
    usage: list[UsageOut]
