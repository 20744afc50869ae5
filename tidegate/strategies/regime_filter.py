"""A veto by the regime of the market."""

from enum import StrEnum

from tidegate.indicators import regime as regimes
from tidegate.indicators.layout import Bar
from tidegate.indicators.regime import Regime, regime_first_valid, regime_state, regime_step


class WantedRegime(StrEnum):
    """In which market a strategy may enter."""

    ANY = "any"
    TREND = "trend"
    RANGE = "range"
    CALM = "calm"  # anything but wild volatility


_NAMES = {regimes.UPTREND: "uptrend", regimes.DOWNTREND: "downtrend", regimes.RANGE: "range"}


class RegimeFilter:
    """Watches the regime of one symbol and timeframe; a regime that is not known vetoes."""

    def __init__(self, wanted: WantedRegime, bar_us: int) -> None:
        self._wanted = wanted
        self._state = regime_state(bar_us) if wanted is not WantedRegime.ANY else []
        known = regime_first_valid(bar_us)
        first = {WantedRegime.ANY: -1, WantedRegime.CALM: known.volatility}
        self.warm_up_bars = first.get(wanted, known.trend) + 1

    def veto(self, bar: Bar, values: dict[str, float]) -> str:
        """Take in the next bar, add its numbers to `values`, and say why nothing may be entered (or "")."""
        if self._wanted is WantedRegime.ANY:
            return ""
        seen = regime_step(self._state, 0, bar)
        values.update(
            adx=seen.adx,
            choppiness=seen.choppiness,
            efficiency=seen.efficiency,
            regime=seen.trend,
            volatility=seen.volatility,
        )
        return _objection(self._wanted, seen)


def _objection(wanted: WantedRegime, seen: Regime) -> str:
    if wanted is WantedRegime.CALM:
        if seen.volatility == regimes.UNKNOWN:
            return "the volatility regime is not known yet"
        return "volatility is wild, calm is wanted" if seen.volatility == regimes.WILD else ""
    if seen.trend == regimes.UNKNOWN:
        return "the regime is not known yet"
    fits = (seen.trend == regimes.RANGE) == (wanted is WantedRegime.RANGE)
    return "" if fits else f"the regime is {_NAMES[seen.trend]}, {wanted.value} is wanted"
