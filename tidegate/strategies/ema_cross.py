"""EMA cross: follow a change of direction, unless the move has run too far already.

Enter when EMA(fast) crosses above EMA(slow) while RSI stays below its bound; leave when it crosses below. Shorts
mirror. It wins in long, straight moves. It loses in a market without direction, where every crossing is undone a few
bars later and each round trip costs two fees and the spread, and it always gives back the last part of a move.
"""

from dataclasses import dataclass
from typing import Annotated

from tidegate.domain.errors import Invalid
from tidegate.domain.orders import Side
from tidegate.indicators.averages import cross_state, cross_step, ema_state, ema_step
from tidegate.indicators.layout import Bar
from tidegate.indicators.oscillators import rsi_first_valid, rsi_state, rsi_step
from tidegate.indicators.trend import atr_first_valid, atr_state, atr_step
from tidegate.strategies.parameters import Parameter
from tidegate.strategies.protocol import Assessment
from tidegate.strategies.regime_filter import RegimeFilter, WantedRegime

LOSES_WHEN = (
    "The market has no direction: crossings are undone within a few bars, "
    "and each round trip costs two fees and the spread."
)


@dataclass(frozen=True, slots=True)
class EmaCrossParameters:
    fast: Annotated[int, Parameter("bars of the fast EMA; below slow", 2, 500)] = 12
    slow: Annotated[int, Parameter("bars of the slow EMA", 3, 1_000)] = 26
    rsi_length: Annotated[int, Parameter("bars of Wilder's RSI", 2, 200)] = 14
    rsi_bound: Annotated[float, Parameter("no long entry at or above this RSI (shorts: 100 less it)", 1, 100)] = 70.0
    stop_atr: Annotated[float, Parameter("advised stop, in ATR(14) from the entry; 0 advises none", 0, 50)] = 2.0
    target_atr: Annotated[float, Parameter("advised take-profit, in ATR(14) from the entry; 0 none", 0, 100)] = 4.0
    regime: Annotated[WantedRegime, Parameter("in which market it may enter")] = WantedRegime.ANY

    def __post_init__(self) -> None:
        if self.fast >= self.slow:
            raise Invalid(
                f"fast of ema_cross must be below slow, but {self.fast} is not below {self.slow}.",
                code="strategies.parameter_invalid",
            )


class EmaCross:
    """The strategy of this file on one symbol and timeframe."""

    def __init__(self, parameters: EmaCrossParameters, bar_us: int) -> None:
        self._parameters = parameters
        self._fast = ema_state(parameters.fast)
        self._slow = ema_state(parameters.slow)
        self._rsi = rsi_state(parameters.rsi_length)
        self._atr = atr_state()
        self._cross = cross_state()
        self._regime = RegimeFilter(parameters.regime, bar_us)
        self._bars_seen = 0

    @property
    def warm_up_bars(self) -> int:
        first = max(rsi_first_valid(self._parameters.rsi_length), atr_first_valid())
        return max(self._parameters.slow, first + 1, self._regime.warm_up_bars)

    @property
    def settling_bars(self) -> int:
        return max(4 * self._parameters.slow, 10 * self._parameters.rsi_length, 10 * 14, self.warm_up_bars)

    def assess(self, bar: Bar) -> Assessment:
        """A crossing is the set-up; the RSI and the EMAs' order confirm it, on this bar or a later one."""
        wanted = self._parameters
        fast = ema_step(self._fast, 0, bar.close)
        slow = ema_step(self._slow, 0, bar.close)
        rsi = rsi_step(self._rsi, 0, bar.close)
        atr = atr_step(self._atr, 0, bar)
        crossed = cross_step(self._cross, 0, fast - slow)
        values = {"ema_fast": fast, "ema_slow": slow, "rsi": rsi, "atr": atr}
        veto = self._regime.veto(bar, values)
        self._bars_seen += 1
        setup = confirms = None
        if crossed:
            setup = Side.BUY if crossed > 0 else Side.SELL
        if fast > slow and rsi < wanted.rsi_bound:
            confirms = Side.BUY
        elif fast < slow and rsi > 100.0 - wanted.rsi_bound:
            confirms = Side.SELL
        where = "above" if fast > slow else "below"
        return Assessment(
            note=f"no crossing: EMA({wanted.fast}) stays {where} EMA({wanted.slow}), RSI is {rsi:.1f}",
            values=values,
            is_ready=self._bars_seen >= self.warm_up_bars,
            setup=setup,
            confirms=confirms,
            leaves=setup.opposite if setup else None,
            veto=veto,
            atr=atr,
            pullback_price=fast,
            stop_distance=wanted.stop_atr * atr,
            target_distance=wanted.target_atr * atr,
        )
