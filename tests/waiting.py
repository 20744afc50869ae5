"""Waiting for a real process or socket: a condition is polled until it holds or the deadline has passed."""

import asyncio
import time
from collections.abc import Callable

POLL_S = 0.01


class DeadlinePassed(AssertionError):
    """What was waited for did not happen in time."""


def wait_until(condition: Callable[[], bool], *, what: str, deadline_s: float = 10.0) -> None:
    """Poll from plain code; raises DeadlinePassed naming `what`."""
    ends = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > ends:
            raise DeadlinePassed(f"{what}: not within {deadline_s} s")
        time.sleep(POLL_S)


async def eventually(condition: Callable[[], bool], *, what: str, deadline_s: float = 10.0) -> None:
    """Poll from a coroutine, so that the loop goes on meanwhile; raises DeadlinePassed naming `what`."""
    ends = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > ends:
            raise DeadlinePassed(f"{what}: not within {deadline_s} s")
        await asyncio.sleep(POLL_S)
