"""Asks the authorization server for ``latchpin login``, and reads what it answers with distrust."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx
from latchpin.errors import SignInFailed

from latchpin_authorization_server.shown_text import one_line

__all__ = [
    "Refused",
    "Tokens",
    "ask",
    "host_of",
    "plain_words",
    "read_answer",
    "read_object",
    "read_seconds",
    "read_text",
    "read_tokens",
]

LARGEST = 100_000
"""Bytes of an answer."""

_TIMEOUT = 30.0
_LONGEST_WORDS = 300
_MOST_SECONDS = 3600


class Refused(SignInFailed):
    """The authorization server said no.

    Attributes:
        error: its registered code, such as ``invalid_grant``.
    """

    def __init__(self, host: str, error: str, description: str, *, remedy: str | None = None) -> None:
        said = f"{error}: {description}" if description else error
        super().__init__(f"{host} refused it: {said}", remedy=remedy)
        self.error = error


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a sign-in gives.

    Attributes:
        expires_at: when the access token is over, by this machine's clock.
        refresh_token: ``""`` where there is none.
    """

    access_token: str = field(repr=False)
    expires_at: datetime
    refresh_token: str = field(default="", repr=False)


def ask(http: httpx.Client, method: str, url: str, **content: Any) -> httpx.Response:  # noqa: ANN401  httpx's own
    """Send one request; redirects are not followed, and an answer has at most ``LARGEST`` bytes.

    Raises:
        SignInFailed: there is no whole answer.
    """
    try:
        with http.stream(
            method, url, headers={"accept": "application/json"}, timeout=_TIMEOUT, follow_redirects=False, **content
        ) as response:
            body = b""
            for piece in response.iter_bytes():
                body += piece
                if len(body) > LARGEST:
                    raise SignInFailed(f"{host_of(url)} answered more than {LARGEST} bytes")
    except httpx.HTTPError as exc:
        raise SignInFailed(f"{host_of(url)} gave no answer ({type(exc).__name__})", remedy="Check the URL.") from exc
    return httpx.Response(response.status_code, headers={"content-type": "application/json"}, content=body)


def read_object(response: httpx.Response) -> Mapping[str, Any] | None:
    """The answer's JSON object; None if it is none."""
    try:
        document = json.loads(response.content)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def read_answer(response: httpx.Response) -> Mapping[str, Any]:
    """What the server gave. Raises Refused, or SignInFailed where it is not what the protocol says."""
    document = read_object(response)
    if response.status_code in {HTTPStatus.OK, HTTPStatus.CREATED} and document is not None:
        return document
    if document is None or not isinstance(document.get("error"), str):
        raise SignInFailed(f"the server answered {response.status_code}", remedy="Try again later.")
    raise Refused("the server", plain_words(document["error"]), plain_words(document.get("error_description")))


def read_tokens(answer: Mapping[str, Any], host: str, now: datetime) -> Tokens:
    """The tokens of an answer, whose times count from ``now``. Raises SignInFailed: they are not Bearer, or missing."""
    if str(answer.get("token_type", "")).lower() != "bearer":
        raise SignInFailed(f"{host_of(host)} gave another kind of token than Bearer")
    refresh_token = answer.get("refresh_token", "")
    return Tokens(
        read_text(answer, "access_token", host),
        now + timedelta(seconds=read_seconds(answer, "expires_in", 60)),
        refresh_token if isinstance(refresh_token, str) else "",
    )


def read_text(answer: Mapping[str, Any], name: str, host: str) -> str:
    """A member that has to be there. Raises SignInFailed, which names ``host``, where it is not."""
    value = answer.get(name)
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
        raise SignInFailed(f"{host_of(host)} gave no {name}")
    return value


def read_seconds(answer: Mapping[str, Any], name: str, default: int) -> int:
    """A number of seconds, at most an hour; ``default`` where it is none."""
    value = answer.get(name, default)
    return min(value, _MOST_SECONDS) if isinstance(value, int) and value > 0 else default


def plain_words(words: object) -> str:
    """A server's words, safe to show in a terminal."""
    return one_line(words if isinstance(words, str) else "")[:_LONGEST_WORDS] or "no reason given"


def host_of(url: str) -> str:
    """Whose URL it is, for people."""
    return urlsplit(url).netloc or url
