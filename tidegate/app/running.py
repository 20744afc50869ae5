"""Where a supervised Tidegate can be reached, in a file of the data folder for as long as it runs."""

import os
from contextlib import suppress
from pathlib import Path

import msgspec

RUNNING_FILE = "running.json"


class Running(msgspec.Struct, frozen=True):
    """What others on this machine need to find it."""

    pid: int  # of the supervisor
    url: str
    redis_url: str
    simulator_url: str


def running_in(folder: Path) -> Running | None:
    """What runs on this data folder; None when nothing does, or whoever did was killed."""
    found = last_in(folder)
    return found if found is not None and _is_alive(found.pid) else None


def last_in(folder: Path) -> Running | None:
    """The same, alive or not: what a killed supervisor may have left behind."""
    with suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode((folder / RUNNING_FILE).read_bytes(), type=Running)
    return None


def note(folder: Path, running: Running) -> None:
    """Tell others."""
    draft = folder / f".{RUNNING_FILE}"
    draft.write_bytes(msgspec.json.encode(running))
    draft.replace(folder / RUNNING_FILE)


def forget(folder: Path) -> None:
    """It does not run any more."""
    (folder / RUNNING_FILE).unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
