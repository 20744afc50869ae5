"""/api/v1/tokens: access tokens for programs that act for a person."""

from typing import Annotated

from fastapi import APIRouter, Depends

from tidegate.accounts.schemas import LoginIn, TokenOut
from tidegate.accounts.service import Accounts
from tidegate.kit.http import provided

router = APIRouter()


@router.post("", status_code=201)
async def create_token(accounts: Annotated[Accounts, Depends(provided(Accounts))], body: LoginIn) -> TokenOut:
    """A bearer token for ten minutes."""
    user = await accounts.log_in(body.email, body.password.get_secret_value())
    token, expires_in_s = accounts.access_token(user)
    return TokenOut(access_token=token, expires_in_s=expires_in_s)
