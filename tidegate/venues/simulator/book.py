"""An order book as a venue keeps it: sorted levels and an update id."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from decimal import Decimal

from tidegate.domain.money import ZERO

Level = tuple[Decimal, Decimal]  # price, quantity


class Book:
    """Bids and asks of one symbol; a quantity of 0 removes a level."""

    def __init__(self) -> None:
        self.update_id = 0
        self._quantities: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})
        self._prices: tuple[list[Decimal], list[Decimal]] = ([], [])  # both rising

    def replace(self, bids: Iterable[Level], asks: Iterable[Level], update_id: int) -> None:
        """Forget everything and begin from a snapshot."""
        self._quantities = (dict(bids), dict(asks))
        self._prices = (sorted(self._quantities[0]), sorted(self._quantities[1]))
        self.update_id = update_id

    def change(self, bids: Iterable[Level], asks: Iterable[Level], update_id: int) -> None:
        """Set the given levels."""
        for side, levels in enumerate((bids, asks)):
            quantities, prices = self._quantities[side], self._prices[side]
            for price, quantity in levels:
                if quantity:
                    if price not in quantities:
                        insort(prices, price)
                    quantities[price] = quantity
                elif quantities.pop(price, None) is not None:
                    del prices[bisect_left(prices, price)]
        self.update_id = update_id

    def bids(self, depth: int) -> list[Level]:
        """The highest bids, best first."""
        quantities = self._quantities[0]
        return [(price, quantities[price]) for price in self._prices[0][: -depth - 1 : -1]]

    def asks(self, depth: int) -> list[Level]:
        """The lowest asks, best first."""
        quantities = self._quantities[1]
        return [(price, quantities[price]) for price in self._prices[1][:depth]]


def changes(old: Mapping[Decimal, Decimal], new: Mapping[Decimal, Decimal]) -> list[Level]:
    """What `Book.change` must be given to turn one side into the other."""
    gone = [(price, ZERO) for price in old if price not in new]
    return gone + [(price, quantity) for price, quantity in new.items() if old.get(price) != quantity]
