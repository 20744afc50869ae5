"""/api/v1/orders: the orders of the caller's accounts, and orders by hand."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response

from tidegate.execution.desk import OrderDesk
from tidegate.execution.reading.repository import OrderReader
from tidegate.execution.schemas import CancelOut, OrderDetailOut, OrderIn, OrderOut, OrderQuery, PlacementOut
from tidegate.kit.http import CurrentCaller, Page, provided

router = APIRouter()
Reader = Annotated[OrderReader, Depends(provided(OrderReader))]
Desk = Annotated[OrderDesk, Depends(provided(OrderDesk))]
IdempotencyKey = Annotated[
    str, Header(min_length=1, max_length=200, description="Yours; the same key places one order, however often sent.")
]


@router.get("")
async def list_orders(caller: CurrentCaller, reader: Reader, query: Annotated[OrderQuery, Query()]) -> Page[OrderOut]:
    """Newest first."""
    found = await reader.orders(caller.tenant_id, query.wanted(), limit=query.limit, cursor=query.cursor)
    return Page(items=[OrderOut.of(order) for order in found.items], next_cursor=found.next_cursor)


@router.post("", status_code=201, responses={202: {"model": PlacementOut, "description": "No engine answered yet."}})
async def place_order(
    caller: CurrentCaller, desk: Desk, response: Response, idempotency_key: IdempotencyKey, body: OrderIn
) -> PlacementOut:
    """201 when it is durable and on its way; a denial is a 409 with its code."""
    placed = await desk.place(caller.tenant_id, idempotency_key, body.wanted())
    response.status_code = 201 if placed.is_decided else 202
    response.headers["location"] = f"/api/v1/orders/{placed.client_order_id}"
    return PlacementOut(client_order_id=placed.client_order_id, is_decided=placed.is_decided)


@router.get("/{client_order_id}")
async def get_order(caller: CurrentCaller, reader: Reader, client_order_id: str) -> OrderDetailOut:
    """One order with its states and fills."""
    return OrderDetailOut.told(await reader.story(caller.tenant_id, client_order_id))


@router.delete("/{client_order_id}", status_code=202)
async def cancel_order(caller: CurrentCaller, desk: Desk, client_order_id: str) -> CancelOut:
    """Ask the venue to end an order; what fills before the venue has obeyed stays filled."""
    is_decided = await desk.cancel(caller.tenant_id, client_order_id)
    return CancelOut(client_order_id=client_order_id, is_decided=is_decided)
