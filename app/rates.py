"""How much one visitor may ask, and who a visitor is: the address behind the proxies that are trusted."""

import math
import re
import time
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from app.settings import Settings

Networks = Sequence[IPv4Network | IPv6Network]
# uvicorn, below us, already takes the word of a proxy on this machine; so do we, or the two would disagree.
_THIS_MACHINE: Networks = (IPv4Network("127.0.0.1"), IPv6Network("::1"))
_IPV6_HOME = 64  # one subscriber is given at least this network, and so any number of addresses in it
_PORT = re.compile(r"^(?:\[(?P<v6>[^\]]+)\]|(?P<v4>[\d.]+))(?::\d+)?$")


class Limiter:
    """Counts messages per key over the last minute, in this process's memory and nowhere else."""

    def __init__(self, settings: Settings) -> None:
        """Take the rates from the settings; a rate of 0 is no limit."""
        self._window = MovingWindowRateLimiter(MemoryStorage())
        self._session = _per_minute(settings.session_rate)
        self._address = _per_minute(settings.address_rate)

    def session_wait_s(self, session: str) -> int:
        """Count one message of a page; return 0, or the seconds after which the next one is taken."""
        return self._wait_s(self._session, f"session {session}")

    def address_wait_s(self, address: str) -> int:
        """Count one request of an address; return 0, or the seconds after which the next one is taken."""
        return self._wait_s(self._address, f"address {_subscriber(address)}")

    def _wait_s(self, rate: RateLimitItem | None, key: str) -> int:
        if rate is None or self._window.hit(rate, key):
            return 0
        free_at, _ = self._window.get_window_stats(rate, key)
        return max(1, math.ceil(free_at - time.time()))


def _per_minute(rate: int) -> RateLimitItem | None:
    return RateLimitItemPerMinute(rate) if rate else None


def client_address(peer: str, forwarded: str, trusted: Networks) -> str:
    """Return the address of the visitor's own machine, as far as it can be known.

    Every proxy appends whom it was called by, so the list is read from the right, and only as long as the one who wrote
    the entry is trusted: a visitor can write any entries to the left of that.

    Args:
        peer: the address at the other end of the connection.
        forwarded: the X-Forwarded-For header, or "".
        trusted: networks of proxies whose word is taken, beside a proxy on this machine.

    >>> client_address("10.0.0.1", "6.6.6.6, 203.0.113.9", [IPv4Network("10.0.0.0/8")])
    '203.0.113.9'

    """
    address = peer
    for claimed in reversed(forwarded.split(",")):
        speaker, next_address = _parse(address), _parse(claimed)
        if speaker is None or next_address is None or not any(speaker in n for n in (*_THIS_MACHINE, *trusted)):
            break
        address = str(next_address)
    return address


def _subscriber(address: str) -> str:
    """Return what one subscriber has in common: an IPv4 address, or the network of an IPv6 one."""
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((parsed, _IPV6_HOME), strict=False))
    return address


def _parse(address: str) -> IPv4Address | IPv6Address | None:
    """Read an address as proxies write it: bare, in brackets, with a port."""
    bare = address.strip()
    if with_port := _PORT.match(bare):
        bare = with_port["v6"] or with_port["v4"]
    try:
        parsed = ip_address(bare)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed
