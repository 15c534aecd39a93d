import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.door.client import Proxies

TRUSTED = Proxies(("10.0.0.0/8", "192.0.2.1", "fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("203.0.113.5", "", "203.0.113.5"),
        ("203.0.113.5", "198.51.100.1", "203.0.113.5"),  # a stranger may write what it likes
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),  # left of the first stranger anybody may have written
        ("10.0.0.1", "6.6.6.6,198.51.100.1,192.0.2.1,10.9.9.9", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.7, 10.0.0.8", "10.0.0.7"),
        ("10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:10.0.0.1", "", "10.0.0.1"),
        ("fd00::1", "198.51.100.1", "198.51.100.1"),
        ("", "198.51.100.1", ""),
    ],
)
def test_the_nearest_stranger(peer: str, forwarded_for: str, client: str) -> None:
    assert TRUSTED.client(peer, forwarded_for) == client


@given(st.ip_addresses(), st.text())
def test_without_trusted_proxies_the_header_says_nothing(peer: ipaddress.IPv4Address, header: str) -> None:
    assert Proxies(()).client(str(peer), header) == Proxies(()).client(str(peer), None)


@given(st.text())
def test_what_a_trusted_proxy_sends_is_an_address_or_passed_over(header: str) -> None:
    ipaddress.ip_address(TRUSTED.client("10.0.0.1", header))


@pytest.mark.parametrize(
    ("peer", "forwarded_proto", "scheme"),
    [
        ("10.0.0.1", "https", "https"),
        ("10.0.0.1", "HTTPS, http", "https"),
        ("10.0.0.1", "gopher", "http"),
        ("10.0.0.1", None, "http"),
        ("203.0.113.5", "https", "http"),
    ],
)
def test_the_scheme_that_the_visitor_saw(peer: str, forwarded_proto: str | None, scheme: str) -> None:
    assert TRUSTED.scheme(peer, "http", forwarded_proto) == scheme
