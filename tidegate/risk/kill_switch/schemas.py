"""What the switch takes and answers."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class SwitchIn(BaseModel):
    """Every account when `account_id` is left out; `flatten` also closes what is open."""

    model_config = ConfigDict(extra="forbid")

    account_id: Annotated[str, Field(max_length=36)] | None = None
    is_on: bool
    flatten: bool = False
    reason: Annotated[str, Field(max_length=200)] = "by hand"


class ThrownOut(BaseModel):
    """One account; `is_decided` is false while its engine has not answered."""

    model_config = ConfigDict(from_attributes=True)

    account_id: str
    is_decided: bool
