"""How much one visitor may ask, and who a visitor is."""

import time
from ipaddress import ip_network

import pytest

from app.rates import Limiter, client_address
from app.settings import Settings

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "1.1.1.1", "203.0.113.9"),  # a stranger's word is not taken
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),  # what a visitor wrote stands to the left
        ("10.0.0.1", "6.6.6.6, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9, <script>", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1," * 10_000 + "203.0.113.9", "203.0.113.9"),
    ],
)
def test_only_trusted_proxies_say_who_the_visitor_is(peer: str, forwarded: str, expected: str) -> None:
    """The rightmost address that a trusted proxy wrote and that is no proxy itself."""
    assert client_address(peer, forwarded, PROXIES) == expected


def test_each_page_and_each_address_has_its_own_count() -> None:
    """One visitor's haste holds back nobody else."""
    limiter = Limiter(Settings(session_rate=2, address_rate=3))
    assert [limiter.session_wait_s("a") > 0 for _ in range(3)] == [False, False, True]
    assert limiter.session_wait_s("b") == 0
    assert [limiter.address_wait_s("1.2.3.4") > 0 for _ in range(4)] == [False, False, False, True]
    assert limiter.address_wait_s("1.2.3.5") == 0


def test_the_addresses_of_one_ipv6_home_count_as_one() -> None:
    """A subscriber has more IPv6 addresses than anybody could count."""
    limiter = Limiter(Settings(address_rate=2))
    waits = [limiter.address_wait_s(f"2001:db8:1:2::{n}") for n in range(3)]
    assert [wait > 0 for wait in waits] == [False, False, True]
    assert limiter.address_wait_s("2001:db8:1:3::1") == 0


def test_zero_is_no_limit() -> None:
    """A deployment may leave limits to its own proxy."""
    limiter = Limiter(Settings(session_rate=0, address_rate=0))
    assert not any(limiter.session_wait_s("a") or limiter.address_wait_s("b") for _ in range(1000))


def test_after_the_wait_the_next_message_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry-After is true: a second too early is refused, the named second is not."""
    limiter = Limiter(Settings(session_rate=1))
    assert limiter.session_wait_s("a") == 0
    start = time.time()
    wait = limiter.session_wait_s("a")
    monkeypatch.setattr(time, "time", lambda: start + wait - 2)
    assert limiter.session_wait_s("a") > 0
    monkeypatch.setattr(time, "time", lambda: start + wait + 1)
    assert limiter.session_wait_s("a") == 0


def test_counts_are_forgotten_after_their_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred thousand strangers leave nothing behind."""
    limiter = Limiter(Settings(address_rate=5))
    storage = limiter._window.storage
    start = time.time()
    for n in range(2000):
        limiter.address_wait_s(f"10.{n // 256}.{n % 256}.1")
    monkeypatch.setattr(time, "time", lambda: start + 120)
    limiter.address_wait_s("192.0.2.1")
    storage.timer.join()
    assert sum(map(len, storage.events.values())) <= 1
