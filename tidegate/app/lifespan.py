"""Starting and stopping in order: what was started last is stopped first, and both orders are on record."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from tidegate.domain.errors import TidegateError

STOP_S = 5.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One thing that runs while the process serves; a task, a resource, or both."""

    name: str
    start: Callable[[], Awaitable[None]] | None = None
    run: Callable[[], Coroutine[None, None, None]] | None = None  # until it is cancelled
    stop: Callable[[], Awaitable[None]] | None = None
    is_essential: bool = True  # what is not may fail at the start and leaves the rest up


class Services:
    """Starts services in the order given; `started` and `stopped` record what happened."""

    def __init__(self, services: list[Service], on_failure: Callable[[], None] | None = None) -> None:
        self._services = services
        self._on_failure = on_failure
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.started: list[str] = []
        self.stopped: list[str] = []
        self.missing: dict[str, str] = {}  # services that are not essential and failed: name, reason

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything is up inside; whatever was started is stopped afterwards, also when a start fails."""
        try:
            for service in self._services:
                await self._start(service)
            yield
        finally:
            for service in reversed(self._services):
                if service.name in self.started:
                    await self._stop(service)

    async def _start(self, service: Service) -> None:
        try:
            if service.start is not None:
                await service.start()
        except (TidegateError, OSError) as error:
            if service.is_essential:
                raise
            self.missing[service.name] = str(error)
            _log.warning("service.missing", service=service.name, reason=str(error))
            return
        if service.run is not None:
            task = asyncio.create_task(service.run(), name=service.name)
            task.add_done_callback(lambda done: self._ended(service, done))
            self._tasks[service.name] = task
        self.started.append(service.name)
        _log.info("service.started", service=service.name)

    def _ended(self, service: Service, task: asyncio.Task[None]) -> None:
        """A task that ends by itself has failed: the role stops and is started again, knowing nothing wrong."""
        if task.cancelled():
            return
        reason = task.exception() or RuntimeError("it returned")
        _log.error("service.failed", service=service.name, exc_info=reason)
        self.missing[service.name] = str(reason)
        if service.is_essential and self._on_failure is not None:
            self._on_failure()

    async def _stop(self, service: Service) -> None:
        task = self._tasks.pop(service.name, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task], timeout=STOP_S)
        if service.stop is not None:
            await service.stop()
        self.stopped.append(service.name)
        _log.info("service.stopped", service=service.name)
