"""An exchange of its own: Binance Spot's REST, streams and WebSocket API over the matching core, in its own process.

In: HTTP and WebSocket requests as Binance documents them; a tape: a generated market or a replay of recorded data.
Out: answers, market streams and account events to the field name, and a control API under /_control.
Promise: what was acknowledged is in the journal first and survives SIGKILL; ids are never used twice; the same
seed and the same requests at the same tape positions give the same fills.

Start in `server.py` (the process) and `world.py` (what it holds); `tape.py` says what a market is made of.
"""
