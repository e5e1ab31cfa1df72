"""DATABASE_URL taken apart, strictly: a character that belongs to the password never becomes a host.

No database library is imported here. RFC 3986 section 3.2.1: ``@ : / ?`` in a user name or password are
percent-encoded. Of these only ``@`` would be ambiguous; then nobody can tell where the password ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from latchpin.sdk.settings import mask

__all__ = ["UrlParts", "parse_parts", "show_text"]

_LOGIN = re.compile(r"([^:/]*)(?::([^@]*))?@")
_HOST = r"(?:\[[\w:.%]+\]|[\w.%~-]*)(?::\d*)?"
_PLACE = re.compile(rf"({_HOST}(?:,{_HOST})*)(?:/([^?]*))?(?:\?(.*))?", re.DOTALL)
_FILE = re.compile(r"/([^?]+)(?:\?(.*))?", re.DOTALL)
_OPTION = re.compile(r"\w+=.*")

STRAY_AT = "must percent-encode @ in the password (and in the user name): write %40"
NO_URL = (
    "cannot be read as a URL such as postgresql://user:password@host:5432/name; percent-encode characters such as "
    "@ : / ? in the user name and password"
)
NO_FILE = "must name a file after sqlite:///, as in sqlite:///./mcp.db or sqlite:////srv/latchpin/mcp.db"
FILE_OPTIONS = (
    "must have no options after the file of sqlite:///, since none would be heeded; a ? in the file's name is %3F"
)
HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class UrlParts:
    """What a database URL says, decoded; None is what it leaves open.

    Of several hosts, ``host`` and ``port`` are those of the first.

    Attributes:
        others: the hosts behind the first, each with its port.
    """

    scheme: str
    username: str | None = None
    password: str | None = None
    host: str | None = None
    port: int | None = None
    database: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    others: tuple[tuple[str, int | None], ...] = ()


def parse_parts(text: str) -> UrlParts:
    """Take a database URL apart; blanks around it are not part of it.

    Raises:
        ValueError: it is not one, in words that quote nothing of it.
    """
    scheme, separator, rest = text.strip().partition("://")
    if not separator or not rest.isprintable():
        raise ValueError(NO_URL)
    return _parse_file(scheme, rest) if scheme.partition("+")[0] == "sqlite" else _parse_server(scheme, rest)


def show_text(text: str) -> str:
    """A database URL as it was written, without its password and its options, which may hold one."""
    try:
        parse_parts(text)
    except ValueError:
        return mask(text).partition("?")[0]
    scheme, _, rest = text.strip().partition("://")
    login = None if scheme.startswith("sqlite") else _LOGIN.match(rest)
    if login is not None and login[2] is not None:
        rest = f"{login[1]}:***@{rest[login.end() :]}"
    return f"{scheme}://{rest}".partition("?")[0]


def _parse_file(scheme: str, rest: str) -> UrlParts:
    parts = _FILE.fullmatch(rest)
    if parts is None:
        raise ValueError(NO_FILE)
    if parts[2]:
        raise ValueError(FILE_OPTIONS)
    return UrlParts(scheme, database=unquote(parts[1]))


def _parse_server(scheme: str, rest: str) -> UrlParts:
    login = _LOGIN.match(rest)
    username, password = login.groups() if login is not None else (None, None)
    after = rest[login.end() :] if login is not None else rest
    # Without a login an option may hold one: ?user=me@tenant.
    place, _, query = after.partition("?")
    options = query.split("&")
    if "@" in place or ("@" in query and (login is not None or not all(map(_OPTION.fullmatch, options)))):
        raise ValueError(STRAY_AT)
    parts = _PLACE.fullmatch(after)
    if parts is None or ":" in (parts[2] or ""):
        raise ValueError(NO_URL)
    (host, port), *others = map(_parse_host, parts[1].split(","))
    if others and not all((host, *(each for each, _ in others))):
        raise ValueError(NO_URL)
    return UrlParts(
        scheme,
        username=None if username is None else unquote(username),
        password=None if password is None else unquote(password),
        host=host or None,
        port=port,
        database=unquote(parts[2]) if parts[2] is not None else None,
        options=_options(parts[3] or ""),
        others=tuple(others),
    )


def _parse_host(text: str) -> tuple[str, int | None]:
    """``host``, ``host:5432`` or ``[::1]:5432``; whose form is known to be right."""
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = text, ""
    if int(port or 0) > HIGHEST_PORT:
        raise ValueError(NO_URL)
    return host.removeprefix("[").removesuffix("]"), int(port) if port else None


def _options(query: str) -> tuple[tuple[str, str], ...]:
    return tuple(parse_qsl(query))
