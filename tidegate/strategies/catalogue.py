"""The strategies that are ready, by name, and the check of what is asked of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from tidegate.domain.errors import NotFound
from tidegate.strategies import ema_cross, quantum_cipher
from tidegate.strategies.arming import ArmingOptions
from tidegate.strategies.ema_cross import EmaCross, EmaCrossParameters
from tidegate.strategies.parameters import Parameters, checked
from tidegate.strategies.protocol import Strategy
from tidegate.strategies.quantum_cipher import QuantumCipher, QuantumCipherParameters

P = TypeVar("P", bound=Parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyEntry:
    """One ready strategy; `check` and `build` raise `Invalid` naming a parameter that is unknown or out of range."""

    name: str
    title: str
    summary: str
    loses_when: str
    parameters: type[Parameters]
    arming: ArmingOptions  # what it uses unless told otherwise
    build: Callable[[Mapping[str, object], int], Strategy]  # parameters, length of a bar in µs

    def check(self, given: Mapping[str, object]) -> Parameters:
        """The parameters with defaults for what is not given."""
        return checked(self.parameters, given, self.name)


def described(
    name: str,
    kind: type[P],
    create: Callable[[P, int], Strategy],
    *,
    title: str,
    summary: str,
    loses_when: str,
    arming: ArmingOptions,
) -> StrategyEntry:
    """An entry whose `build` hands `create` checked parameters of `kind`."""

    def build(given: Mapping[str, object], bar_us: int) -> Strategy:
        return create(checked(kind, given, name), bar_us)

    return StrategyEntry(
        name=name,
        title=title,
        summary=summary,
        loses_when=loses_when,
        parameters=kind,
        arming=arming,
        build=build,
    )


Catalogue = Mapping[str, StrategyEntry]

READY: Catalogue = {
    entry.name: entry
    for entry in (
        described(
            "ema_cross",
            EmaCrossParameters,
            EmaCross,
            title="EMA cross with RSI filter",
            summary="Enters when a fast EMA crosses above a slow one and the RSI is not yet high; leaves when it "
            "crosses below.",
            loses_when=ema_cross.LOSES_WHEN,
            arming=ArmingOptions(allow_same_bar=True),
        ),
        described(
            "quantum_cipher",
            QuantumCipherParameters,
            QuantumCipher,
            title="Quantum Cipher",
            summary="Enters on a green dot, where the wave crosses up while oversold; leaves on a red dot.",
            loses_when=quantum_cipher.LOSES_WHEN,
            arming=ArmingOptions(allow_same_bar=True),
        ),
    )
}


def entry_of(catalogue: Catalogue, name: str) -> StrategyEntry:
    """The strategy of that name; `NotFound` names those there are."""
    if name not in catalogue:
        known = ", ".join(sorted(catalogue))
        raise NotFound(f"There is no strategy {name!r}; there is {known}.", code="strategies.not_found")
    return catalogue[name]
