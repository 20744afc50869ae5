"""/api/v1/setup: the first owner."""

from typing import Annotated

from fastapi import APIRouter, Depends

from tidegate.accounts.schemas import SetupIn, SetupState, UserOut
from tidegate.accounts.service import Accounts
from tidegate.kit.http import provided

router = APIRouter()
Service = Annotated[Accounts, Depends(provided(Accounts))]


@router.get("")
async def get_setup(accounts: Service) -> SetupState:
    """Whether the first owner is still missing."""
    return SetupState(is_needed=await accounts.needs_setup())


@router.post("", status_code=201)
async def create_first_owner(accounts: Service, body: SetupIn) -> UserOut:
    """Make the first owner with the one-time token."""
    return UserOut.model_validate(await accounts.set_up(body.token, body.email, body.password.get_secret_value()))
