"""Which provider a server is, and what follows for a gateway there: pure.

A gateway's own entry comes before the provider's, which comes before what the standard has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import accumulate
from typing import TypeVar

from latchpin.model import OAuthConfig, ServerMetadata
from latchpin.model.server_profile import ServerProfile
from latchpin.model.urls import split_url

__all__ = ["ProviderTable", "apply_provider"]

ValueT = TypeVar("ValueT")


class ProviderTable:
    """The providers that are known, found by the host of a server.

    Args:
        table: in the order in which they count.
    """

    def __init__(self, table: Sequence[ServerProfile] = ()) -> None:
        self._table = table
        self._by_host: dict[str, list[tuple[int, str]]] = {}
        for position, profile in enumerate(table):
            for pattern in profile.servers:
                self._by_host.setdefault(_filed_under(pattern), []).append((position, pattern))

    def find(self, config: OAuthConfig, server: ServerMetadata) -> ServerProfile | None:
        """The provider that the entry names, else the first in the table that holds for this server."""
        if config.provider is not None:
            return next((each for each in self._table if each.name == config.provider), None)
        place = _place(server.issuer or server.authorization_endpoint or server.token_endpoint)
        filed = (entry for name in _looked_under(place) for entry in self._by_host.get(name, ()))
        first = min((position for position, pattern in filed if _holds(pattern, place)), default=None)
        return None if first is None else self._table[first]


def apply_provider(config: OAuthConfig, provider: ServerProfile | None, *, resource: str | None) -> OAuthConfig:
    """Fill what the entry leaves open with what the provider needs.

    Args:
        config: the gateway's entry.
        provider: what the server is, None for one that follows the standard.
        resource: the resource indicator that the gateway has, whether or not it is sent.
    """
    if provider is None:
        return config
    audience = provider.audience or (resource if provider.audience_is_resource else None)
    return replace(
        config,
        omit_resource=_first(config.omit_resource, provider.omit_resource),
        assume_pkce=_first(config.assume_pkce, provider.assume_pkce),
        scope_separator=_first(config.scope_separator, provider.scope_separator),
        audience=_first(config.audience, audience),
        token_endpoint_auth_method=_first(config.token_endpoint_auth_method, provider.token_endpoint_auth_method),
        extra_authorize_params={**provider.extra_authorize_params, **config.extra_authorize_params},
    )


def _first(own: ValueT | None, theirs: ValueT) -> ValueT:
    return theirs if own is None else own


def _place(url: str) -> str:
    """Host and path, lower case as hosts are, without what does not tell providers apart."""
    parts = split_url(url)
    return f"{parts.hostname}{parts.path.rstrip('/')}" if parts is not None else ""


def _holds(pattern: str, place: str) -> bool:
    subject = place if "/" in pattern else place.partition("/")[0]
    return fnmatchcase(subject, pattern)


_ANYWHERE = ""


def _filed_under(pattern: str) -> str:
    """The host of a pattern, ``*.`` and the domain that it is below, or ``_ANYWHERE`` where it may be any."""
    host = pattern.partition("/")[0]
    return host if not set("*?[") & set(host.removeprefix("*.")) else _ANYWHERE


def _looked_under(place: str) -> Iterator[str]:
    """Whatever a pattern may be filed under that holds for ``place``."""
    host = place.partition("/")[0]
    yield from (_ANYWHERE, host)
    labels = host.split(".")[:0:-1]
    yield from (f"*.{domain}" for domain in accumulate(labels, lambda domain, label: f"{label}.{domain}"))
