"""What a client may ask: one table from path and method to function, weight and who may call."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from tidegate.domain.ids import AccountId
from tidegate.venues.simulator.faults import FaultTarget
from tidegate.venues.simulator.wire import Params, WireError
from tidegate.venues.simulator.world import World


class Access(Enum):
    """Who may call."""

    OPEN = auto()
    KEY = auto()
    SIGNED = auto()


PublicVerb = Callable[[World, Params], object]
AccountVerb = Callable[[World, AccountId, Params], object]
Weight = int | Callable[[Params], int]


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing to ask; `weight` may depend on the parameters."""

    answer: PublicVerb | AccountVerb
    weight: Weight
    access: Access = Access.OPEN
    fault_target: FaultTarget | None = None
    is_trading: bool = False  # costs nothing when it succeeds

    def weight_of(self, params: Params) -> int:
        """What this request costs."""
        return self.weight if isinstance(self.weight, int) else self.weight(params)


def call(verb: Verb, world: World, account_id: AccountId | None, params: Params) -> object:
    """Run a verb for whoever asks; signed ones need an account."""
    if verb.access is Access.SIGNED:
        if account_id is None:
            raise WireError(-2014, "API-key format invalid.", status=401)
        return verb.answer(world, account_id, params)  # type: ignore[call-arg, arg-type]
    return verb.answer(world, params)  # type: ignore[call-arg, arg-type]
