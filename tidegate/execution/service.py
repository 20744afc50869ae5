"""The orders of one account: verbs that change them in memory, facts out, calls to make after the commit."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypedDict

from tidegate.domain.ids import (
    AccountId,
    ClientOrderId,
    Environment,
    FillId,
    IntentKey,
    TraceId,
    VenueOrderId,
    client_order_id,
    fill_id,
)
from tidegate.domain.messages import (
    Message,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderOutcomeUnknown,
    OrderRejected,
    OrderSubmitted,
)
from tidegate.domain.money import Money
from tidegate.domain.orders import FINAL_STATUSES, FillReport, OcoTicket, OrderIntent, OrderReport, OrderStatus
from tidegate.execution.model import CancelAtVenue, FetchOpenOrders, FetchOrder, Order, PlaceOco, PlaceOrder, VenueCall
from tidegate.execution.orders import Orders


@dataclass(frozen=True, slots=True)
class StateChange:
    """One row of an order's history: what it became, when, and who said so."""

    client_order_id: ClientOrderId
    sequence: int
    status: OrderStatus
    changed_at: int  # µs, market time
    source: str


@dataclass(slots=True)
class Changes:
    """What the next commit must write of this stage."""

    orders: dict[ClientOrderId, Order] = field(default_factory=dict)
    states: list[StateChange] = field(default_factory=list)
    fills: list[OrderFilled] = field(default_factory=list)


class _Common(TypedDict):
    """What every fact of an order's life says."""

    trace_id: TraceId
    occurred_at: int
    account_id: AccountId
    client_order_id: ClientOrderId
    symbol: str


class Execution:
    """What the account's orders do next; the caller commits the changes, then makes the calls."""

    def __init__(self, account_id: AccountId, *, venue: str, environment: Environment) -> None:
        self.account_id = account_id
        self.orders = Orders(account_id)
        self._venue = venue
        self._environment = environment
        self._fill_ids: set[FillId] = set()
        self._changes = Changes()
        self._calls: list[VenueCall] = []

    def restore(self, orders: Iterable[Order], fill_ids: Iterable[FillId]) -> None:
        """Take over what an earlier life wrote."""
        for order in orders:
            self.orders.add(order)
        self._fill_ids.update(fill_ids)

    def id_of(self, intent: OrderIntent) -> ClientOrderId:
        """The id that the first attempt at an intent has, sent or not."""
        return client_order_id(self._environment, intent.key, 1)

    def submit(
        self, intent: OrderIntent, *, hold_key: str, trace_id: TraceId, at: int, fence_at: int
    ) -> OrderSubmitted:
        """Record an order and plan to send it after the commit."""
        order, submitted = self._record(intent, hold_key=hold_key, trace_id=trace_id, at=at, fence_at=fence_at)
        self._calls.append(PlaceOrder(order.ticket(), intent.purpose, fence_at))
        return submitted

    def submit_oco(
        self, stop: OrderIntent, target: OrderIntent, *, hold_key: str, trace_id: TraceId, at: int, fence_at: int
    ) -> list[OrderSubmitted]:
        """Record two legs of one list and plan to send them after the commit."""
        list_id = str(client_order_id(self._environment, IntentKey(f"{stop.key}|list"), 1))
        legs = [
            self._record(leg, hold_key=hold_key, trace_id=trace_id, at=at, fence_at=fence_at, list_id=list_id)
            for leg in (stop, target)
        ]
        (stop_order, _), (target_order, _) = legs
        assert stop.stop_price is not None, "a stop leg has a stop price"
        assert target.limit_price is not None, "a target leg has a limit price"
        self._calls.append(
            PlaceOco(
                OcoTicket(
                    list_client_id=list_id,
                    symbol=stop.symbol,
                    side=stop.side,
                    quantity=stop.quantity,
                    take_profit_id=target_order.client_order_id,
                    take_profit_price=target.limit_price,
                    stop_loss_id=stop_order.client_order_id,
                    stop_price=stop.stop_price,
                    stop_limit_price=stop.limit_price,
                ),
                fence_at,
            )
        )
        return [submitted for _, submitted in legs]

    def cancel(self, order: Order) -> None:
        """Plan to end an order, once the venue is known to have it; the wish is durable and asking twice is once."""
        if not order.is_live or order.is_cancel_requested:
            return
        order.is_cancel_requested = True
        self._changes.orders[order.client_order_id] = order
        if order.venue_order_id is not None:
            self.call_off(order)

    def ask(self, order: Order | None = None, *, with_balances: bool = False) -> None:
        """Plan to ask the venue what became of an order, or without one which orders are open."""
        if order is None:
            self._calls.append(FetchOpenOrders())
        else:
            self._calls.append(FetchOrder(order.intent.symbol, order.client_order_id, with_balances))

    def call_off(self, order: Order) -> None:
        """Plan a cancel: to end an order, or as the probe that proves an unknown one dead, whatever it was."""
        self._changes.orders[order.client_order_id] = order  # no row, no fence: who lost the lease must not cancel
        self._calls.append(CancelAtVenue(order.intent.symbol, order.client_order_id))

    def doubt(self, order: Order, reason: str, at: int) -> list[Message]:
        """A request about the order left and no answer came back."""
        if not order.doubt():
            self.ask(order)  # it exists; only the last request about it is in doubt
            return []
        self._touch(order, at, "no_answer")
        return [OrderOutcomeUnknown(**self._common(order, at), reason=reason)]

    def report(self, report: OrderReport, source: str) -> list[Message]:
        """Apply what the venue says of an order; an end waits until all its fills are booked."""
        order = self.orders.find(report.client_order_id, report.symbol, report.venue_order_id)
        if order is None:
            return []
        facts = self._accept(order, report.venue_order_id, report.reported_at, source)
        order.reported_quantity = max(order.reported_quantity, report.filled_quantity)
        if report.status in FINAL_STATUSES and order.is_live:
            if report.status is not OrderStatus.FILLED:
                order.ending = (report.status, report.detail)
            if order.missing_quantity and source != "look":  # a look that finds too few is repeated by the monitor
                self.ask(order)
        return facts + self._end_if_complete(order, report.reported_at, source)

    def book_fill(self, fill: FillReport, source: str) -> list[Message]:
        """Book one execution, once; the report that carries it is proof that the order exists."""
        order = self.orders.find(fill.client_order_id, fill.symbol, fill.venue_order_id)
        if order is None:
            return []
        key = fill_id(self._venue, self.account_id, fill.symbol, fill.venue_order_id, fill.venue_trade_id)
        if key in self._fill_ids:
            return []
        facts = self._accept(order, fill.venue_order_id, fill.filled_at, source)
        order.fill(fill.quantity, fill.price)
        self._fill_ids.add(key)
        filled = OrderFilled(
            **self._common(order, fill.filled_at),
            fill_id=key,
            venue_order_id=fill.venue_order_id,
            intent_key=order.intent.key,
            bot_id=order.intent.bot_id,
            side=fill.side,
            quantity=fill.quantity,
            price=fill.price,
            fee=Money(fill.fee, fill.fee_asset),
            is_maker=fill.is_maker,
            status=order.status,
        )
        self._changes.fills.append(filled)
        self._touch(order, fill.filled_at, source)
        return [*facts, filled, *self._end_if_complete(order, fill.filled_at, source)]

    def reject(self, order: Order, code: str, detail: str, at: int, source: str) -> list[Message]:
        """The venue certainly does not have this order; late news after a fill changes nothing."""
        if order.filled_quantity or not order.finish(OrderStatus.REJECTED, detail):
            return []
        self._touch(order, at, source)
        return [OrderRejected(**self._common(order, at), code=code, reason=detail)]

    def take(self) -> tuple[Changes, list[VenueCall]]:
        """What is to be written and then asked of the venue, once."""
        taken = self._changes, self._calls
        self._changes, self._calls = Changes(), []
        return taken

    # ── inside ──

    def _record(
        self,
        intent: OrderIntent,
        *,
        hold_key: str,
        trace_id: TraceId,
        at: int,
        fence_at: int,
        list_id: str | None = None,
    ) -> tuple[Order, OrderSubmitted]:
        order = Order(
            intent=intent,
            client_order_id=self.id_of(intent),
            attempt=1,
            trace_id=trace_id,
            hold_key=hold_key,
            submitted_at=at,
            fence_at=fence_at,
            list_id=list_id,
        )
        self.orders.add(order)
        self._touch(order, at, "engine")
        submitted = OrderSubmitted(
            **self._common(order, at),
            intent=intent,
            attempt=order.attempt,
        )
        return order, submitted

    def _common(self, order: Order, at: int) -> _Common:
        return _Common(
            trace_id=order.trace_id,
            occurred_at=at,
            account_id=self.account_id,
            client_order_id=order.client_order_id,
            symbol=order.intent.symbol,
        )

    def _accept(self, order: Order, venue_order_id: VenueOrderId, at: int, source: str) -> list[Message]:
        was_given_up = order.status is OrderStatus.REJECTED
        if not order.accept(venue_order_id):
            return []
        self._touch(order, at, source)
        if was_given_up or order.is_cancel_requested:
            order.is_cancel_requested = True
            self.call_off(order)
        return [OrderAccepted(**self._common(order, at), venue_order_id=venue_order_id)]

    def _end_if_complete(self, order: Order, at: int, source: str) -> list[Message]:
        if order.ending is None or order.missing_quantity:
            return []
        status, detail = order.ending
        if not order.finish(status, detail):
            return []
        self._touch(order, at, source)
        kind = OrderCancelled if status is OrderStatus.CANCELLED else OrderExpired
        return [kind(**self._common(order, at), reason=detail)]

    def _touch(self, order: Order, at: int, source: str) -> None:
        self.orders.index(order)
        order.sequence += 1
        self._changes.orders[order.client_order_id] = order
        self._changes.states.append(StateChange(order.client_order_id, order.sequence, order.status, at, source))
