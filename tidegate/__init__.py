"""Tidegate: the market is the tide, and nothing passes the gate that the rules do not let through.

The stages, in the order in which a candle becomes a line in the ledger:

    market       1  venue streams in; candles, books and mark prices out
    signals      2  strategies look at closed candles; armed, disarmed and triggered out
    bots         3  which strategy trades on which account and symbols, and its life; proposals out
    risk         4  limits and the kill switch; approved or denied out
    execution    5  the life of orders, brackets and positions at the venue; fills out
    ledger       6  double entry: every fill, fee and transfer
    portfolio    7  holdings, lots, realized and unrealized P&L, equity

    accounts        beside the pipeline: who may do what
    venues          all that is particular to one exchange
    app             settings, wiring, engine, roles, API, CLI: the only room that knows all others
"""
