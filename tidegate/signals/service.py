"""The verbs of the stage: want a signal, and hear what each closed candle means to all that are wanted."""

from bisect import insort
from collections.abc import Iterable

from tidegate.domain.candles import Candle
from tidegate.domain.ids import TraceId
from tidegate.domain.messages import Signal
from tidegate.signals.model import SignalRun, SignalSpec
from tidegate.strategies.catalogue import READY, Catalogue

_SILENT = TraceId("warm-up")  # no message that carries it leaves


class SignalService:
    """Synchronous and in memory: the engine calls it directly, the signals role from its loop."""

    def __init__(self, catalogue: Catalogue = READY) -> None:
        self._catalogue = catalogue
        self._runs: dict[str, SignalRun] = {}
        self._users: dict[str, int] = {}
        self._heard: dict[tuple[str, str], list[SignalRun]] = {}

    @property
    def series(self) -> set[tuple[str, str]]:
        """The (symbol, timeframe) pairs whose candles are wanted."""
        return set(self._heard)

    def require(self, spec: SignalSpec) -> bool:
        """One more user; True when the signal is new, and so wants `warm_up` with `settling_bars` of history."""
        self._users[spec.key] = self._users.get(spec.key, 0) + 1
        if spec.key in self._runs:
            return False
        run = self._runs[spec.key] = SignalRun(spec, self._catalogue)
        insort(self._heard.setdefault((spec.symbol, spec.timeframe), []), run, key=_key)
        return True

    def drop(self, spec: SignalSpec) -> None:
        """One user less; the last one takes the signal along. Dropping what is not wanted does nothing."""
        left = self._users.get(spec.key, 0) - 1
        if left > 0:
            self._users[spec.key] = left
        elif self._users.pop(spec.key, None) is not None:
            series = (spec.symbol, spec.timeframe)
            self._heard[series].remove(self._runs.pop(spec.key))
            if not self._heard[series]:
                del self._heard[series]

    def settling_bars(self, spec: SignalSpec) -> int:
        """The history that `warm_up` should bring; a shorter one serves, with numbers that depend on its start."""
        return self._runs[spec.key].settling_bars

    def warm_up(self, candles: Iterable[Candle], spec: SignalSpec | None = None) -> None:
        """Take in history, oldest first, in silence; for one signal, or for all that hear these candles."""
        for candle in candles:
            heard = self._heard.get((candle.symbol, candle.timeframe), ())
            for run in heard if spec is None else (self._runs[spec.key],):
                run.on_candle(candle, _SILENT)

    def on_candle(self, candle: Candle, trace_id: TraceId) -> list[Signal]:
        """What every wanted signal says of this closed candle, in order of their keys."""
        heard = self._heard.get((candle.symbol, candle.timeframe), ())
        return [signal for run in heard for signal in run.on_candle(candle, trace_id)]


def _key(run: SignalRun) -> str:
    return run.spec.key
