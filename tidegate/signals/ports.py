"""What the signals role asks of other stages; `app/wiring.py` fills it."""

from collections.abc import Sequence
from typing import Protocol

from tidegate.signals.model import SignalSpec


class WantedSignals(Protocol):
    """Whoever knows which bots run."""

    async def wanted(self) -> Sequence[SignalSpec]:
        """Every signal that some running bot uses; repetitions do no harm."""
        ...
