"""What `tidegate up` starts: which parts, with which command lines, reachable where."""

import os
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tidegate.app import servers
from tidegate.app.cli.client import url_of
from tidegate.app.settings import Settings
from tidegate.app.supervisor import Part
from tidegate.domain.errors import Unavailable

OURSELVES = (sys.executable, "-m", "tidegate.app.cli")
UNIX = "unix://"
_SUPERVISED = (*OURSELVES, "--supervised")
_TOGETHER = ("engine", "api")  # on a database file, the engine has ingest and signals inside
_APART = ("ingest", "signals", "engine", "relay", "api")
_STOP_S = {"api": 2.0, "engine": 3.0}
_STOP_S_ELSE = 1.0  # all together below ten


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line asks for."""

    replay: tuple[str, ...]
    speed: str
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All parts; None where the settings name something that runs already."""

    url: str
    redis_url: str
    simulator_url: str
    valkey: Part | None
    simulator: Part | None
    roles: tuple[Part, ...]

    def trading(self, symbols: Sequence[str]) -> "Plan":
        """The same with what a replay trades, which is known once it plays."""
        named = {"TIDEGATE_SYMBOLS": ",".join(symbols)}
        return replace(
            self, roles=tuple(replace(role, environment={**role.environment, **named}) for role in self.roles)
        )


def plan_of(settings: Settings, wish: Wish) -> Plan:
    """Every address is settled before anything runs, and stays when a part starts again; `Unavailable` names a port."""
    port = settings.port or _free_port()
    _refuse_busy_port(settings.host, port)
    socket_path = None if settings.redis_url else _socket_path(settings.data_dir)
    simulator_port = None if settings.simulator_url else _free_port()
    told = {
        "TIDEGATE_DATA_DIR": str(settings.data_dir),
        "TIDEGATE_PORT": str(port),
        "TIDEGATE_REDIS_URL": settings.redis_url or f"{UNIX}{socket_path}",
        "TIDEGATE_SIMULATOR_URL": settings.simulator_url or f"http://127.0.0.1:{simulator_port}",
    }
    if wish.speed == "step":
        told["TIDEGATE_LOCKSTEP"] = "true"
    return Plan(
        url=url_of(settings.host, port),
        redis_url=told["TIDEGATE_REDIS_URL"],
        simulator_url=told["TIDEGATE_SIMULATOR_URL"],
        valkey=_valkey(socket_path) if socket_path else None,
        simulator=_simulator(wish, simulator_port) if simulator_port else None,
        roles=tuple(_role(name, told) for name in (_TOGETHER if settings.is_embedded else _APART)),
    )


def _role(name: str, told: dict[str, str]) -> Part:
    return Part(name=name, command=(*_SUPERVISED, name), environment=told, stop_s=_STOP_S.get(name, _STOP_S_ELSE))


def _simulator(wish: Wish, port: int) -> Part:
    options = ["--port", str(port), "--seed", str(wish.seed), "--speed", wish.speed]
    for file in wish.replay:
        options += ["--replay", file]
    return Part(name="simulator", command=(*_SUPERVISED, "simulator", *options), stop_s=_STOP_S_ELSE)


def _valkey(place: Path) -> Part:
    return Part(
        name="valkey",
        command=servers.valkey_command(place),
        probe=lambda: servers.answers(place),
        stop_s=_STOP_S_ELSE,
    )


def _socket_path(folder: Path) -> Path:
    """In the data folder, or in a short one where its path would be too long for a socket."""
    place = folder / "valkey.sock"
    if len(os.fsencode(place)) > servers.SOCKET_PATH_BYTES_MAX:
        return Path(tempfile.mkdtemp(prefix="tidegate-")) / place.name
    return place


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _refuse_busy_port(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Unavailable(
                f"Port {port} of {host} cannot be used ({error.strerror}): stop what uses it, or set TIDEGATE_PORT.",
                code="up.port_busy",
            ) from None
