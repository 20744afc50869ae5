"""Quantum Cipher: buy exhaustion. A green dot (the wave crosses up while oversold) enters, a red dot leaves.

It wins in a market that swings. It loses in a strong trend against it: the wave stays oversold while price falls on,
and every small rise draws another green dot. The regime filter `range` or `calm` leaves out most of those, and some
winners.
"""

from dataclasses import dataclass
from typing import Annotated

from tidegate.domain.orders import Side
from tidegate.indicators.averages import ema_state, ema_step
from tidegate.indicators.layout import Bar
from tidegate.indicators.quantum_cipher import cipher_state, cipher_step
from tidegate.indicators.trend import atr_first_valid, atr_state, atr_step
from tidegate.strategies.parameters import Parameter
from tidegate.strategies.protocol import Assessment
from tidegate.strategies.regime_filter import RegimeFilter, WantedRegime

LOSES_WHEN = (
    "A strong trend runs against it: the wave stays oversold while price falls on, "
    "and every small rise draws a green dot."
)
_SETTLED_BARS = 250


@dataclass(frozen=True, slots=True)
class QuantumCipherParameters:
    channel: Annotated[int, Parameter("bars of the wave's channel", 2, 200)] = 9
    average: Annotated[int, Parameter("bars that smooth the wave", 2, 200)] = 12
    signal: Annotated[int, Parameter("bars of the signal line", 2, 50)] = 3
    oversold: Annotated[float, Parameter("a green dot needs the signal line at or below this", -100, 0)] = -53.0
    overbought: Annotated[float, Parameter("a red dot needs the signal line at or above this", 0, 100)] = 53.0
    stop_atr: Annotated[float, Parameter("advised stop, in ATR(14) from the entry; 0 advises none", 0, 50)] = 2.0
    target_atr: Annotated[float, Parameter("advised take-profit, in ATR(14) from the entry; 0 none", 0, 100)] = 4.0
    regime: Annotated[WantedRegime, Parameter("in which market it may enter")] = WantedRegime.ANY


class QuantumCipher:
    """The strategy of this file on one symbol and timeframe."""

    def __init__(self, parameters: QuantumCipherParameters, bar_us: int) -> None:
        self._parameters = parameters
        self._cipher = cipher_state(
            channel=parameters.channel,
            average=parameters.average,
            signal=parameters.signal,
            oversold=parameters.oversold,
            overbought=parameters.overbought,
            bar_us=bar_us,
        )
        self._centre = ema_state(parameters.channel)
        self._atr = atr_state()
        self._regime = RegimeFilter(parameters.regime, bar_us)
        self._bars_seen = 0

    @property
    def warm_up_bars(self) -> int:
        wave = 2 * self._parameters.channel + self._parameters.average + self._parameters.signal
        return max(wave, atr_first_valid() + 1, self._regime.warm_up_bars)

    @property
    def settling_bars(self) -> int:
        return max(_SETTLED_BARS, 5 * self.warm_up_bars)

    def assess(self, bar: Bar) -> Assessment:
        """A dot is the set-up; the wave that still runs its way confirms it, on this bar or a later one."""
        wanted = self._parameters
        cipher = cipher_step(self._cipher, 0, bar)
        centre = ema_step(self._centre, 0, (bar.high + bar.low + bar.close) / 3.0)
        atr = atr_step(self._atr, 0, bar)
        values = {
            "wt1": cipher.wt1,
            "wt2": cipher.wt2,
            "money_flow": cipher.money_flow,
            "rsi": cipher.rsi,
            "stoch_k": cipher.stoch_k,
            "atr": atr,
        }
        veto = self._regime.veto(bar, values)
        self._bars_seen += 1
        setup = None
        if cipher.buy or cipher.sell:
            setup = Side.BUY if cipher.buy else Side.SELL
        return Assessment(
            note=_why_no_dot(cipher.cross, cipher.wt2),
            values=values,
            is_ready=self._bars_seen >= self.warm_up_bars,
            setup=setup,
            confirms=Side.BUY if cipher.fast > 0.0 else Side.SELL,
            leaves=setup.opposite if setup else None,
            veto=veto,
            atr=atr,
            pullback_price=centre,
            stop_distance=wanted.stop_atr * atr,
            target_distance=wanted.target_atr * atr,
        )


def _why_no_dot(cross: float, wt2: float) -> str:
    if cross:
        return f"the wave crossed {'up' if cross > 0 else 'down'} at {wt2:.1f}, too near the middle for a dot"
    return f"the wave has not crossed, its signal line is at {wt2:.1f}"
