"""Which gateways the data plane serves, and where their requests go: addresses that were looked up and judged here.

The data plane connects to these addresses and looks nothing up, so that no name leads it anywhere else meanwhile.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from latchpin.model import Gateway
from latchpin.sdk.outbound import refusal
from latchpin.sdk.settings import CoreSettings
from latchpin.sdk.urls import split_origin, split_url

from latchpin_edge.settings import EdgeSettings

__all__ = ["AUTHORIZATION", "Detour", "Resolve", "Way", "detour_of", "find_ways", "header_of", "look_up"]

AUTHORIZATION: Final = "authorization"

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the IP addresses of a host; raises OSError where there are none."""

_TARGET = re.compile(r"[A-Za-z0-9._~%!&()*+,=:@/?-]*")
"""What may stand in a configuration without meaning anything there."""
_FIELD = re.compile(r"[a-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Way:
    """Where the data plane takes one gateway's requests.

    Attributes:
        url: the MCP server's endpoint, as it is entered.
        secure: over TLS.
        host, port: the server's; an IPv6 address without brackets.
        target: path and query.
        addresses: those of the host that may be connected to, in order.
        header: the field that what is granted goes in.
    """

    gateway_id: str
    url: str
    secure: bool
    host: str
    port: int
    target: str
    addresses: tuple[str, ...]
    header: str = AUTHORIZATION

    @property
    def place(self) -> str:
        """Names the gateway and where it leads: a gateway that is moved has another one."""
        return f"{self.gateway_id}_{hashlib.sha256(self.url.encode()).hexdigest()[:16]}"

    @property
    def authority(self) -> str:
        """What the request's Host says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Detour:
    """A gateway that the proxy serves, and why."""

    gateway_id: str
    reason: str


def detour_of(gateway: Gateway, settings: EdgeSettings, core: CoreSettings) -> str | None:
    """Why the proxy has to serve a gateway, as far as its entry tells; None where the data plane may. Pure."""
    if settings.edge_gateways and gateway.id not in settings.edge_gateways:
        return "EDGE_GATEWAYS does not name it"
    if core.outbound_proxy.get_secret_value():
        return "requests leave through the proxy of OUTBOUND_PROXY"
    if gateway.oauth is not None and gateway.oauth.dpop:
        return "its tokens are bound to a key, so each request needs a proof of its own"
    if gateway.auth_type not in {"oauth", "api_key", "none"}:
        return "a plugin says with each request for whom it is"
    if not _FIELD.fullmatch(header_of(gateway)):
        return "its key goes in a field whose name means something in a configuration"
    return _url_detour(gateway.url, core)


def _url_detour(url: str, core: CoreSettings) -> str | None:
    parts = split_url(url)
    if parts is None:
        return "its URL cannot be read"
    if parts.scheme != "https" and not core.oauth_allow_private_networks:
        return "its URL is not https"
    if not _TARGET.fullmatch(_target(url)):
        return "its URL has a character that means something in a configuration"
    return None


def header_of(gateway: Gateway) -> str:
    """The field, in lower case, that a token or key goes in."""
    return AUTHORIZATION if gateway.api_key is None else gateway.api_key.header.lower()


async def find_ways(
    gateways: Iterable[Gateway], settings: EdgeSettings, core: CoreSettings, *, resolve: Resolve
) -> list[Way | Detour]:
    """Each gateway's way, or why the proxy serves it, in the order of their ids."""
    ordered = sorted(gateways, key=lambda gateway: gateway.id)
    judged = (_find(each, settings, core, resolve=resolve) for each in ordered)
    return list(await asyncio.gather(*judged))


async def _find(gateway: Gateway, settings: EdgeSettings, core: CoreSettings, *, resolve: Resolve) -> Way | Detour:
    reason = detour_of(gateway, settings, core)
    if reason is not None:
        return Detour(gateway.id, reason)
    origin = split_origin(gateway.url)
    if origin is None:
        return Detour(gateway.id, "its URL cannot be read")
    scheme, host, port = origin
    try:
        found = await resolve(host, port)
    except OSError:
        return Detour(gateway.id, "its host has no address")
    allowed = [each for each in found if core.oauth_allow_private_networks or refusal(each) is None]
    if not allowed:
        return Detour(gateway.id, f"its host has no public address: {found[0]} is {refusal(found[0])}")
    return Way(
        gateway.id,
        gateway.url,
        scheme == "https",
        host,
        port,
        _target(gateway.url),
        tuple(dict.fromkeys(allowed)),
        header_of(gateway),
    )


async def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as this machine would connect to it."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found if "%" not in str(address[0])]


def _target(url: str) -> str:
    parts = split_url(url)
    if parts is None:
        return ""
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
