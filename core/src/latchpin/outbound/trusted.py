"""The way to an address that the deployer configured: any host and scheme, and nothing but that one origin."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from latchpin.contracts import Upstream
from latchpin.errors import AddressRefused, SettingsError
from latchpin.model import Reply

__all__ = ["TrustedUpstream"]

_DEFAULT_PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int]


class TrustedUpstream:
    """Implements ``latchpin.contracts.Upstream`` for one origin.

    Args:
        url: names the origin.
        upstream: carries the requests; it lets http and private hosts pass.

    Raises:
        SettingsError: ``url`` is no absolute http or https URL, or holds a user name or password.
    """

    def __init__(self, url: str, upstream: Upstream) -> None:
        origin = _origin(url)
        if origin is None:
            raise SettingsError(
                "a plugin was given an address that is no absolute http or https URL, or holds a user name or password",
                remedy="Correct the setting that holds it; a secret belongs into a setting of its own.",
            )
        self._origin = origin
        self._upstream = upstream

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Reply:
        """GET, as ``Upstream.get`` does; AddressRefused for another origin."""
        self._check(url)
        return await self._upstream.get(url, headers=headers)

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        repeatable: bool = False,
    ) -> Reply:
        """Send, as ``Upstream.send`` does; AddressRefused for another origin."""
        self._check(url)
        return await self._upstream.send(method, url, headers=headers, body=body, repeatable=repeatable)

    def _check(self, url: str) -> None:
        if _origin(url) != self._origin:
            scheme, host, port = self._origin
            raise AddressRefused(f"only {scheme}://{host}:{port} was configured for this, and not that URL", sent=False)


def _origin(url: str) -> Origin | None:
    """Scheme, host and port (RFC 6454 section 4); None where the URL has none, or a user name or password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme]
