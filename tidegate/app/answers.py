"""What an account makes of the venue's answers and of its private stream."""

from collections.abc import Sequence

from tidegate.app.account import NOT_EXECUTED, Account
from tidegate.app.courier import CallAnswered, NoAnswer, OpenOrders, OrderAnswer
from tidegate.domain.instruments import split_symbol
from tidegate.domain.money import ZERO
from tidegate.domain.orders import (
    AccountEvent,
    BalanceReport,
    FillReport,
    OrderReport,
    OrderStatus,
    OutcomeUnknown,
    Placed,
    Refused,
    Side,
    StreamLost,
    StreamReset,
    TapeMark,
)
from tidegate.execution.model import CancelAtVenue, FetchOpenOrders, FetchOrder, Order, PlaceOco, PlaceOrder

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
            live = account.execution.orders.live()
            account.monitor.lose_sight(live)
            if live:
                account.execution.ask()
        case StreamLost():
            account.is_stream_up = False
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
        case FetchOpenOrders() if isinstance(answered.answer, OpenOrders):
            _take_open_orders(account, answered.answer)
        case FetchOpenOrders():
            pass  # the monitor looks at each of them


def _take_placement(account: Account, orders: list[Order], answered: CallAnswered) -> None:
    account.begin(orders[0].submitted_at, orders[0].trace_id)
    match answered.answer:
        case Placed() as placed:
            for order in orders:
                account.accepted(order)
            _take_placed(account, placed)
        case Refused(code=code, detail=detail):
            for order in orders:
                account.reject(order, code, detail, "answer")
        case OutcomeUnknown(detail=detail):
            for order in orders:
                account.post(account.execution.doubt(order, detail, account.at))
        case OrderAnswer() | OpenOrders() | NoAnswer():
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
        case OrderAnswer() | OpenOrders() | NoAnswer():
            raise AssertionError("a cancel is not a look-up")


def _take_open_orders(account: Account, answer: OpenOrders) -> None:
    """What is open with the fills that we know is as we know it; everything else is looked at by itself."""
    by_id = {report.client_order_id: report for report in answer.reports}
    for order in account.monitor.unseen(account.execution.orders.live()):
        report = by_id.get(order.client_order_id)
        if report is not None and report.filled_quantity == order.filled_quantity:
            account.monitor.see(order)
            _take_report(account, report, "look")
        else:
            account.execution.ask(order)


def _take_look(account: Account, order: Order, answered: CallAnswered) -> None:
    account.begin(order.submitted_at, order.trace_id)
    if isinstance(answered.answer, OrderAnswer):
        account.monitor.see(order)
    match answered.answer:
        case OrderAnswer(report=None, balances=balances):
            if order.status is not OrderStatus.UNKNOWN or balances is None or _has_moved(account, order, balances):
                return  # a venue that has the money of an order had the order, whatever its look-ups say
            if account.monitor.found_nothing(order):
                account.reject(order, NOT_EXECUTED, "the venue never had this order", "monitor")
        case OrderAnswer(report=OrderReport() as report, fills=fills):
            for fill in fills:
                _take_fill(account, fill, "look")
            _take_report(account, report, "look")
        case _:
            pass  # the monitor asks again


def _has_moved(account: Account, order: Order, balances: Sequence[BalanceReport]) -> bool:
    """Whether the venue holds more of what the order buys and less of what it pays with than we have booked."""
    at_venue = {balance.asset: balance.free + balance.held for balance in balances}
    base, quote = split_symbol(order.intent.symbol)
    got, paid = (base, quote) if order.intent.side is Side.BUY else (quote, base)
    books = account.books
    more, less = (at_venue.get(asset, ZERO) - books.free(asset) - books.held(asset) for asset in (got, paid))
    return more > 0 > less


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
