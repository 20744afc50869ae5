"""/api/v1/kill-switch: lock or free entries; `/api/v1/risk` shows the state."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from tidegate.domain.ids import AccountId
from tidegate.kit.http import CurrentCaller, Page, provided
from tidegate.risk.kill_switch.desk import KillSwitch, Wish
from tidegate.risk.kill_switch.schemas import SwitchIn, ThrownOut

router = APIRouter()


@router.post("")
async def set_kill_switch(
    caller: CurrentCaller,
    switch: Annotated[KillSwitch, Depends(provided(KillSwitch))],
    response: Response,
    body: SwitchIn,
) -> Page[ThrownOut]:
    """200 when every account has obeyed, else 202."""
    wish = Wish(is_on=body.is_on, flatten=body.flatten, reason=body.reason)
    thrown = await switch.throw(caller.tenant_id, AccountId(body.account_id) if body.account_id else None, wish)
    response.status_code = 200 if all(each.is_decided for each in thrown) else 202
    return Page(items=[ThrownOut.model_validate(each) for each in thrown])
