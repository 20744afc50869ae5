"""Account events over the WebSocket API: who has subscribed to which account, and what is told to them."""

from dataclasses import dataclass

import msgspec

from tidegate.domain.ids import AccountId
from tidegate.venues.simulator.frames import Json
from tidegate.venues.simulator.streams import Outbox


@dataclass(frozen=True, slots=True)
class Subscription:
    """One account on one connection."""

    outbox: Outbox
    number: int
    account_id: AccountId


class AccountStreams:
    """All subscriptions to account events."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []
        self._numbers: dict[Outbox, int] = {}
        self._encoder = msgspec.json.Encoder()

    def connect(self, outbox: Outbox) -> None:
        """A connection has come; it may subscribe."""
        self._numbers[outbox] = 0

    def disconnect(self, outbox: Outbox) -> None:
        """A connection is over."""
        self._numbers.pop(outbox, None)
        self._subscriptions = [found for found in self._subscriptions if found.outbox is not outbox]

    def subscribe(self, outbox: Outbox, account_id: AccountId) -> Subscription | None:
        """A new subscription, or None when this connection has one of the account."""
        if any(found.outbox is outbox and found.account_id == account_id for found in self._subscriptions):
            return None
        number = self._numbers[outbox]
        self._numbers[outbox] = number + 1
        made = Subscription(outbox, number, account_id)
        self._subscriptions.append(made)
        return made

    def unsubscribe(self, outbox: Outbox, number: int | None) -> None:
        """End one subscription of a connection, or all."""
        for found in [s for s in self._subscriptions if s.outbox is outbox and number in {None, s.number}]:
            self._subscriptions.remove(found)
            self._send(found, {"e": "eventStreamTerminated"})

    def of(self, outbox: Outbox) -> list[Subscription]:
        """Subscriptions of one connection."""
        return [found for found in self._subscriptions if found.outbox is outbox]

    @property
    def listeners(self) -> int:
        """Subscriptions of all connections."""
        return len(self._subscriptions)

    def tell(self, account_id: AccountId, payload: Json) -> None:
        """One event to all who listen to the account."""
        for subscription in self._subscriptions:
            if subscription.account_id == account_id:
                self._send(subscription, payload)

    def mark(self, position: int, at_ms: int) -> None:
        """Tell everybody that all account events up to this position have been sent."""
        for subscription in self._subscriptions:
            self.mark_one(subscription, position, at_ms)

    def mark_one(self, subscription: Subscription, position: int, at_ms: int) -> None:
        """The mark for one who has just come."""
        self._send(subscription, {"e": "tapeAdvanced", "E": at_ms, "n": position})

    def close_all(self) -> int:
        """Close every connection; how many there were."""
        for outbox in self._numbers:
            outbox.close()
        return len(self._numbers)

    def _send(self, subscription: Subscription, payload: Json) -> None:
        subscription.outbox.put(self._encoder.encode({"subscriptionId": subscription.number, "event": payload}))
