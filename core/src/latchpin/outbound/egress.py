"""The company's own HTTP proxy, where requests leave through one (CONNECT, RFC 9110 section 9.3.6).

The proxy connects, so no address that it connects to can be checked here. What it is asked for is: an address in a URL,
and the addresses that the name has for this machine. Only where ``OUTBOUND_PROXY_LOOKS_UP`` says so, a name passes that
this machine cannot look up; then the proxy's own rules have to keep requests away from inner addresses.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
import yarl
from aiohttp.abc import AbstractResolver

from latchpin.errors import SettingsError
from latchpin.outbound.addresses import refusal
from latchpin.outbound.failure import Failure
from latchpin.settings.core import ENVIRONMENT, CoreSettings, is_proxy_url
from latchpin.workers.bounded import Bounded

__all__ = ["NO_EGRESS", "Egress", "EgressProxy", "find_egress"]

_INNER = ("localhost", "local", "internal", "home.arpa", "intranet", "lan", "corp")
"""Ends of names that are nobody's on the internet (RFC 6761, RFC 6762, RFC 8375, and what companies use)."""
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_JUDGED_FOR = 10.0
"""How long a name's addresses count, in seconds."""
_MOST_NAMES = 1_000


@dataclass(frozen=True, slots=True)
class EgressProxy:
    """A proxy.

    Attributes:
        url: where it is, http or https, without user name and password.
        fields: header fields for it: its user name and password.
    """

    url: yarl.URL
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, text: str) -> EgressProxy:
        """The proxy that a URL names, which settings have judged."""
        url = yarl.URL(text)
        if url.user is None:
            return cls(url)
        login = aiohttp.encode_basic_auth(url.user, url.password or "")
        return cls(url.with_user(None), {"Proxy-Authorization": login})


class Egress:
    """Says which requests leave through a proxy, and judges what it is asked for.

    Args:
        proxies: by the scheme of the request's URL.
        bypass: NO_PROXY: hosts that are connected to without it; this machine is always one.
        looks_up: names pass that this machine cannot look up.
    """

    def __init__(
        self, proxies: Mapping[str, EgressProxy] | None = None, *, bypass: str = "", looks_up: bool = False
    ) -> None:
        self._proxies = dict(proxies or {})
        self._bypass = tuple(each.lower() for each in bypass.replace(",", " ").split())
        self._looks_up = looks_up
        self._judged: Bounded[str, float] = Bounded(_MOST_NAMES)

    def proxy_for(self, url: yarl.URL) -> EgressProxy | None:
        """The proxy through which a request to ``url`` leaves; None: it goes there by itself."""
        if not self._proxies:
            return None
        host = (url.host or "").rstrip(".").lower()
        if _is_here(host) or any(_is_meant(each, host, url.port) for each in self._bypass):
            return None
        return self._proxies.get(url.scheme)

    async def judge(self, url: yarl.URL, resolver: AbstractResolver | None) -> None:
        """Refuse to ask the proxy for what would be refused without one.

        Raises:
            Failure: an address is not one that is connected to, or the name cannot be looked up and has to be.
        """
        host = url.host or ""
        now = asyncio.get_running_loop().time()
        if now < self._judged.get(host, 0.0):
            return
        for address in await self._addresses(host, url.port or 0, resolver):
            reason = refusal(address)
            if reason is not None:
                raise Failure("address", f"{address} is {reason}", sent=False)
        self._judged[host] = now + _JUDGED_FOR

    async def _addresses(self, host: str, port: int, resolver: AbstractResolver | None) -> list[str]:
        name = host.rstrip(".").lower()
        if _is_address(name):
            return [name]
        if _NUMBER.fullmatch(name.rpartition(".")[2]):  # the proxy may take it for an address, as in 127.1
            raise Failure("address", f"{name} is an address in an unusual form", sent=False)
        if "." not in name or name.endswith(tuple(f".{each}" for each in _INNER)):
            raise Failure("address", f"{name} is a name of an inner network", sent=False)
        own = resolver or aiohttp.ThreadedResolver()
        try:
            found = await own.resolve(host, port, socket.AF_UNSPEC)
        except OSError:
            found = []
        if not found and not self._looks_up:
            reason = "its name cannot be resolved here (see OUTBOUND_PROXY_LOOKS_UP)"
            raise Failure("connect", reason, sent=False)
        return [str(each["host"]) for each in found]


NO_EGRESS = Egress()
"""Every request goes to its server by itself."""


def find_egress(settings: CoreSettings, environment: Mapping[str, str] = os.environ) -> Egress:
    """The way out that OUTBOUND_PROXY chooses.

    Raises:
        SettingsError: it chooses the environment, which names no proxy, or what is none.
    """
    chosen = settings.outbound_proxy.get_secret_value()
    if not chosen:
        return NO_EGRESS
    named = {name.lower(): value for name, value in environment.items()}
    if chosen == ENVIRONMENT:
        proxies = {scheme: named.get(f"{scheme}_proxy") or named.get("all_proxy", "") for scheme in ("http", "https")}
        _check(proxies)
    else:
        proxies = dict.fromkeys(("http", "https"), chosen)
    found = {scheme: EgressProxy.of(url) for scheme, url in proxies.items() if url}
    return Egress(found, bypass=named.get("no_proxy", ""), looks_up=settings.outbound_proxy_looks_up)


def _check(proxies: Mapping[str, str]) -> None:
    """A proxy that is wished for is never passed over in silence. What is wrong may hold a password: it is not said."""
    if not any(proxies.values()):
        text = "OUTBOUND_PROXY is environment, and neither HTTPS_PROXY nor HTTP_PROXY nor ALL_PROXY is set"
    elif wrong := [scheme for scheme, url in proxies.items() if url and not is_proxy_url(url)]:
        text = f"the proxy that the environment names for {wrong[0]} is no http or https URL without a path"
    else:
        return
    raise SettingsError(text, public=text, remedy="Set OUTBOUND_PROXY to the proxy's URL, as in http://proxy:3128.")


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    return _is_address(host) and ipaddress.ip_address(host).is_loopback


def _is_meant(entry: str, host: str, port: int | None) -> bool:
    """Whether an entry of NO_PROXY means a host: ``*``, a name with all below it, an address or a network; a port."""
    if entry == "*":
        return True
    if _is_address(host):
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    name, colon, number = entry.rpartition(":")
    if colon and number.isdecimal():
        return int(number) == port and _is_meant(name, host, None)
    name = entry.removeprefix("*").lstrip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
