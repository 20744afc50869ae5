"""/api/v1/risk: limits in force, how much of them is used, and the kill switches."""

from typing import Annotated

from fastapi import APIRouter, Depends

from tidegate.domain.ids import AccountId
from tidegate.kit.http import CurrentCaller, Page, provided
from tidegate.risk.repository import RiskReader
from tidegate.risk.schemas import RiskOut

router = APIRouter()
Reader = Annotated[RiskReader, Depends(provided(RiskReader))]


@router.get("")
async def list_risk(caller: CurrentCaller, reader: Reader) -> Page[RiskOut]:
    """Every account of the caller, on one page."""
    return Page(items=[RiskOut.model_validate(state) for state in await reader.states(caller.tenant_id)])


@router.get("/{account_id}")
async def get_risk(caller: CurrentCaller, reader: Reader, account_id: str) -> RiskOut:
    """One account."""
    return RiskOut.model_validate(await reader.state(caller.tenant_id, AccountId(account_id)))
