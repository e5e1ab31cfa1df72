"""The Authorization header as it was presented (RFC 9110 sections 11.4 and 11.6.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from latchpin.errors import NotSignedIn

__all__ = ["BEARER", "Presented", "parse_authorization"]

BEARER = "bearer"

_CREDENTIALS = re.compile(r"(?P<scheme>[!#$%&'*+.^_`|~0-9A-Za-z-]+)(?: +(?P<rest>[^ ].*))?", re.DOTALL)
_B64TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 section 2.1


@dataclass(frozen=True, slots=True)
class Presented:
    """What a caller presented.

    Attributes:
        scheme: in lower case.
        credentials: what follows it; empty where nothing does.
    """

    scheme: str
    credentials: str = field(repr=False)


def parse_authorization(headers: Mapping[str, tuple[str, ...]]) -> Presented | None:
    """Read the header; None only where there is none. What is there and cannot be read never counts as none.

    Only spaces stand between a scheme and what follows it: a tab or a no-break space there is no other scheme.

    Raises:
        NotSignedIn: it came more than once, or is malformed.
    """
    values = headers.get("authorization", ())
    if not values:
        return None
    if len(values) > 1:
        raise NotSignedIn("the Authorization header came more than once", remedy="Send it once.")
    match = _CREDENTIALS.fullmatch(values[0].strip(" \t"))
    if match is None:
        raise _malformed()
    found = Presented(match["scheme"].lower(), match["rest"] or "")
    if found.scheme == BEARER and not _B64TOKEN.fullmatch(found.credentials):
        raise _malformed()
    return found


def _malformed() -> NotSignedIn:
    return NotSignedIn(
        "the Authorization header is malformed",
        remedy="Send 'Authorization: Bearer <token>' with one space between and nothing else, or leave it out.",
    )
