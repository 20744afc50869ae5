"""What one simulator is started with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from tidegate.domain.errors import Invalid
from tidegate.domain.instruments import parse_symbol
from tidegate.domain.money import decimal_of
from tidegate.venues.simulator.sign import Credential
from tidegate.venues.simulator.symbols import DEFAULT_SYMBOLS

STEP = "step"
MAX = "max"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorOptions:
    """All a world needs; the same options with the same directory continue the same world."""

    credentials: tuple[Credential, ...]
    host: str = "127.0.0.1"
    port: int = 0  # 0: any free one
    seed: int = 1
    replay: tuple[str, ...] = ()  # files; `sample` is the one that comes along
    speed: float | None = 1  # tape seconds a wall second; 0 as fast as possible; None in lockstep
    participants: int = 1  # acknowledgements a step needs in lockstep
    balances: Mapping[str, Decimal] = field(default_factory=dict)  # of each account when it is opened
    symbols: tuple[str, ...] = DEFAULT_SYMBOLS  # of the generator; a replay trades what its files hold
    directory: Path | None = None  # None: in memory, gone with the process
    control_token: str | None = None  # None: a new one, printed when ready

    @property
    def is_lockstep(self) -> bool:
        """Whether the tape waits for acknowledgements."""
        return self.speed is None


def parse_speed(text: str) -> float | None:
    """A number of tape seconds a wall second, `max` (0) or `step` (None)."""
    if text == STEP:
        return None
    if text == MAX:
        return 0
    try:
        speed = float(text)
    except ValueError:
        speed = -1
    if not 0 <= speed < 1e9:
        raise Invalid(f"speed must be a number from 0, max or step, not {text!r}.", code="simulator.speed_invalid")
    return speed


def parse_balances(text: str) -> dict[str, Decimal]:
    """`USDT=10000,BTC=1`."""
    balances: dict[str, Decimal] = {}
    for entry in filter(None, text.split(",")):
        asset, found, quantity = entry.partition("=")
        if not found or not asset.isalnum():
            raise Invalid(f"balance must look like USDT=10000,BTC=1, not {entry!r}.", code="simulator.balance_invalid")
        balances[asset.upper()] = decimal_of(quantity, f"balance of {asset}")
    return balances


def parse_symbols(text: str) -> tuple[str, ...]:
    """`BTC/USDT,ETH-USDT`."""
    return tuple(parse_symbol(part.strip()) for part in text.split(",") if part.strip())
