"""What an account makes of the venue's answers and of its private stream."""

from tidegate.app.account import NOT_EXECUTED, Account
from tidegate.app.courier import CallAnswered, NoAnswer, OrderAnswer
from tidegate.domain.orders import (
    AccountEvent,
    BalanceReport,
    FillReport,
    OrderReport,
    OrderStatus,
    OutcomeUnknown,
    Placed,
    Refused,
    StreamReset,
    TapeMark,
)
from tidegate.execution.model import CancelAtVenue, FetchOrder, Order, PlaceOco, PlaceOrder

ORDER_NOT_OPEN = "venue.order_not_open"  # the matching engine has no such order to cancel


def take_event(account: Account, event: AccountEvent) -> None:
    """One report of the private stream; order and repetition do not matter."""
    match event:
        case OrderReport():
            _take_report(account, event, "stream")
        case FillReport():
            _take_fill(account, event, "stream")
        case StreamReset():
            account.is_stream_up = True
            for order in account.execution.orders.live():
                account.execution.ask(order)
        case BalanceReport() | TapeMark():
            pass


def take_answer(account: Account, answered: CallAnswered, wall_now: int) -> None:
    """The answer of one call; a missing one leaves the order in doubt."""
    match answered.call:
        case PlaceOrder(ticket=ticket):
            _take_placement(account, [account.execution.orders.get(ticket.client_order_id)], answered)
        case PlaceOco(ticket=ticket):
            legs = [account.execution.orders.get(key) for key in (ticket.stop_loss_id, ticket.take_profit_id)]
            _take_placement(account, legs, answered)
        case CancelAtVenue(client_order_id=order_id):
            _take_cancel(account, account.execution.orders.get(order_id), answered, wall_now)
        case FetchOrder(client_order_id=order_id):
            _take_look(account, account.execution.orders.get(order_id), answered)


def _take_placement(account: Account, orders: list[Order], answered: CallAnswered) -> None:
    account.begin(orders[0].submitted_at, orders[0].trace_id)
    match answered.answer:
        case Placed() as placed:
            _take_placed(account, placed)
            for order in orders:
                account.accepted(order)
        case Refused(code=code, detail=detail):
            for order in orders:
                account.reject(order, code, detail, "answer")
        case OutcomeUnknown(detail=detail):
            for order in orders:
                account.post(account.execution.doubt(order, detail, account.at))
        case OrderAnswer() | NoAnswer():
            raise AssertionError("a placement is not a look-up")


def _take_cancel(account: Account, order: Order, answered: CallAnswered, wall_now: int) -> None:
    account.begin(order.submitted_at, order.trace_id)
    match answered.answer:
        case Placed() as placed:
            _take_placed(account, placed)
        case Refused(code=code) if code == ORDER_NOT_OPEN and order.status is OrderStatus.UNKNOWN:
            account.monitor.engine_has_none(order, wall_now)
        case Refused() | OutcomeUnknown():
            # A race, most often with a fill: what became of the order is asked, never assumed.
            account.execution.ask(order)
        case OrderAnswer() | NoAnswer():
            raise AssertionError("a cancel is not a look-up")


def _take_look(account: Account, order: Order, answered: CallAnswered) -> None:
    account.begin(order.submitted_at, order.trace_id)
    match answered.answer:
        case OrderAnswer(report=None):
            is_proven = order.status is OrderStatus.UNKNOWN and account.monitor.found_nothing(order)
            if is_proven:
                account.reject(order, NOT_EXECUTED, "the venue never had this order", "monitor")
        case OrderAnswer(report=OrderReport() as report, fills=fills):
            for fill in fills:
                _take_fill(account, fill, "look")
            _take_report(account, report, "look")
        case _:
            pass  # the monitor asks again


def _take_placed(account: Account, placed: Placed) -> None:
    for fill in placed.fills:
        _take_fill(account, fill, "answer")
    for report in placed.reports:
        _take_report(account, report, "answer")


def _take_fill(account: Account, fill: FillReport, source: str) -> None:
    order = account.execution.orders.find(fill.client_order_id, fill.symbol, fill.venue_order_id)
    if order is not None:
        account.begin(fill.filled_at, order.trace_id)
    account.post(account.execution.book_fill(fill, source))


def _take_report(account: Account, report: OrderReport, source: str) -> None:
    order = account.execution.orders.find(report.client_order_id, report.symbol, report.venue_order_id)
    if order is not None:
        account.begin(report.reported_at, order.trace_id)
    if order is not None and report.status is OrderStatus.REJECTED:
        account.reject(order, "venue.rejected", report.detail, source)
        return
    account.post(account.execution.report(report, source))
