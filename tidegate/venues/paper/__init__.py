"""Paper trading: the matching exchange in this process, behind the same port as every real venue.

In: tickets, and market data that moves the fills. Out: the answers and reports of a venue.
Promise: what differs from live is the venue and nothing else; the backtest uses it under a manual clock.
"""
