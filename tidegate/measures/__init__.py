"""Lots and profit and loss: one set of formulas for all who report. Decimals in, decimals out; no I/O.

In: executions and mark prices. Out: cost basis, realized and unrealized results.
Promise: folding the same executions again gives the same totals, and what cannot be known is flagged, never 0.
"""
