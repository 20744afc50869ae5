"""Stage 3: which strategy runs on which account and symbol, and its life.

In: signals, commands (start, pause, stop, force exit), what the account holds.
Out: proposals (a new order, the withdrawal of an entry, the exit of a position) and, for every bar, why or why not.
Promise: a bot proposes and nothing more; a bot that fails is set to error and harms no other.
"""
