"""Callers whom a trusted reverse proxy names in a header (TRUSTED_USER_HEADER)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from latchpin.errors import InvalidRequest, NotSignedIn
from latchpin.identity.address import parse_email
from latchpin.model import Caller, Evidence

__all__ = ["ProxyIdentity"]


class ProxyIdentity:
    """Believes the header from listed peers only; from anybody else it is nothing.

    Args:
        header: TRUSTED_USER_HEADER; None switches this way off.
        proxies: TRUSTED_PROXIES: addresses or networks.
    """

    schemes = frozenset({"basic", "digest", "negotiate", "ntlm"})
    """What a proxy asks people for itself, and may pass on. A bearer token is not its to judge."""

    def __init__(self, header: str | None, proxies: Sequence[str]) -> None:
        self._header = (header or "").lower()
        self.reads = frozenset({self._header}) - {""}
        self._networks = tuple(ipaddress.ip_network(text, strict=False) for text in proxies)

    async def identify(self, evidence: Evidence) -> Caller | None:
        """Say whom the proxy names.

        Raises:
            NotSignedIn: the header is repeated (a caller slipped one in beside the proxy's), or is no address; or
                the peer's address may be one that the caller wrote (see ``_written``).
        """
        values = evidence.headers.get(self._header, ()) if self._header else ()
        if len(values) > 1:
            raise NotSignedIn(
                "the identity header came more than once", remedy="Let the proxy replace the header, not add one."
            )
        if not values or not values[0] or not self._trusts(evidence.peer):
            return None
        if _written(evidence):
            raise NotSignedIn(
                "the peer's address stands in X-Forwarded-For too: the server may have taken it from there",
                remedy="Let the server report the socket's peer: gunicorn --forwarded-allow-ips ''.",
            )
        try:
            return Caller(parse_email(values[0]), via="proxy")
        except InvalidRequest as exc:
            raise NotSignedIn(f"the identity header: {exc.detail}") from exc

    def _trusts(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)


def _written(evidence: Evidence) -> bool:
    """Whether the peer's address may come from X-Forwarded-For instead of the socket.

    Some servers replace the peer by what that header says, when a neighbour they trust sends it; uvicorn below
    gunicorn does so for loopback unless told otherwise. A proxy never lists itself, so its address in there is a sign.
    """
    listed = ",".join(evidence.headers.get("x-forwarded-for", ())).split(",")
    return any(evidence.peer in {each.strip(), _host(each.strip())} for each in listed)


def _host(text: str) -> str:
    """``text`` without a port and brackets."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.rpartition(":")[0] if text.count(":") == 1 else text
