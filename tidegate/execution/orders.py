"""Every order of one account that may still matter, by our id and by the venue's."""

from collections.abc import Iterable
from decimal import Decimal

from tidegate.domain.errors import NotFound
from tidegate.domain.ids import AccountId, ClientOrderId, VenueOrderId
from tidegate.domain.money import ZERO
from tidegate.domain.orders import Side
from tidegate.execution.model import Order


class OrderNotFound(NotFound):
    """No order of this account has this id."""

    code = "execution.order_not_found"


class Orders:
    """The registry: finished orders stay as tombstones, since a late report may still name them."""

    def __init__(self, account_id: AccountId) -> None:
        self._account_id = account_id
        self._orders: dict[ClientOrderId, Order] = {}
        self._live: dict[ClientOrderId, Order] = {}
        self._by_venue_id: dict[tuple[str, VenueOrderId], ClientOrderId] = {}

    def add(self, order: Order) -> None:
        """Take an order in; an id is never used twice."""
        assert order.client_order_id not in self._orders, f"order {order.client_order_id} was submitted before"
        self._orders[order.client_order_id] = order
        self.index(order)

    def index(self, order: Order) -> None:
        """Keep the look-ups true after an order changed."""
        if order.venue_order_id is not None:
            self._by_venue_id[(order.intent.symbol, order.venue_order_id)] = order.client_order_id
        if order.is_live:
            self._live[order.client_order_id] = order
        else:
            self._live.pop(order.client_order_id, None)

    def has(self, order_id: ClientOrderId) -> bool:
        """Whether an order with our id is here, finished or not."""
        return order_id in self._orders

    def get(self, order_id: ClientOrderId) -> Order:
        """The order by our id; `OrderNotFound` otherwise."""
        order = self._orders.get(order_id)
        if order is None:
            raise OrderNotFound(f"Account {self._account_id} has no order {order_id!r}.")
        return order

    def find(self, order_id: ClientOrderId, symbol: str, venue_order_id: VenueOrderId) -> Order | None:
        """The order by our id, or by the venue's when the venue gave another (a cancel has an id of its own)."""
        order = self._orders.get(order_id)
        if order is None:
            order = self._orders.get(self._by_venue_id.get((symbol, venue_order_id), ClientOrderId("")))
        return order

    def live(self) -> list[Order]:
        """Orders that may still fill, oldest first."""
        return list(self._live.values())

    def holders(self, hold_key: str) -> list[Order]:
        """Live orders that share a hold."""
        return [order for order in self._live.values() if order.hold_key == hold_key]


def open_quantity(orders: Iterable[Order], side: Side) -> Decimal:
    """Base that live orders of one side may still fill; an unknown order counts in full."""
    return sum((order.open_quantity for order in orders if order.intent.side is side), ZERO)
