"""Which signals the bots of all accounts use: what the signals role computes."""

from collections.abc import Sequence

from tidegate.app.loading import spec_of
from tidegate.bots.repository import load_listening
from tidegate.kit.db import Store
from tidegate.signals.model import SignalSpec


class WantedByBots:
    """Fills `signals.ports.WantedSignals` from the bots table."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def wanted(self) -> Sequence[SignalSpec]:
        """The specs of every bot that is not stopped."""
        return [spec_of(config) for config in await load_listening(self._store)]
