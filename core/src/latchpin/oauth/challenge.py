"""What a protected server says in ``WWW-Authenticate`` (RFC 9110 section 11.6.1, RFC 6750 section 3)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from latchpin.oauth.scopes import keep_scopes

__all__ = ["Challenge", "parse_challenge"]

_LONGEST = 8_192
_SCHEMES = frozenset({"bearer", "dpop"})
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"  # noqa: S105  the RFC's word for a word
_PARAMETER = re.compile(rf'({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))')
_SCHEME = re.compile(rf"({_TOKEN})(?:[ \t]+|(?=,)|$)")
_TOKEN68 = re.compile(r"[A-Za-z0-9\-._~+/]+=*[ \t]*(?=,|$)")
_WORD = re.compile(_TOKEN)
_BETWEEN = re.compile(r"[\s,]*")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One Bearer or DPoP challenge.

    Attributes:
        resource_metadata: where the protected resource's metadata is (RFC 9728 section 5.1).
        scopes: what the request would have needed, in order; empty if not said. What cannot be a scope is left out.
        error: RFC 6750 section 3.1, such as ``invalid_token`` or ``insufficient_scope``.
        dpop: the server takes tokens that are bound to a key (RFC 9449 section 7.1).
    """

    resource_metadata: str | None = None
    scopes: tuple[str, ...] = ()
    error: str | None = None
    dpop: bool = False


def parse_challenge(header: str) -> Challenge | None:
    """Find the Bearer or DPoP challenge among those in a ``WWW-Authenticate`` value, joined with commas if repeated.

    Of several such challenges the one that names metadata counts, else the first. What cannot be read is
    passed over: a challenge is a hint, and discovery has other ways.
    """
    challenges = [(scheme, parameters) for scheme, parameters in _read(header[:_LONGEST]) if scheme in _SCHEMES]
    found = [parameters for _, parameters in challenges]
    if not found:
        return None
    best = next((parameters for parameters in found if "resource_metadata" in parameters), found[0])
    return Challenge(
        resource_metadata=best.get("resource_metadata") or None,
        scopes=keep_scopes(best.get("scope", "").split()),
        error=best.get("error") or None,
        dpop=any(scheme == "dpop" for scheme, _ in challenges),
    )


def _read(text: str) -> list[tuple[str, dict[str, str]]]:
    challenges: list[tuple[str, dict[str, str]]] = []
    position = _end(_BETWEEN, text, 0)
    while position < len(text):
        if challenges and (parameter := _PARAMETER.match(text, position)):
            name, quoted, plain = parameter.groups()
            value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            challenges[-1][1].setdefault(name.lower(), value)
            position = parameter.end()
        elif scheme := _SCHEME.match(text, position):
            challenges.append((scheme[1].lower(), {}))
            position = _end(_TOKEN68, text, scheme.end())
        else:
            position = max(position + 1, _end(_WORD, text, position))
        position = _end(_BETWEEN, text, position)
    return challenges


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position
