"""The two WebSocket fronts: market streams, and the WebSocket API with account events."""

import asyncio
import json
from collections.abc import Mapping

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from tidegate.domain.errors import Invalid
from tidegate.domain.ids import AccountId
from tidegate.venues.simulator import sign
from tidegate.venues.simulator.bars import INTERVALS
from tidegate.venues.simulator.routes import WS_API
from tidegate.venues.simulator.streams import (
    STREAMS_MAX,
    TAPE_STREAM,
    Outbox,
    StreamConnection,
    is_stream_kind,
    wrapped,
)
from tidegate.venues.simulator.verbs import NOBODY, Access
from tidegate.venues.simulator.wire import Params, WireError
from tidegate.venues.simulator.world import World

_encoder = msgspec.json.Encoder()


async def market_streams(socket: WebSocket) -> None:
    """`/ws/a/b` sends payloads bare, `/stream?streams=a/b` wraps them."""
    world: World = socket.app.state.world
    await socket.accept()
    outbox = Outbox(socket)
    path = socket.url.path
    connection = StreamConnection(outbox, is_combined=path.startswith("/stream"))
    named = socket.query_params.get("streams", "") if connection.is_combined else path.removeprefix("/ws")
    # A client may number its connections: /ws/0 names no stream.
    first = [name for name in named.split("/") if name and not name.isdigit()]
    _subscribe(world, connection, [name for name in first if _is_stream(world, name)])
    writer = asyncio.create_task(outbox.write_all())
    try:
        while not outbox.is_closed:
            outbox.put(_encoder.encode(_stream_answer(world, connection, await socket.receive_text())))
    except WebSocketDisconnect:
        pass  # the client has gone; the writer ends below
    finally:
        world.streams.remove(connection)
        outbox.close()
        await writer


def _stream_answer(world: World, connection: StreamConnection, text: str) -> dict[str, object]:
    try:
        asked = json.loads(text)
    except ValueError:
        return {"code": 3, "msg": "Invalid JSON: expected value", "id": None}
    if not isinstance(asked, dict) or "method" not in asked:
        return {"code": 2, "msg": "Invalid request: missing field `method`", "id": None}
    params = asked.get("params", [])
    if not isinstance(params, list):
        return {"code": 2, "msg": "Invalid request: params must be a list", "id": asked.get("id")}
    try:
        result = _stream_result(world, connection, asked["method"], params)
    except Invalid as problem:
        return {"code": 2, "msg": f"Invalid request: {problem}", "id": asked.get("id")}
    return {"result": result, "id": asked.get("id")}


def _stream_result(world: World, connection: StreamConnection, method: object, params: list[object]) -> object:
    names = [name for name in params if isinstance(name, str)]
    match method:
        case "LIST_SUBSCRIPTIONS":
            return sorted(connection.subscribed)
        case "SUBSCRIBE":
            wrong = [name for name in params if not isinstance(name, str) or not _is_stream(world, name)]
            if wrong or len(connection.subscribed) + len(names) > STREAMS_MAX:
                raise Invalid(f"invalid stream {wrong[:1]}")
            _subscribe(world, connection, names)
        case "UNSUBSCRIBE":
            world.streams.unsubscribe(connection, names)
        case "SET_PROPERTY" if names == ["combined"] and len(params) == 2:
            connection.is_combined = bool(params[1])
        case "GET_PROPERTY" if params == ["combined"]:
            return connection.is_combined
        case _:
            raise Invalid(f"unknown variant `{method}`")
    return None


def _subscribe(world: World, connection: StreamConnection, names: list[str]) -> None:
    world.streams.subscribe(connection, names)
    if TAPE_STREAM in names and world.mark:
        # Who comes late has missed nothing but this mark: everything before it has been sent.
        mark = _encoder.encode({"e": "tapeAdvanced", "E": world.at // 1_000, "n": world.mark})
        connection.outbox.put(wrapped(TAPE_STREAM, mark))


def _is_stream(world: World, name: str) -> bool:
    if name == TAPE_STREAM:
        return True
    symbol, found, kind = name.partition("@")
    return bool(found) and symbol.upper() in world.markets and is_stream_kind(kind, INTERVALS)


async def web_socket_api(socket: WebSocket) -> None:
    """Requests with an id and their answers; account events arrive on the same socket."""
    world: World = socket.app.state.world
    await socket.accept()
    outbox = Outbox(socket)
    world.accounts.connect(outbox)
    writer = asyncio.create_task(outbox.write_all())
    try:
        while not outbox.is_closed:
            outbox.put(_encoder.encode(_api_answer(world, outbox, await socket.receive_text())))
    except WebSocketDisconnect:
        pass  # the client has gone; the writer ends below
    finally:
        world.accounts.disconnect(outbox)
        outbox.close()
        await writer


def _api_answer(world: World, outbox: Outbox, text: str) -> dict[str, object]:
    number: object = None
    shows_limits = True
    try:
        number, method, values = _read(text)
        shows_limits = values.get("returnRateLimits") != "false"
        result = _api_result(world, outbox, method, values)
        answer: dict[str, object] = {"id": number, "status": 200, "result": result}
    except WireError as problem:
        body = problem.body
        if problem.retry_after_s is not None:
            now_ms = world.now_ms()
            body = body | {"data": {"serverTime": now_ms, "retryAfter": now_ms + problem.retry_after_s * 1_000}}
        answer = {"id": number, "status": problem.status, "error": body}
        number = answer["id"]
    if shows_limits:
        used = world.limits.used_weight(world.now_ms())
        answer["rateLimits"] = [world.limits.as_rows()[0] | {"count": used}]
    return answer


def _api_result(world: World, outbox: Outbox, method: str, values: Mapping[str, str]) -> object:
    now_ms = world.now_ms()
    if method in _SESSION:
        world.limits.spend(2, now_ms)
        return _SESSION[method](world, outbox, values)
    verb = WS_API.get(method)
    if verb is None:
        raise WireError(-1000, f"Unknown method '{method}'.")
    params = Params(values)
    weight = verb.weight_of(params)
    world.limits.spend(weight, now_ms)
    account_id = _signer(world, values) if verb.access is Access.SIGNED else NOBODY
    result = verb.run(world, account_id, params)
    if verb.is_trading:
        world.limits.refund(weight, now_ms)
    return result


def _subscribe_account(world: World, outbox: Outbox, values: Mapping[str, str]) -> object:
    made = world.accounts.subscribe(outbox, _signer(world, values))
    if made is None:
        raise WireError(-2035, "User Data Stream subscription already active.")
    if world.mark:
        asyncio.get_running_loop().call_soon(world.accounts.mark_one, made, world.mark, world.at // 1_000)
    return {"subscriptionId": made.number}


def _unsubscribe_account(world: World, outbox: Outbox, values: Mapping[str, str]) -> object:
    world.accounts.unsubscribe(outbox, Params(values).integer_or_none("subscriptionId"))
    return {}


def _subscriptions(world: World, outbox: Outbox, values: Mapping[str, str]) -> object:
    return [{"subscriptionId": found.number} for found in world.accounts.of(outbox)]


def _session(world: World, outbox: Outbox, values: Mapping[str, str]) -> object:
    return {
        "apiKey": None,
        "authorizedSince": None,
        "connectedSince": None,
        "returnRateLimits": True,
        "serverTime": world.now_ms(),
        "userDataStream": bool(world.accounts.of(outbox)),
    }


_SESSION = {
    "userDataStream.subscribe.signature": _subscribe_account,
    "userDataStream.unsubscribe": _unsubscribe_account,
    "session.subscriptions": _subscriptions,
    "session.status": _session,
}


def _signer(world: World, values: Mapping[str, str]) -> AccountId:
    credential = world.keys.credential(values.get("apiKey"))
    sign.check_ws(credential, values, world.now_ms())
    return credential.account_id


def _read(text: str) -> tuple[object, str, dict[str, str]]:
    try:
        asked = json.loads(text)
    except ValueError:
        raise WireError(-1135, "Invalid JSON Request") from None
    if not isinstance(asked, dict) or not isinstance(asked.get("method"), str):
        raise WireError(-1135, "Invalid JSON Request: a method is needed.")
    params = asked.get("params") or {}
    if not isinstance(params, dict):
        raise WireError(-1135, "Invalid JSON Request: params must be an object.")
    return asked.get("id"), asked["method"], {name: _as_text(value) for name, value in params.items()}


def _as_text(value: object) -> str:
    # Numbers and flags may come bare; their signature covers the JSON spelling.
    return value if isinstance(value, str) else json.dumps(value)
