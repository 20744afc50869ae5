"""/api/v1/portfolio: what the caller's accounts hold, have gained and are worth."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from tidegate.domain.ids import AccountId
from tidegate.kit.http import CurrentCaller, Page, provided
from tidegate.portfolio.schemas import PortfolioOut
from tidegate.portfolio.service import PortfolioReader

router = APIRouter()
Reader = Annotated[PortfolioReader, Depends(provided(PortfolioReader))]
Currency = Annotated[str, Query(pattern=r"^[A-Z0-9]{2,20}$", description="The asset everything is valued in.")]


@router.get("")
async def list_portfolios(caller: CurrentCaller, reader: Reader, currency: Currency = "USDT") -> Page[PortfolioOut]:
    """Every account of the caller, on one page."""
    found = await reader.portfolios(caller.tenant_id, currency)
    return Page(items=[PortfolioOut.model_validate(portfolio) for portfolio in found])


@router.get("/{account_id}")
async def get_portfolio(
    caller: CurrentCaller, reader: Reader, account_id: str, currency: Currency = "USDT"
) -> PortfolioOut:
    """One account."""
    return PortfolioOut.model_validate(await reader.portfolio(caller.tenant_id, AccountId(account_id), currency))
