"""The only place that draws ids, tokens and random numbers."""

import random
import secrets
import uuid
from typing import Protocol

from tidegate.domain.ids import TraceId
from tidegate.kit.clock import Clock, SystemClock

_STEPS_PER_MS = 4096  # the 12 bits after the milliseconds count their fractions
_TAIL_BITS = 62


class Ids(Protocol):
    """Where an entity's id comes from; engines and tests are handed one."""

    def draw(self) -> str:
        """A UUIDv7 as text, greater than every one drawn before from the same source."""
        ...


class SystemIds:
    """Wall time and 62 random bits; ids of one source sort in the order in which they were drawn."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._last_step = 0

    def draw(self) -> str:
        step = self._clock.now_us() * _STEPS_PER_MS // 1_000
        self._last_step = max(step, self._last_step + 1)
        return _uuid7(self._last_step, secrets.randbits(_TAIL_BITS))


class SeededIds:
    """The same seed draws the same ids, for tests and replays."""

    def __init__(self, seed: int) -> None:
        self._random = seeded_random(seed)
        self._step = 0

    def draw(self) -> str:
        self._step += 1
        return _uuid7(self._step, self._random.getrandbits(_TAIL_BITS))


_system_ids = SystemIds()
_system_random = random.SystemRandom()


def new_id() -> str:
    """A UUIDv7 from this machine's clock, for entities without an id of their own."""
    return _system_ids.draw()


def new_trace_id() -> TraceId:
    """The id of a new story: what follows from one stimulus carries it."""
    return TraceId(_system_ids.draw())


def seeded_random(seed: int) -> random.Random:
    """A generator of its own: the same seed, the same numbers; never for secrets."""
    return random.Random(seed)


def chance() -> float:
    """From 0 to 1, for jitter and nothing whose result anybody compares."""
    return _system_random.random()


def secret_token(bytes_: int = 32) -> str:
    """Unguessable and URL-safe, with so many bytes of entropy."""
    return secrets.token_urlsafe(bytes_)


def _uuid7(step: int, tail: int) -> str:
    milliseconds, fraction = divmod(step, _STEPS_PER_MS)
    bits = milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << _TAIL_BITS | tail
    return str(uuid.UUID(int=bits))
