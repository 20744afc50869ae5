"""Which hosts are live, testnet or a simulator: what is not known to be harmless counts as live."""

import pytest

from tidegate.domain.errors import Invalid
from tidegate.venues.binance.hosts import LIVE, TESTNET, HostClass, Hosts, simulator_hosts


def test_the_tables_hosts_are_what_they_say() -> None:
    assert LIVE.host_class is HostClass.LIVE
    assert TESTNET.host_class is HostClass.TESTNET


@pytest.mark.parametrize("host", ["127.0.0.1:9000", "localhost:9000", "[::1]:9000", "10.1.2.3:80", "simulator:9000"])
def test_this_machine_and_private_networks_may_be_a_simulator(host: str) -> None:
    hosts = simulator_hosts(f"http://{host}/", f"ws://{host}", f"ws://{host}/ws-api/v3")
    assert hosts.host_class is HostClass.SIMULATOR
    assert hosts.rest == f"http://{host}"


@pytest.mark.parametrize(
    "url", ["https://api.binance.com", "https://api1.binance.us", "https://evil.example", "", "https://8.8.8.8"]
)
def test_any_other_host_is_live_and_no_simulator(url: str) -> None:
    local = "ws://127.0.0.1:1"
    assert Hosts(url, local, local).host_class is HostClass.LIVE
    assert Hosts("http://127.0.0.1:1", local, url).host_class is HostClass.LIVE
    with pytest.raises(Invalid, match="private network"):
        simulator_hosts("http://127.0.0.1:1", local, url)


def test_a_name_that_only_begins_like_the_testnet_is_live() -> None:
    assert Hosts("https://testnet.binance.vision.evil.example", "ws://a", "ws://a").host_class is HostClass.LIVE
    assert Hosts("https://data-api.binance.vision", "ws://a", "ws://a").host_class is HostClass.LIVE
