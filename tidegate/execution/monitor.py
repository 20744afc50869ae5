"""Which orders must be asked about, and when: unknown ones until proven, open ones while the stream is down.

An order whose cancel has not ended it is cancelled again.

The proof that an order does not exist takes three steps: the fence has passed, so that no delayed request can arrive;
the matching engine, asked to cancel it, has no such order; and two quiet look-ups after that know nothing of it either.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from tidegate.domain.ids import ClientOrderId
from tidegate.domain.orders import OrderStatus
from tidegate.execution.model import Order

_FIRST_LOOK_US = 100_000
_LOOK_MAX_US = 2_000_000
_POLL_US = 2_000_000  # open orders, while the account's stream is down
_ANSWER_US = 500_000  # how long what was asked already may take, a cancel or a look
_QUIET_LOOKS = 2


class Inquiry(Enum):
    """What to ask of the venue."""

    LOOK = "look"  # GET the order: found means adopted, not found proves nothing
    PROOF = "proof"  # the same after the probe, with balances: not found and no money moved is proof
    CANCEL = "cancel"  # of an unknown order the probe: it is answered by the matching engine


@dataclass(slots=True)
class _Case:
    next_at: int  # µs, wall time
    interval: int = _FIRST_LOOK_US
    was_probed: bool = False  # after the fence, and the engine had no such order
    quiet_looks: int = 0


class Monitor:
    """Keeps one case for every order in doubt."""

    def __init__(self) -> None:
        self._cases: dict[ClientOrderId, _Case] = {}
        self._unseen: set[ClientOrderId] = set()

    def lose_sight(self, live: Iterable[Order]) -> None:
        """Reports of these orders may have been missed: each must be seen at the venue once."""
        self._unseen = {order.client_order_id for order in live}

    def unseen(self, live: Iterable[Order]) -> list[Order]:
        """Those that have not been seen since."""
        return [order for order in live if order.client_order_id in self._unseen]

    def see(self, order: Order) -> None:
        """The venue has answered what became of the order."""
        self._unseen.discard(order.client_order_id)

    def due(self, live: Iterable[Order], now: int, *, is_stream_up: bool) -> list[tuple[Order, Inquiry]]:
        """The inquiries to make now; each is followed by a growing pause."""
        inquiries = []
        doubtful: set[ClientOrderId] = set()
        for order in live:
            is_unknown, must_end = order.status is OrderStatus.UNKNOWN, _must_end(order)
            is_pressing = is_unknown or must_end or order.missing_quantity > 0 or order.client_order_id in self._unseen
            if is_stream_up and not is_pressing:
                continue
            doubtful.add(order.client_order_id)
            first_us = 0 if is_unknown else _ANSWER_US if is_pressing else _POLL_US
            case = self._cases.setdefault(order.client_order_id, _Case(now + first_us))
            if case.next_at > now:
                continue
            case.next_at = now + (case.interval if is_pressing else _POLL_US)
            case.interval = min(case.interval * 2, _LOOK_MAX_US)
            must_probe = is_unknown and now >= order.fence_at and not case.was_probed
            look = Inquiry.PROOF if is_unknown and case.was_probed else Inquiry.LOOK
            inquiries.append((order, Inquiry.CANCEL if must_probe or must_end else look))
        for settled in self._cases.keys() - doubtful:
            del self._cases[settled]
        return inquiries

    def engine_has_none(self, order: Order, now: int) -> None:
        """The matching engine was asked to cancel the order and has none; only after the fence does that count."""
        case = self._cases.get(order.client_order_id)
        if case is not None and now >= order.fence_at:
            case.was_probed = True
            case.interval = _FIRST_LOOK_US
            case.next_at = now

    def found_nothing(self, order: Order) -> bool:
        """A look-up knew nothing; True once that proves that the order was never executed."""
        case = self._cases.get(order.client_order_id)
        if case is None or not case.was_probed:
            return False
        case.quiet_looks += 1
        return case.quiet_looks >= _QUIET_LOOKS


def _must_end(order: Order) -> bool:
    """Whether the venue has an order that somebody wants ended."""
    return order.is_cancel_requested and order.venue_order_id is not None
