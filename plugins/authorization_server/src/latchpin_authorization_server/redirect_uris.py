"""Where answers may go: what clients may register, and what is the same (RFC 8252, RFC 9700 section 2.1). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from latchpin.sdk.urls import check_url

__all__ = [
    "KNOWN_SCHEMES",
    "check_redirect_uri",
    "is_loopback",
    "matches",
    "tell_destination",
    "tell_place",
    "without_port",
]

KNOWN_SCHEMES = frozenset({"cursor", "vscode", "vscode-insiders", "vscodium", "windsurf", "zed", "claude", "kiro"})
"""Private-use schemes without a dot that well-known clients have; RFC 8252 section 7.1 wants one, these came before."""
NEVER = frozenset({"javascript", "data", "file", "blob", "about", "vbscript", "ftp", "ws", "wss", "http", "https"})

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,99}")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_LONGEST = 2000


def check_redirect_uri(uri: object, *, schemes: Iterable[str] = ()) -> str:
    """Judge a redirect URI that a client wants to register, and give it back.

    https anywhere, http on loopback, a private-use scheme with a dot in it (RFC 8252 section 7.1) or of a known client.

    Args:
        uri: what the client sent.
        schemes: further private-use schemes that are taken.

    Raises:
        ValueError: it is none; the text says what one must be, without repeating it.
    """
    if not isinstance(uri, str) or not uri or len(uri) > _LONGEST:
        raise ValueError(f"a redirect URI is text of 1 to {_LONGEST} characters")
    if not uri.isascii() or not uri.isprintable() or any(each in uri for each in ' "<>\\^`{|}'):
        raise ValueError("a redirect URI has only the characters that RFC 3986 allows")
    if "#" in uri:
        raise ValueError("a redirect URI has no fragment")
    scheme, colon, rest = uri.partition(":")
    scheme = scheme.lower()
    if not colon or not _SCHEME.fullmatch(scheme):
        raise ValueError("a redirect URI is absolute")
    if scheme in {"http", "https"}:
        return _check_web(uri, scheme)
    if scheme in NEVER or not ("." in scheme or scheme in KNOWN_SCHEMES or scheme in set(schemes)):
        raise ValueError("a redirect URI is https, http on loopback, or has a private-use scheme with a dot in it")
    if not rest.strip("/"):
        raise ValueError("a redirect URI has something after its scheme")
    return uri


def matches(registered: str, asked: str) -> bool:
    """Whether an answer may go to ``asked``: it is the registered URI, or differs in the port on loopback alone."""
    if registered == asked:
        return True
    ours, theirs = _split(registered), _split(asked)
    if ours is None or theirs is None or not is_loopback(registered):
        return False
    return ours == theirs


def is_loopback(uri: str) -> bool:
    """Whether the answer goes to a program on the person's own machine (RFC 8252 section 7.3)."""
    parts = _split(uri)
    return parts is not None and parts[0] == "http" and parts[1] in _LOOPBACK


def without_port(uri: str) -> str:
    """A loopback URI without its port, which differs each time; any other as it is."""
    parts = _split(uri)
    return uri if parts is None or not is_loopback(uri) else f"{parts[0]}://{parts[1]}{parts[2]}"


def tell_destination(uri: str) -> str:
    """Where an answer goes, in a few words for people: the host, or the scheme."""
    parts = urlsplit(uri)
    return parts.hostname if parts.scheme in {"http", "https"} and parts.hostname else f"{parts.scheme}:"


def tell_place(uri: str) -> str:
    """Where a client runs, in words, by where its answers go; ``""`` as a URI: its person typed a code in."""
    if not uri:
        return "on a device without a browser"
    if is_loopback(uri):
        return "on a computer"
    destination = tell_destination(uri)
    return f"at {destination}" if urlsplit(uri).scheme == "https" else f"in an app that opens {destination} links"


def _check_web(uri: str, scheme: str) -> str:
    try:
        check_url(uri)
    except ValueError as exc:
        raise ValueError(f"a redirect URI {exc}") from None
    parts = urlsplit(uri)
    if "@" in parts.netloc:
        raise ValueError("a redirect URI has no user name")
    if scheme == "http" and not is_loopback(uri):
        raise ValueError("a redirect URI with http is on localhost, 127.0.0.1 or [::1]")
    return uri


def _split(uri: str) -> tuple[str, str, str] | None:
    """Scheme, host, and all that follows the port, as written; None where it is no plain web address."""
    found = re.fullmatch(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::[0-9]{1,5})?((?:[/?].*)?)", uri)
    return None if found is None else (found[1], found[2].strip("[]"), found[3])
