"""Numbers in, numbers out: each indicator written once, as a state and a step.

The state is one flat, mutable row of floats (`list[float]` here); the step takes it, the offset at which it begins and
the numbers of one closed bar, changes it in place and returns the value of that bar:

    state = ema_state(12)
    for bar in bars:
        value = ema_step(state, 0, bar.close)

An indicator made of others keeps their states behind its own numbers in the same row (`layout.joined`) and hands each
part its offset. Steps stay inside the numba subset (floats, named tuples, loops; no slices, no objects, sums over
windows from the oldest to the newest value), so a compiler can run the same functions over a whole file, with an array
in place of the list, and the bits stay the same.

Closed bars only. A value that does not exist yet is `nan`; a `nan` put in leaves the state as it was. Each output says
in `..._first_valid` at which bar, counted from 0, its first number appears.
"""
