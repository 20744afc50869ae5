"""/api/v1/accounts: the caller's trading accounts."""

from typing import Annotated

from fastapi import APIRouter, Depends

from tidegate.accounts.repository import VisibleAccounts
from tidegate.accounts.schemas import AccountOut
from tidegate.domain.ids import AccountId
from tidegate.kit.http import CurrentCaller, Page, provided

router = APIRouter()
Reader = Annotated[VisibleAccounts, Depends(provided(VisibleAccounts))]


@router.get("")
async def list_accounts(caller: CurrentCaller, reader: Reader) -> Page[AccountOut]:
    """All of them, oldest first, on one page."""
    return Page(items=[AccountOut.model_validate(account) for account in await reader.of_tenant(caller.tenant_id)])


@router.get("/{account_id}")
async def get_account(caller: CurrentCaller, reader: Reader, account_id: str) -> AccountOut:
    """One account."""
    return AccountOut.model_validate(await reader.account(caller.tenant_id, AccountId(account_id)))
