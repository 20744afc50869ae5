"""REST: from the bytes of a request to the bytes of its answer."""

import asyncio
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.domain.ids import AccountId
from tidegate.venues.simulator import sign
from tidegate.venues.simulator.faults import Fault, FaultKind
from tidegate.venues.simulator.routes import REST
from tidegate.venues.simulator.verbs import NOBODY, Access, Verb
from tidegate.venues.simulator.wire import Params, WireError
from tidegate.venues.simulator.world import World

ABORT = "tidegate.abort"  # in the ASGI scope: breaks the connection, as the network would
_encoder = msgspec.json.Encoder()
_METHODS = frozenset({"GET", "POST", "PUT", "DELETE"})


async def answer(request: Request) -> Response:
    """Any path of the venue."""
    world: World = request.app.state.world
    verb = REST.get((request.method, request.url.path))
    if verb is None:
        return _unknown(request)
    body = await request.body()
    query = request.scope["query_string"]
    account_id = NOBODY
    weight = 0
    try:
        params = _params(query, body if request.method != "GET" else b"")
        weight = verb.weight_of(params)
        world.limits.spend(weight, world.now_ms())
        if verb.access is Access.SIGNED:
            credential = world.keys.credential(request.headers.get("X-MBX-APIKEY"))
            signed_body = b"" if request.method == "GET" else body
            sign.check_rest(credential, query, signed_body, params, world.now_ms())
            account_id = credential.account_id
        fault = world.faults.next_for(verb.fault_target) if verb.fault_target else None
        if fault is not None:
            return await _with_fault(fault, request, verb, account_id, params)
        shown = verb.run(world, account_id, params)
    except WireError as problem:
        return _problem(world, problem)
    if verb.is_trading:
        world.limits.refund(weight, world.now_ms())
    return _response(world, shown, account_id if verb.is_trading else None)


async def _with_fault(fault: Fault, request: Request, verb: Verb, account_id: AccountId, params: Params) -> Response:
    world: World = request.app.state.world
    response = Response(status_code=500)
    if fault.is_executed:
        response = _response(world, verb.run(world, account_id, params), account_id)
    if fault.delay_s:
        await asyncio.sleep(fault.delay_s)
    match fault.kind:
        case FaultKind.DELAY:
            return response
        case FaultKind.DROP:
            request.scope[ABORT]()
            while (await request.receive())["type"] != "http.disconnect":
                pass
            return Response(status_code=500)
        case FaultKind.HTML:
            return Response("<html><body><h1>502 Bad Gateway</h1></body></html>", 502, media_type="text/html")
        case FaultKind.STATUS:
            message = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
            return _problem(world, WireError(fault.code, message, status=fault.status))


def _params(query: bytes, body: bytes) -> Params:
    """Of query and form body together; the query wins on a clash."""
    try:
        values = dict(parse_qsl(body.decode(), keep_blank_values=True))
        values.update(parse_qsl(query.decode(), keep_blank_values=True))
    except UnicodeDecodeError:
        raise WireError(-1100, "Illegal characters found in a parameter.") from None
    return Params(values)


def _response(world: World, shown: object, account_id: AccountId | None) -> Response:
    response = Response(_encoder.encode(shown), media_type="application/json")
    now_ms = world.now_ms()
    _add_weight(world, response, now_ms)
    if account_id is not None:
        short, day = world.limits.order_counts(account_id, now_ms)
        response.headers["X-MBX-ORDER-COUNT-10S"] = str(short)
        response.headers["X-MBX-ORDER-COUNT-1D"] = str(day)
    return response


def _problem(world: World, problem: WireError) -> Response:
    response = Response(_encoder.encode(problem.body), problem.status, media_type="application/json")
    _add_weight(world, response, world.now_ms())
    if problem.retry_after_s is not None:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    return response


def _add_weight(world: World, response: Response, now_ms: int) -> None:
    used = str(world.limits.used_weight(now_ms))
    response.headers["X-MBX-USED-WEIGHT"] = used
    response.headers["X-MBX-USED-WEIGHT-1M"] = used


def _unknown(request: Request) -> Response:
    is_known_path = any(path == request.url.path for _, path in REST)
    if is_known_path and request.method in _METHODS:
        return Response(
            _encoder.encode({"code": -1000, "msg": f"Request method '{request.method}' not supported."}),
            405,
            media_type="application/json",
        )
    return Response("<html><body><h2>404 Not found</h2></body></html>", 404, media_type="text/html")
