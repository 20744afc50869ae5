"""Tickets into the parameters that Binance expects; one that lacks a price is refused before anything is sent."""

from decimal import Decimal
from functools import lru_cache
from urllib.parse import quote

from tidegate.domain.errors import Invalid
from tidegate.domain.instruments import stream_symbol
from tidegate.domain.money import plain
from tidegate.domain.orders import OcoTicket, OrderTicket, OrderType, Side

_TYPES = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP: "STOP_LOSS",
    OrderType.STOP_LIMIT: "STOP_LOSS_LIMIT",
    OrderType.TAKE_PROFIT: "TAKE_PROFIT",
    OrderType.TAKE_PROFIT_LIMIT: "TAKE_PROFIT_LIMIT",
}
_WITH_LIMIT = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT})
_WITH_STOP = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT})


@lru_cache(maxsize=4_096)
def wire_symbol(symbol: str) -> str:
    """`BTCUSDT`, percent-encoded."""
    return quote(stream_symbol(symbol))


def order_query(ticket: OrderTicket) -> str:
    """The parameters of POST order."""
    if ticket.post_only and ticket.type is not OrderType.LIMIT:
        raise Invalid(f"post_only goes with a limit order, not with {ticket.type}.", code="venue.ticket_invalid")
    name = "LIMIT_MAKER" if ticket.post_only else _TYPES[ticket.type]
    query = (
        f"symbol={wire_symbol(ticket.symbol)}&side={ticket.side.name}&type={name}&quantity={plain(ticket.quantity)}"
        f"&newClientOrderId={ticket.client_order_id}&newOrderRespType=FULL"
    )
    if ticket.type in _WITH_LIMIT:
        query += f"&price={_price(ticket.limit_price, 'limit_price', ticket)}"
        if not ticket.post_only:
            query += f"&timeInForce={ticket.time_in_force.name}"
    if ticket.type in _WITH_STOP:
        query += f"&stopPrice={_price(ticket.stop_price, 'stop_price', ticket)}"
    return query


def oco_query(ticket: OcoTicket) -> str:
    """The parameters of POST orderList/oco: a sale takes its profit above the market, a purchase below."""
    target, stop = ("above", "below") if ticket.side is Side.SELL else ("below", "above")
    query = (
        f"symbol={wire_symbol(ticket.symbol)}&side={ticket.side.name}&quantity={plain(ticket.quantity)}"
        f"&listClientOrderId={ticket.list_client_id}&newOrderRespType=FULL"
        f"&{target}Type=LIMIT_MAKER&{target}ClientOrderId={ticket.take_profit_id}"
        f"&{target}Price={plain(ticket.take_profit_price)}"
        f"&{stop}ClientOrderId={ticket.stop_loss_id}&{stop}StopPrice={plain(ticket.stop_price)}"
    )
    if ticket.stop_limit_price is None:
        return f"{query}&{stop}Type=STOP_LOSS"
    return f"{query}&{stop}Type=STOP_LOSS_LIMIT&{stop}Price={plain(ticket.stop_limit_price)}&{stop}TimeInForce=GTC"


def _price(price: Decimal | None, field: str, ticket: OrderTicket) -> str:
    if price is None:
        raise Invalid(f"A {ticket.type} order needs its {field}.", code="venue.ticket_invalid")
    return plain(price)
