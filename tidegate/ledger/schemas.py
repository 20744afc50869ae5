"""The ledger as HTTP shows it: decimals as strings, times in RFC 3339."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tidegate.domain.ids import AccountId, TraceId
from tidegate.kit.http import DecimalText, Moment
from tidegate.ledger.model import TransferKind
from tidegate.ledger.repository import PostedTransfer, TransferFilter

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TransferQuery(BaseModel):
    """Which transfers are wanted; a name that is not listed is refused."""

    model_config = ConfigDict(extra="forbid")

    account_id: str | None = None
    asset: str | None = None
    kind: TransferKind | None = None
    hold_key: str | None = None
    trace_id: str | None = None
    since: Annotated[AwareDatetime | None, Field(description="Inclusive, market time.")] = None
    until: Annotated[AwareDatetime | None, Field(description="Exclusive, market time.")] = None
    limit: Annotated[int, Field(ge=1, le=500, description="How many items at most.")] = 100
    cursor: Annotated[str | None, Field(max_length=200, description="`next_cursor` of the page before.")] = None

    def wanted(self) -> TransferFilter:
        """The filter in the ledger's own types."""
        return TransferFilter(
            account_id=None if self.account_id is None else AccountId(self.account_id),
            asset=self.asset,
            kind=self.kind,
            hold_key=self.hold_key,
            trace_id=None if self.trace_id is None else TraceId(self.trace_id),
            first_at=_micros(self.since),
            end_at=_micros(self.until),
        )


class TransferOut(BaseModel):
    """Value that moved from `credit` to `debit`, ledger accounts written `free:USDT`."""

    id: str
    account_id: str
    key: str
    debit: str
    credit: str
    asset: str
    quantity: DecimalText
    kind: TransferKind
    hold_key: str | None
    fill_id: str | None
    reason: str
    occurred_at: Moment
    trace_id: str

    @classmethod
    def of(cls, posted: PostedTransfer) -> "TransferOut":
        """The transfer flattened."""
        transfer = posted.transfer
        return cls(
            id=transfer.id,
            account_id=posted.account_id,
            key=transfer.key,
            debit=str(transfer.debit),
            credit=str(transfer.credit),
            asset=transfer.money.asset,
            quantity=transfer.money.quantity,
            kind=transfer.kind,
            hold_key=transfer.hold_key,
            fill_id=transfer.fill_id,
            reason=transfer.reason,
            occurred_at=transfer.at,
            trace_id=posted.trace_id,
        )


class BalanceOut(BaseModel):
    """What one account holds of one asset."""

    model_config = ConfigDict(from_attributes=True)

    account_id: str
    asset: str
    free: DecimalText
    held: DecimalText
    total: DecimalText


class AssetCheckOut(BaseModel):
    """`sum` and `drift` are 0 in books that add up; `venue` and `difference` are null when the venue was not asked."""

    model_config = ConfigDict(from_attributes=True)

    asset: str
    sum: DecimalText
    drift: DecimalText
    ours: DecimalText
    venue: DecimalText | None
    difference: DecimalText | None
    is_balanced: bool


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)
