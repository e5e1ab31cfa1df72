"""What a protected server says in ``WWW-Authenticate`` (RFC 9110 section 11.6.1, RFC 6750 section 3)."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import unquote

from latchpin.oauth.scopes import keep_scopes

__all__ = ["Challenge", "parse_challenge"]

METADATA = "resource_metadata"

_LONGEST = 8_192
_MOST_NAMED = 5
_SCHEMES = frozenset({"bearer", "dpop"})
_KNOWN_SCHEMES = _SCHEMES | {"basic", "digest", "mutual", "negotiate", "oauth", "mcp"}
_NAMES = (METADATA, f"{METADATA}*", f"{METADATA}_uri", f"{METADATA}_url")
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"  # noqa: S105  the RFC's word for a word
_NAME = rf"(?:({_TOKEN})\s*=|({METADATA})\s*:)\s*"
# After the end of a quoted text: a separator, the next parameter or the next challenge. Other quotes are of the text.
_AFTER = rf"""\s*(?:[,;]|$)|\s+{_TOKEN}\s*=|{_TOKEN}\s*=\s*["']|\s+(?i:{"|".join(sorted(_KNOWN_SCHEMES))})\s"""
_QUOTED = rf'"((?:[^"\\]|\\.|(?<!=)"(?!{_AFTER}))*)"(?={_AFTER})'  # possessive, CPython before 3.11.5 fails
_SINGLE = rf"'([^']*)'(?={_AFTER})"
_PARAMETER = re.compile(rf"""{_NAME}(?:{_QUOTED}|{_SINGLE}|"?([^\s,;"]*))""", re.DOTALL)
_SCHEME = re.compile(rf"({_TOKEN}):?(?:[ \t]+|(?=,)|$)")
_TOKEN68 = re.compile(r"[A-Za-z0-9\-._~+/]+=*[ \t]*(?=,|$)")
_WORD = re.compile(_TOKEN)
_BETWEEN = re.compile(r"[\s,;]*")
_AROUND = " \t\"'`<>\\\u2018\u2019\u201c\u201d"
"""What is found around a URL that was quoted in some other way."""

_Parameters = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Challenge:
    """One Bearer or DPoP challenge.

    Attributes:
        resource_metadata: where the protected resource's metadata is (RFC 9728 section 5.1); may be relative.
        scopes: what the request would have needed, in order; empty if not said. What cannot be a scope is left out.
        error: RFC 6750 section 3.1, such as ``invalid_token`` or ``insufficient_scope``.
        dpop: the server takes tokens that are bound to a key (RFC 9449 section 7.1).
        others: further places of the metadata, where several are named.
        odd: the metadata is not named as the RFCs have it, and was understood all the same.
    """

    resource_metadata: str | None = None
    scopes: tuple[str, ...] = ()
    error: str | None = None
    dpop: bool = False
    others: tuple[str, ...] = ()
    odd: bool = field(default=False, compare=False)


def parse_challenge(header: str) -> Challenge | None:
    """Find the Bearer or DPoP challenge among those in a ``WWW-Authenticate`` value, joined with commas if repeated.

    Of several such challenges the one that names metadata counts, else the first. Where none of them names any, one
    of another scheme may. Values that are nearly right are understood, such as a URL without quotes; what cannot be
    read is passed over: a challenge is a hint, and discovery has other ways. What stands inside a quoted text is
    never a parameter.
    """
    text = _mended(header[:_LONGEST])
    challenges = _read(text)
    ours = [parameters for scheme, parameters in challenges if scheme in _SCHEMES]
    naming = [parameters for parameters in ours if _named(parameters)]
    foreign = [parameters for _, parameters in challenges if _named(parameters)]
    best = naming[:1] or [*foreign[:1], *ours[:1]]
    if not best:
        return None
    places = list(dict.fromkeys(place for parameters in naming or foreign for place in _named(parameters)))
    first = places[0] if places else None
    return Challenge(
        resource_metadata=first,
        scopes=keep_scopes(_first(best, "scope").split()),
        error=_first(best, "error") or None,
        dpop=any(scheme == "dpop" for scheme, _ in challenges),
        others=tuple(places[1:_MOST_NAMED]),
        odd=first is not None and (not naming or f'{METADATA}="{first}"' not in re.sub(r"\s*=\s*", "=", header)),
    )


def _mended(text: str) -> str:
    """Without what a text of this kind gets on its way: UTF-8 read as Latin-1, quotes escaped as in JSON."""
    with suppress(UnicodeError):  # then it was read as what it is
        text = text.encode("latin-1").decode("utf-8")
    return text.replace('\\"', '"') if '=\\"' in text and '="' not in text else text


def _read(text: str) -> list[tuple[str, _Parameters]]:
    challenges: list[tuple[str, _Parameters]] = []
    position, apart = _end(_BETWEEN, text, 0), True
    while position < len(text):
        scheme = _SCHEME.match(text, position)
        if parameter := _PARAMETER.match(text, position):
            if not challenges:
                challenges.append(("", {}))
            _keep(challenges[-1][1], parameter)
            position = parameter.end()
        elif scheme and (apart or scheme[1].lower() in _KNOWN_SCHEMES):
            challenges.append((scheme[1].lower(), {}))
            position = _end(_TOKEN68, text, scheme.end())
        else:
            position = max(position + 1, _end(_WORD, text, position))
        begun, position = position, _end(_BETWEEN, text, position)
        apart = "," in text[begun:position]
    return challenges


def _keep(parameters: _Parameters, match: re.Match[str]) -> None:
    name, named, quoted, single, plain = match.groups()
    value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else single or plain or ""
    parameters.setdefault((name or named).lower().replace("-", "_"), []).append(value)


def _named(parameters: _Parameters) -> list[str]:
    """Where the metadata is, as far as said."""
    values = [(name, value) for name in _NAMES for value in parameters.get(name, ())]
    return [place for name, value in values if (place := _place(name, value))]


def _place(name: str, value: str) -> str:
    text = value.strip(_AROUND)
    if name.endswith("*"):  # RFC 8187
        text = unquote(text.rpartition("'")[2])
    return unquote(text) if text.lower().startswith(("http%3a", "https%3a")) else text


def _first(challenges: list[_Parameters], name: str) -> str:
    return next((parameters[name][0] for parameters in challenges if name in parameters), "")


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position
