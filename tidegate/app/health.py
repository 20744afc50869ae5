"""Whether everything that Tidegate needs answers: asked all the time, told at once.

`/healthz` says that this process lives, `/readyz` that it can serve, `/api/v1/health` what each component is like.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict

from tidegate.domain.errors import TidegateError
from tidegate.kit.clock import Clock
from tidegate.kit.http import CurrentCaller, Moment, provided
from tidegate.kit.metrics import CONTENT_TYPE, exposition

PERIOD_S = 2.0
CHECK_S = 3.0  # a component that has not answered by then is down
_log = structlog.get_logger(__name__)


class Status(StrEnum):
    """From good to bad."""

    OK = "ok"
    DEGRADED = "degraded"  # something is missing, the rest works
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Condition:
    """What a check found."""

    status: Status
    detail: str = ""
    age_s: float | None = None  # of what the component last said, where that means something


@dataclass(frozen=True, slots=True)
class Component:
    """One component as it was found last."""

    name: str
    status: Status
    detail: str
    age_s: float | None
    since: int  # µs, wall time at which it turned to this status


Check = Callable[[], Awaitable[Mapping[str, Condition]]]
"""Asks one thing and names one or several components; an error of ours that it raises means down."""


class HealthMonitor:
    """Asks every check every other second; what is essential decides whether this process is ready."""

    def __init__(self, checks: Mapping[str, Check], *, essential: Sequence[str], clock: Clock) -> None:
        self._checks = checks
        self._essential = frozenset(essential)
        self._clock = clock
        self._components: dict[str, Component] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(PERIOD_S)

    async def look(self) -> None:
        """Ask all at once."""
        # A group, not `gather`: when this is cancelled, no question may stay behind on a connection.
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(self._ask(name, check)) for name, check in self._checks.items()]
        conditions = {name: condition for each in asked for name, condition in each.result().items()}
        self._components = {name: self._component(name, conditions[name]) for name in sorted(conditions)}

    @property
    def components(self) -> list[Component]:
        """By name; empty before the first look."""
        return list(self._components.values())

    @property
    def status(self) -> Status:
        """The whole: down without an essential component, degraded without any other."""
        if not self.is_ready:
            return Status.DOWN
        is_whole = all(component.status is Status.OK for component in self._components.values())
        return Status.OK if is_whole else Status.DEGRADED

    @property
    def is_ready(self) -> bool:
        """Whether every essential component answers."""
        return all(
            name in self._components and self._components[name].status is not Status.DOWN for name in self._essential
        )

    async def _ask(self, name: str, check: Check) -> Mapping[str, Condition]:
        try:
            async with asyncio.timeout(CHECK_S):
                return await check()
        except TimeoutError:
            return {name: Condition(Status.DOWN, f"no answer within {CHECK_S:g} s")}
        except (TidegateError, OSError) as error:
            return {name: Condition(Status.DOWN, str(error))}

    def _component(self, name: str, condition: Condition) -> Component:
        before = self._components.get(name)
        is_same = before is not None and before.status is condition.status
        since = before.since if before is not None and is_same else self._clock.now_us()
        if before is not None and not is_same:
            tell = _log.info if condition.status is Status.OK else _log.warning
            tell("health.changed", component=name, status=condition.status.value, detail=condition.detail)
        return Component(name, condition.status, condition.detail, condition.age_s, since)


class StatusOut(BaseModel):
    """One word."""

    status: Status


class ComponentOut(BaseModel):
    """One component; `age_s` is null where nothing ages."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    status: Status
    detail: str
    age_s: float | None
    since: Moment


class HealthOut(BaseModel):
    """The whole and its parts."""

    status: Status
    components: list[ComponentOut]


router = APIRouter()
Monitor = Annotated[HealthMonitor, Depends(provided(HealthMonitor))]


@router.get("/healthz", tags=["health"])
async def get_liveness() -> StatusOut:
    """This process answers."""
    return StatusOut(status=Status.OK)


@router.get("/readyz", tags=["health"], responses={503: {"model": StatusOut, "description": "Not yet, or not now."}})
async def get_readiness(monitor: Monitor, response: Response) -> StatusOut:
    """200 while every essential component answers, else 503."""
    response.status_code = 200 if monitor.is_ready else 503
    return StatusOut(status=monitor.status)


@router.get("/api/v1/health", tags=["health"])
async def get_health(monitor: Monitor) -> HealthOut:
    """Every component, by name."""
    components = [ComponentOut.model_validate(component) for component in monitor.components]
    return HealthOut(status=monitor.status, components=components)


@router.get("/metrics", tags=["health"], response_class=Response)
async def get_metrics(_: CurrentCaller) -> Response:
    """Prometheus' text format."""
    return Response(exposition(), media_type=CONTENT_TYPE)
