"""/api/v1/balances: what is free and what is held."""

from typing import Annotated

from fastapi import APIRouter, Depends

from tidegate.domain.ids import AccountId
from tidegate.kit.http import CurrentCaller, Page, provided
from tidegate.ledger.repository import LedgerReader
from tidegate.ledger.schemas import BalanceOut

router = APIRouter()


@router.get("")
async def list_balances(
    caller: CurrentCaller,
    reader: Annotated[LedgerReader, Depends(provided(LedgerReader))],
    account_id: str | None = None,
) -> Page[BalanceOut]:
    """Every asset of the caller's accounts that is not zero, on one page."""
    found = await reader.balances(caller.tenant_id, AccountId(account_id) if account_id else None)
    return Page(items=[BalanceOut.model_validate(balance) for balance in found])
