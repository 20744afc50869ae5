"""/api/v1/api-keys: keys for programs."""

from typing import Annotated

from fastapi import APIRouter, Depends

from tidegate.accounts.schemas import KeyIn, KeyOut, NewKeyOut
from tidegate.accounts.service import ApiKeys
from tidegate.kit.http import CurrentCaller, Page, provided

router = APIRouter()
Service = Annotated[ApiKeys, Depends(provided(ApiKeys))]


@router.get("")
async def list_api_keys(caller: CurrentCaller, keys: Service) -> Page[KeyOut]:
    """The tenant's keys, newest first, on one page."""
    return Page(items=[KeyOut.model_validate(key) for key in await keys.of_tenant(caller)])


@router.post("", status_code=201)
async def create_api_key(caller: CurrentCaller, keys: Service, body: KeyIn) -> NewKeyOut:
    """A new key; its secret is in this answer and nowhere else."""
    key, secret = await keys.create(caller, body.name, body.scope)
    return NewKeyOut(key_id=key.key_id, name=key.name, scope=key.scope, created_at=key.created_at, secret=secret)


@router.delete("/{key_id}", status_code=204)
async def revoke_api_key(caller: CurrentCaller, keys: Service, key_id: str) -> None:
    """End a key."""
    await keys.revoke(caller, key_id)
