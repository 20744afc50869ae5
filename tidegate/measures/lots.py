"""Lots of one asset in the order in which they were bought; the oldest is sold first (FIFO)."""

from collections import deque
from dataclasses import dataclass, replace
from decimal import Decimal

from tidegate.domain.money import EXACT, ZERO


@dataclass(frozen=True, slots=True)
class Lot:
    """A purchase, or what is left of it."""

    quantity: Decimal
    cost: Decimal  # valuation asset, fees included
    acquired_at: int  # µs


@dataclass(frozen=True, slots=True)
class Disposal:
    """What a sale took out of the lots."""

    quantity: Decimal
    cost: Decimal
    missing_quantity: Decimal  # sold beyond what was bought: a basis of 0, to be flagged


class Lots:
    """Open lots of one asset; what they cost in total is the basis of what is left."""

    def __init__(self) -> None:
        self._lots: deque[Lot] = deque()

    @property
    def quantity(self) -> Decimal:
        """What is left of all purchases."""
        return sum((lot.quantity for lot in self._lots), ZERO)

    @property
    def cost(self) -> Decimal:
        """What that had cost, fees included."""
        return sum((lot.cost for lot in self._lots), ZERO)

    def acquire(self, quantity: Decimal, cost: Decimal, at: int) -> None:
        """Open a lot."""
        assert quantity > 0, "a lot holds something"
        self._lots.append(Lot(quantity, cost, at))

    def dispose(self, quantity: Decimal) -> Disposal:
        """Take from the oldest lots; the last one touched is split by its unit cost."""
        wanted, cost = quantity, ZERO
        while wanted > 0 and self._lots:
            lot = self._lots[0]
            if lot.quantity <= wanted:
                self._lots.popleft()
                wanted -= lot.quantity
                cost += lot.cost
                continue
            share = EXACT.divide(EXACT.multiply(lot.cost, wanted), lot.quantity)
            self._lots[0] = replace(lot, quantity=lot.quantity - wanted, cost=EXACT.subtract(lot.cost, share))
            cost = EXACT.add(cost, share)
            wanted = ZERO
        return Disposal(quantity, cost, missing_quantity=wanted)
