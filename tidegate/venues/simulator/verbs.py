"""What a client may ask: one table from path and method to function, weight and who may call."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from tidegate.domain.ids import AccountId
from tidegate.venues.simulator.faults import FaultTarget
from tidegate.venues.simulator.wire import Params
from tidegate.venues.simulator.world import World


class Access(Enum):
    """Who may call."""

    OPEN = auto()  # the account is then NOBODY
    SIGNED = auto()


NOBODY = AccountId("")
Weight = int | Callable[[Params], int]


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing to ask; `weight` may depend on the parameters."""

    run: Callable[[World, AccountId, Params], object]
    weight: Weight
    access: Access = Access.OPEN
    fault_target: FaultTarget | None = None
    is_trading: bool = False  # costs nothing when it succeeds

    def weight_of(self, params: Params) -> int:
        """What this request costs."""
        return self.weight if isinstance(self.weight, int) else self.weight(params)
