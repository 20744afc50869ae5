"""A matching exchange without input, output or clock: accounts, orders, order lists, filters, fees, fill models.

In: requests (`OrderRequest`, `OcoRequest`, cancels, deposits) and market data (trades, books or candles), each with
its time in µs.
Out: events (`exchange.model.Event`) that carry the whole order, trade or balance after the change; a request that
breaks a rule raises `Refusal` and changes nothing.
Promise: the same calls give the same events; `ExchangeState.apply` alone changes what is owned and owed, so a front
that journals events and applies them to a new exchange continues with the same orders, balances and ids. Nothing is
created or lost: per asset accounts + fees + house = 0. Market data is not part of the journal: feed it again.
Orders of users meet the market only, never each other.

Start in `exchange.py` (the verbs); `model.py` has the words, `filters.py` the symbol rules, `admission.py` what is
refused, `settlement.py` what a fill moves, `candle_fills.py` and `book_fills.py` how orders find their price.
"""

from tidegate.exchange.exchange import Exchange
from tidegate.exchange.model import BookModel, CandleModel, ExchangeSymbol, OcoLeg, OcoRequest, OrderRequest, Refusal

__all__ = [
    "BookModel",
    "CandleModel",
    "Exchange",
    "ExchangeSymbol",
    "OcoLeg",
    "OcoRequest",
    "OrderRequest",
    "Refusal",
]
