"""Where Binance is: its public hosts, its testnet, or a simulator that speaks like it."""

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from tidegate.domain.errors import Invalid

_TESTNET_DOMAIN = "testnet.binance.vision"


class HostClass(StrEnum):
    """Whose money is behind a host."""

    LIVE = "live"
    TESTNET = "testnet"
    SIMULATOR = "simulator"


@dataclass(frozen=True, slots=True)
class Hosts:
    """The three doors of one environment, without a trailing slash."""

    rest: str
    stream: str
    ws_api: str
    silence_s_max: float = 15.0  # a market connection that says nothing for so long is given up

    @property
    def host_class(self) -> HostClass:
        """What the least trusted of the three doors is; an unknown host counts as live."""
        classes = {_class_of(url) for url in (self.rest, self.stream, self.ws_api)}
        return next(one for one in HostClass if one in classes)

    @property
    def name(self) -> str:
        """Host and port of the REST door, for logs and health."""
        return urlsplit(self.rest).netloc


LIVE = Hosts("https://api.binance.com", "wss://stream.binance.com:9443", "wss://ws-api.binance.com:443/ws-api/v3")
TESTNET = Hosts(
    "https://testnet.binance.vision",
    "wss://stream.testnet.binance.vision:9443",
    "wss://ws-api.testnet.binance.vision/ws-api/v3",
)


def simulator_hosts(rest: str, stream: str, ws_api: str) -> Hosts:
    """The hosts of a simulator; `Invalid` when one of them is not on this machine or a private network.

    A replay of 1m candles says nothing for a minute, so its silence means less than a venue's.
    """
    hosts = Hosts(rest.rstrip("/"), stream.rstrip("/"), ws_api.rstrip("/"), silence_s_max=75.0)
    if hosts.host_class is not HostClass.SIMULATOR:
        raise Invalid(
            f"A simulator must be on this machine or a private network, {rest}, {stream}, {ws_api} are not all.",
            code="venue.host_not_private",
        )
    return hosts


def _class_of(url: str) -> HostClass:
    host = urlsplit(url).hostname or ""
    if host == _TESTNET_DOMAIN or host.endswith(f".{_TESTNET_DOMAIN}"):
        return HostClass.TESTNET
    try:
        is_private = ipaddress.ip_address(host).is_private
    except ValueError:
        is_private = bool(host) and "." not in host  # a name that only the local network resolves
    return HostClass.SIMULATOR if is_private else HostClass.LIVE
