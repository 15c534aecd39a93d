"""Where a request came from, and how, when proxies stand between."""

import ipaddress
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Proxies:
    """What the trusted ones say of the visitor is believed; what anybody else says is not."""

    def __init__(self, trusted: Sequence[str]) -> None:
        self._networks = tuple(ipaddress.ip_network(value, strict=False) for value in trusted)

    def client(self, peer: str, forwarded_for: str | None) -> str:
        """The nearest address that is no proxy of ours: X-Forwarded-For read from the right, as far as it is trusted.

        What stands left of that anybody may have written. Something that is no address ends the walk.
        """
        current = _parse(peer) if self._networks and forwarded_for else None
        if current is None or forwarded_for is None:
            return peer.removeprefix("::ffff:")
        hops = forwarded_for.split(",")
        while hops and self._trusts(current):
            hop = _parse(hops.pop())
            if hop is None:
                break
            current = hop
        return str(current)

    def scheme(self, peer: str, own: str, forwarded_proto: str | None) -> str:
        """`https` or `http` as the visitor saw it; `own` is that of the last hop, to us."""
        address = _parse(peer) if self._networks and forwarded_proto else None
        if address is None or forwarded_proto is None or not self._trusts(address):
            return own
        said = forwarded_proto.split(",")[0].strip().lower()
        return said if said in ("http", "https") else own

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def _parse(text: str) -> Address | None:
    """With or without a port or brackets; an IPv4 address that came over IPv6 is the IPv4 address."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
