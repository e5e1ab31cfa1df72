"""URLs from outside: taken apart only if a request can be sent there, by this one judgement wherever they come in."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urljoin, urlsplit

__all__ = ["check_host", "check_url", "join_url", "origin_of", "split_origin", "split_url"]

_LONGEST_URL = 2_048
_LONGEST_HOST = 253
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PLACE = re.compile(r"(?:\[(?P<literal>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::[0-9]{0,5})?")
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_A_LABEL = "xn--"


def check_url(url: str) -> SplitResult:
    """Take an absolute http(s) URL apart, if a request can be sent there.

    Raises:
        ValueError: it cannot; the text says what a URL must be. Passwords, control characters and zones of IPv6
            addresses (RFC 6874) are refused, so are names that DNS cannot hold and A-labels that IDNA does not know
            (RFC 5891 section 4.2).
    """
    if len(url) > _LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("must be a URL in ASCII without blanks or control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise ValueError("must be a URL with a valid host and port") from exc
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or port == 0:
        raise ValueError("must be an absolute http or https URL such as https://mcp.example.com/mcp")
    if "@" in parts.netloc:
        raise ValueError("must not contain a user name or password")
    if (place := _PLACE.fullmatch(parts.netloc)) is None:
        raise ValueError("must be a URL with a valid host and port")
    if place["literal"] is not None:
        _check_literal(place["literal"])
    else:
        check_host(place["name"])
    return parts


def check_host(name: str) -> None:
    """Insist on a name that DNS can hold, or on an IPv4 address as it is usually written.

    Raises:
        ValueError: it is neither.
    """
    labels = name.removesuffix(".").split(".")
    if len(name.removesuffix(".")) > _LONGEST_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("must have a host of labels with 1 to 63 letters, digits or hyphens each")
    if _NUMBER.fullmatch(labels[-1]):  # other software reads 127.1 and 0x7f.1 as addresses
        try:
            ipaddress.IPv4Address(name)
        except ValueError as exc:
            raise ValueError("must have a name or an address such as 192.0.2.1 as its host") from exc
    if any(label.lower().startswith(_A_LABEL) for label in labels):
        import idna  # noqa: PLC0415  its tables are large, and such hosts are rare

        try:
            idna.decode(name)
        except UnicodeError as exc:
            raise ValueError("must have a host whose labels with xn-- are valid (RFC 5891)") from exc


def split_url(url: str) -> SplitResult | None:
    """Take an absolute http(s) URL apart; None for anything that ``check_url`` refuses."""
    try:
        return check_url(url)
    except ValueError:
        return None


def join_url(base: str, reference: str) -> str | None:
    """The absolute http(s) URL that a reference in an answer of ``base`` means (RFC 3986 section 5); None if none."""
    if split_url(reference) is not None:
        return reference
    try:
        url = urljoin(base, reference)
    except ValueError:  # such as an open bracket
        return None
    return None if split_url(url) is None else url


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL that was parsed before, as browsers write an origin (RFC 6454 section 6.2)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(f':{_DEFAULT_PORTS[parts.scheme]}')}"


def split_origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of a URL, fit to be compared (RFC 6454 section 4); None where ``split_url`` has none."""
    parts = split_url(url)
    if parts is None:
        return None
    return parts.scheme, (parts.hostname or "").rstrip("."), parts.port or _DEFAULT_PORTS[parts.scheme]


def _check_literal(text: str) -> None:
    try:
        ipaddress.IPv6Address(text)
    except ValueError as exc:
        raise ValueError("must be a URL with a valid host and port") from exc
