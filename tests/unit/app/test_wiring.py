"""Real venues serve public data and nothing else."""

from pathlib import Path

import pytest

from tidegate.accounts.model import TradingAccount
from tidegate.app.settings import Settings
from tidegate.app.wiring import client_of, hosts_of, open_market, open_venue
from tidegate.domain.errors import Forbidden, Invalid
from tidegate.domain.ids import AccountId, Environment, TenantId
from tidegate.kit.clock import SystemClock
from tidegate.venues.binance.client import RestClient
from tidegate.venues.binance.hosts import LIVE, TESTNET, Hosts
from tidegate.venues.binance.market import BinanceMarket


def some_settings(tmp_path: Path, **changes: object) -> Settings:
    values: dict[str, object] = {"data_dir": tmp_path, "simulator_url": "http://127.0.0.1:9", **changes}
    return Settings(**values)  # type: ignore[arg-type]


def an_account(venue: str = "simulator", environment: Environment = Environment.SIMULATION) -> TradingAccount:
    return TradingAccount(AccountId("a"), TenantId("t"), "main", venue, environment, 0)


@pytest.mark.parametrize("hosts", [LIVE, TESTNET])
def test_a_trading_venue_on_a_real_host_is_refused_even_for_a_simulated_account(tmp_path: Path, hosts: Hosts) -> None:
    settings = some_settings(tmp_path, DRY_RUN_MODE=False)
    with pytest.raises(Forbidden, match="is a real venue") as refused:
        open_venue(an_account(), settings, RestClient(hosts, clock=SystemClock()))
    assert refused.value.code == "wiring.live_closed"


@pytest.mark.parametrize(
    ("is_dry_run", "code"), [(True, "wiring.dry_run"), (False, "wiring.live_closed")], ids=["dry run", "live"]
)
@pytest.mark.parametrize("environment", [Environment.LIVE, Environment.TESTNET])
def test_an_account_at_a_real_venue_may_not_trade(
    tmp_path: Path, environment: Environment, is_dry_run: bool, code: str
) -> None:
    settings = some_settings(tmp_path, DRY_RUN_MODE=is_dry_run)
    with pytest.raises(Forbidden) as refused:
        open_venue(an_account("binance", environment), settings, client_of(settings, SystemClock()))
    assert refused.value.code == code


def test_public_data_of_a_real_host_is_allowed(tmp_path: Path) -> None:
    client = RestClient(LIVE, clock=SystemClock())
    assert isinstance(open_market(client, some_settings(tmp_path)), BinanceMarket)


def test_a_simulator_address_on_the_internet_is_no_simulator(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="private network"):
        hosts_of(some_settings(tmp_path, simulator_url="https://api.binance.com"))


@pytest.mark.parametrize(("fence_ms", "window_ms"), [(15_000, 5_000), (3_000, 2_000), (500, 1)])
def test_no_request_can_outlive_the_fence(tmp_path: Path, fence_ms: int, window_ms: int) -> None:
    client = client_of(some_settings(tmp_path, fence_ms=fence_ms), SystemClock())
    assert client.recv_window_ms == window_ms
