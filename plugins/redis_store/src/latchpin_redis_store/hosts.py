"""Several hosts in one URL, each with its port. Pure."""

from __future__ import annotations

import re
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

__all__ = ["Place", "split_hosts", "split_url"]

Place: TypeAlias = tuple[str, int]
"""A server: its host and port."""
_URL = re.compile(
    r"(?P<scheme>[^:/?#]+):(?://(?P<netloc>[^/?#]*))?(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?"
)


def split_url(url: str) -> SplitResult:
    """Take a URL apart (RFC 3986 appendix B). Newer CPython's ``urlsplit`` refuses an IPv6 address beside other hosts.

    Raises:
        ValueError: it is no URL; the text of the error holds nothing of it.
    """
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError("it is no URL")
    parts = found.groupdict(default="")
    return SplitResult(parts.pop("scheme").lower(), **parts)


def split_hosts(text: str, default_port: int) -> tuple[Place, ...]:
    """Take ``one:6379,[::1]:6380,three`` apart.

    Raises:
        ValueError: one has no host, or its port is none; the text of the error holds nothing of it.
    """
    return tuple(_place(each, default_port) for each in text.split(","))


def _place(text: str, default_port: int) -> Place:
    parts = urlsplit(f"//{text}")
    try:
        port = parts.port
    except ValueError:
        raise ValueError("a port in it is no port") from None
    if not parts.hostname or parts.username is not None:
        raise ValueError("a server in it has no host")
    return parts.hostname, port or default_port
