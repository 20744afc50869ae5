"""Stage 7: what an account holds, what it cost, what it has gained and what it is worth.

In: balances, fills, positions and mark prices, read through ports. Out: one portfolio per account.
Promise: everything is a fold that gives the same totals when folded again; a price that is missing is unknown and never
zero, and every total that lacks one says that it is partial.
"""
