"""Averages and the window below them."""

import math

from tidegate.indicators.layout import State

WINDOW_HEAD = 3  # length, how many are in, slot of the oldest


def window_state(length: int) -> State:
    """Room for the last `length` values."""
    return [float(length), 0.0, 0.0, *([0.0] * length)]


def window_push(state: State, at: int, x: float) -> bool:
    """Put a value in, the oldest falls out; True once the window is full."""
    length = int(state[at])
    slot = int(state[at + 2])
    state[at + WINDOW_HEAD + slot] = x
    state[at + 2] = float((slot + 1) % length)
    if state[at + 1] < state[at]:
        state[at + 1] += 1.0
    return state[at + 1] >= state[at]


def window_value(state: State, at: int, age: int) -> float:
    """The value put in `age` pushes ago (0 = the last one); the window must hold it."""
    length = int(state[at])
    return state[at + WINDOW_HEAD + (int(state[at + 2]) - 1 - age) % length]


def window_sum(state: State, at: int) -> float:
    """The sum of a full window, added from the oldest to the newest value, so that only its content counts."""
    begin = at + WINDOW_HEAD
    oldest = begin + int(state[at + 2])
    total = 0.0
    for i in range(oldest, begin + int(state[at])):
        total += state[i]
    for i in range(begin, oldest):
        total += state[i]
    return total


def window_highest(state: State, at: int) -> float:
    """The largest value of a full window."""
    begin = at + WINDOW_HEAD
    highest = state[begin]
    for i in range(begin + 1, begin + int(state[at])):
        highest = max(highest, state[i])
    return highest


def window_lowest(state: State, at: int) -> float:
    """The smallest value of a full window."""
    begin = at + WINDOW_HEAD
    lowest = state[begin]
    for i in range(begin + 1, begin + int(state[at])):
        lowest = min(lowest, state[i])
    return lowest


def sma_state(length: int) -> State:
    """Simple moving average over `length` values."""
    return window_state(length)


def sma_step(state: State, at: int, x: float) -> float:
    """The mean of the last `length` values."""
    if math.isnan(x):
        return math.nan
    if not window_push(state, at, x):
        return math.nan
    return window_sum(state, at) / state[at]


def sma_first_valid(length: int) -> int:
    return length - 1


def ema_state(length: int) -> State:
    """Exponential moving average with α = 2 / (length + 1)."""
    return [2.0 / (length + 1), math.nan]


def ema_step(state: State, at: int, x: float) -> float:
    """Seeded with the first value, so valid at once; the seed weighs 2 % after 2 and 0.03 % after 4 lengths."""
    if math.isnan(x):
        return math.nan
    previous = state[at + 1]
    value = x if math.isnan(previous) else previous + state[at] * (x - previous)
    state[at + 1] = value
    return value


def ema_first_valid(length: int) -> int:
    return 0


def wilder_state(length: int) -> State:
    """Wilder's average, α = 1 / length."""
    return [float(length), 0.0, 0.0]


def wilder_step(state: State, at: int, x: float) -> float:
    """Seeded with the mean of the first `length` values."""
    if math.isnan(x):
        return math.nan
    length = state[at]
    if state[at + 1] < length:
        state[at + 1] += 1.0
        state[at + 2] += x
        if state[at + 1] < length:
            return math.nan
        state[at + 2] /= length
        return state[at + 2]
    state[at + 2] = (state[at + 2] * (length - 1.0) + x) / length
    return state[at + 2]


def wilder_first_valid(length: int) -> int:
    return length - 1


def cross_state() -> State:
    """The side on which a difference was last seen."""
    return [0.0]


def cross_step(state: State, at: int, difference: float) -> float:
    """1 when the difference turns positive, -1 when it turns negative, else 0; a touch of 0 is no crossing."""
    if math.isnan(difference) or difference == 0.0:
        return 0.0
    side = 1.0 if difference > 0.0 else -1.0
    previous = state[at]
    state[at] = side
    return side if previous == -side else 0.0
