"""How states lie in one flat row of floats, and the bar that steps read."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

State = list[float]
Input = TypeVar("Input")
Output = TypeVar("Output")


class Bar(NamedTuple):
    """One closed bar as floats; `opened_at` is µs since the epoch, exact in a float until the year 2255."""

    opened_at: float
    open: float
    high: float
    low: float
    close: float
    volume: float


def joined(own: State, *parts: State) -> State:
    """A composite state: the offset of each part, then the composite's own floats, then the parts."""
    offset = len(parts) + len(own)
    offsets: State = []
    for part in parts:
        offsets.append(float(offset))
        offset += len(part)
    row = offsets + own
    for part in parts:
        row += part
    return row


def part(state: State, at: int, index: int) -> int:
    """Where part `index` of the composite at `at` begins in the row."""
    return at + int(state[at + index])


def batch(step: Callable[[State, int, Input], Output], state: State, inputs: Iterable[Input]) -> list[Output]:
    """The values of all bars, oldest first: the same step in a loop, so the same bits as bar by bar."""
    return [step(state, 0, one) for one in inputs]
