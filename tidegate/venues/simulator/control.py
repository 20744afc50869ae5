"""The control API under /_control, for supervisors and tests on this machine; every call needs the token."""

import hmac
from collections.abc import Callable
from decimal import Decimal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.domain.errors import Invalid
from tidegate.domain.ids import AccountId
from tidegate.exchange import Refusal
from tidegate.venues.simulator import order_frames
from tidegate.venues.simulator.account_verbs import orders_of
from tidegate.venues.simulator.faults import Fault, FaultKind, FaultTarget
from tidegate.venues.simulator.player import Player
from tidegate.venues.simulator.trading_verbs import lists_of
from tidegate.venues.simulator.world import World

TOKEN_HEADER = "X-Control-Token"
_encoder = msgspec.json.Encoder()


class Acknowledge(msgspec.Struct, forbid_unknown_fields=True):
    """Lockstep: everybody behind the caller is done with this position."""

    position: int


class DropFrames(msgspec.Struct, forbid_unknown_fields=True):
    """Lose the next frames of one stream, such as btcusdt@kline_1m."""

    stream: str
    count: int = 1


class PlanFault(msgspec.Struct, forbid_unknown_fields=True):
    """What the next order requests meet."""

    kind: FaultKind
    on: FaultTarget = FaultTarget.PLACE
    count: int = 1
    is_executed: bool = True
    delay_s: float = 0.0
    status: int = 504
    code: int = -1007


class Deposit(msgspec.Struct, forbid_unknown_fields=True):
    """Money from outside; the key names the account."""

    key: str
    asset: str
    quantity: Decimal


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """A call without parameters."""


def _acknowledge(world: World, player: Player, asked: Acknowledge) -> dict[str, object]:
    if not player.gate.acknowledge(asked.position):
        raise Invalid(f"position {asked.position} has not come yet; the tape stands at {player.gate.position}.")
    return {"position": player.gate.position}


def _drop(world: World, player: Player, asked: Nothing) -> dict[str, object]:
    return {"closed": world.drop_connections()}


def _drop_frames(world: World, player: Player, asked: DropFrames) -> dict[str, object]:
    world.streams.omit(asked.stream, asked.count)
    return {}


def _plan_fault(world: World, player: Player, asked: PlanFault) -> dict[str, object]:
    fault = Fault(
        kind=asked.kind,
        on=asked.on,
        is_executed=asked.is_executed,
        delay_s=asked.delay_s,
        status=asked.status,
        code=asked.code,
    )
    world.faults.plan(fault, asked.count)
    return {"left": world.faults.left}


def _clear_faults(world: World, player: Player, asked: Nothing) -> dict[str, object]:
    world.faults.clear()
    return {"met": world.faults.met}


def _deposit(world: World, player: Player, asked: Deposit) -> dict[str, object]:
    world.deposit(AccountId(asked.key), asked.asset, asked.quantity)
    return {}


def _state(world: World, player: Player) -> dict[str, object]:
    """The books of all accounts, the truth that a crash test compares with."""
    state, symbols = world.exchange.state, world.exchange.symbols
    accounts = {
        str(account_id): {
            "balances": [order_frames.balance(entry) for entry in state.balances_of(account_id)],
            "orders": [
                order_frames.queried(order) for symbol in symbols for order in orders_of(world, account_id, symbol)
            ],
            "trades": [
                order_frames.own_trade(trade) for symbol in symbols for trade in state.trades_of(account_id, symbol)
            ],
            "lists": [order_frames.order_list(found) for found in lists_of(world, account_id)],
        }
        for account_id in state.accounts()
    }
    return {
        "accounts": accounts,
        "journal_sequence": world.journal.sequence,
        "tape_position": world.position,
        "mark": world.mark,
        "tape_at_ms": world.at // 1_000,
        "tape_has_ended": player.has_ended,
        "account_listeners": world.accounts.listeners,
        "faults_left": world.faults.left,
        "faults_met": world.faults.met,
    }


_CALLS: dict[str, tuple[type[msgspec.Struct], Callable[..., dict[str, object]]]] = {
    "acknowledge": (Acknowledge, _acknowledge),
    "drop": (Nothing, _drop),
    "drop_frames": (DropFrames, _drop_frames),
    "faults": (PlanFault, _plan_fault),
    "clear_faults": (Nothing, _clear_faults),
    "deposit": (Deposit, _deposit),
}


async def control(request: Request) -> Response:
    """GET state, POST all else."""
    token = request.headers.get(TOKEN_HEADER, "")
    if not hmac.compare_digest(token.encode(), request.app.state.control_token.encode()):
        return _answer({"detail": f"{TOKEN_HEADER} is missing or wrong."}, 403)
    world: World = request.app.state.world
    player: Player = request.app.state.player
    name = request.path_params["name"]
    if request.method == "GET" and name == "state":
        return _answer(_state(world, player))
    if request.method != "POST" or name not in _CALLS:
        return _answer({"detail": f"{request.method} {name} does not exist."}, 404)
    kind, act = _CALLS[name]
    try:
        asked = msgspec.json.decode(await request.body() or b"{}", type=kind)
        return _answer(act(world, player, asked))
    except (msgspec.ValidationError, msgspec.DecodeError, Invalid, Refusal) as problem:
        return _answer({"detail": str(problem)}, 422)


def _answer(shown: dict[str, object], status: int = 200) -> Response:
    return Response(_encoder.encode(shown), status, media_type="application/json")
