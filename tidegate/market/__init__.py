"""Stage 1: what the market did, in candles that never change without saying so.

In: a venue's market stream and its REST history (`domain.ports.MarketSource`), candle files.
Out: `CandleClosed`, `QuoteChanged`, `TradePrinted`, `GapRepaired` and `TapeAdvanced`, to the engine or to the streams
`market:{SYMBOL}:{tf}`, `quotes:{SYMBOL}`, `trades:{SYMBOL}` and `market:tape`; candles, tickers and books for pages.
Promise: a killed socket, a gap, a duplicate and a late candle end in the same candles as an undisturbed run; a candle
that corrects another carries a higher revision; a longer candle follows the shorter one that closed it.
"""
