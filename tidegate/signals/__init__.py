"""Stage 2: signals.

In: closed candles (`CandleClosed`), and which strategies on which symbols and timeframes somebody wants.
Out: `SignalArmed`, `SignalDisarmed`, `SignalTriggered`; last of each bar `BarEvaluated`: its numbers and the reason.
Promise: never on an open candle; each wanted signal is computed once however many bots use it; the same candles give
the same signals; a corrected candle is noted and not traded again; after a gap nothing is signalled until warm again.
"""
