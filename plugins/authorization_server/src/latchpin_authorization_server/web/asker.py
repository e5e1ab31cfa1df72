"""Where a request comes from."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from fastapi import Request
from latchpin.sdk.web import services_of

__all__ = ["address_of", "find_address"]


def address_of(request: Request) -> str:
    """The network address that a request comes from; ``""`` where there is none.

    Where the peer is one of TRUSTED_PROXIES, it is the address that the last of them was asked from.
    """
    peer = request.client.host if request.client else ""
    listed = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    return find_address(peer, listed, proxies=services_of(request).settings.trusted_proxies)


def find_address(peer: str, listed: Sequence[str], *, proxies: Sequence[str]) -> str:
    """Read ``X-Forwarded-For`` from its end: what trusted proxies added is true, what stands before is anybody's word.

    Args:
        peer: the socket's other end.
        listed: what the header lists, as it came.
        proxies: TRUSTED_PROXIES: addresses or networks.
    """
    networks = [ipaddress.ip_network(text, strict=False) for text in proxies]
    found = peer
    for each in (peer, *reversed(listed)):
        try:
            address = ipaddress.ip_address(each.strip().partition("%")[0])
        except ValueError:
            break
        address = getattr(address, "ipv4_mapped", None) or address
        found = str(address)
        if not any(address in network for network in networks):
            break
    return found
