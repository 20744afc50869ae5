"""/api/v1/ledger: transfers, and whether the books add up."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from tidegate.domain.ids import AccountId, TransferId
from tidegate.kit.http import CurrentCaller, Page, provided
from tidegate.ledger.repository import LedgerReader, PostedTransfer
from tidegate.ledger.schemas import AssetCheckOut, TransferOut, TransferQuery

router = APIRouter()
Reader = Annotated[LedgerReader, Depends(provided(LedgerReader))]


@router.get("")
async def list_transfers(
    caller: CurrentCaller, reader: Reader, query: Annotated[TransferQuery, Query()]
) -> Page[TransferOut]:
    """Transfers of the caller's accounts, newest first."""
    found, cursor = await reader.transfers(caller.tenant_id, query.wanted(), limit=query.limit, cursor=query.cursor)
    return Page(items=[TransferOut.of(transfer) for transfer in found], next_cursor=cursor)


@router.get("/checks")
async def check_books(caller: CurrentCaller, reader: Reader, account_id: str) -> Page[AssetCheckOut]:
    """For each asset whether its ledger accounts sum to zero and equal the fold of all transfers."""
    lines = await reader.check_own(caller.tenant_id, AccountId(account_id))
    return Page(items=[AssetCheckOut.model_validate(line) for line in lines])


@router.get("/{transfer_id}", response_model=TransferOut)
async def get_transfer(caller: CurrentCaller, reader: Reader, transfer_id: str) -> TransferOut:
    """One transfer."""
    found: PostedTransfer = await reader.transfer(caller.tenant_id, TransferId(transfer_id))
    return TransferOut.of(found)
