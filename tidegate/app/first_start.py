"""What every start makes sure of before a role runs: a tenant, a trading account, a key for the command line."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tidegate.accounts.model import Scope
from tidegate.accounts.service import ApiKeys, ensure_tenant, renew_setup_token
from tidegate.domain.ids import Environment
from tidegate.kit.clock import Clock
from tidegate.kit.db import Database

CLI_KEY_FILE = "cli-key"
SIMULATOR = "simulator"


@dataclass(frozen=True, slots=True)
class FirstStart:
    """What the supervisor may print."""

    setup_token: str | None  # while nobody can log in


async def make_ready(database: Database, data_dir: Path, clock: Clock) -> FirstStart:
    """Everything that an empty, upgraded database lacks; the second time it changes nothing but the set-up token."""
    tenant_id = await ensure_tenant(database, clock=clock, venue=SIMULATOR, environment=Environment.SIMULATION)
    keys = ApiKeys(database, clock=clock)
    file = data_dir / CLI_KEY_FILE
    if not await keys.is_valid(read_cli_key(data_dir) or ""):
        _, secret = await keys.issue(tenant_id, f"command line of {data_dir}"[:80], Scope.TRADE)
        _keep(file, secret)
    return FirstStart(await renew_setup_token(database, tenant_id))


def read_cli_key(data_dir: Path) -> str | None:
    """The key by which the command line on this machine is let in, or None where it has none."""
    with suppress(FileNotFoundError):
        return (data_dir / CLI_KEY_FILE).read_text().strip()
    return None


def _keep(file: Path, secret: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        handle.write(secret)
    draft.replace(file)
