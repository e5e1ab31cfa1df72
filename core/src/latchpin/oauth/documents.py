"""JSON documents from other servers, read value by value: what has the wrong type is refused by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from latchpin.errors import ProviderUnreadable
from latchpin.model import Reply
from latchpin.oauth.scopes import MOST_SCOPES, keep_scopes
from latchpin.urls import split_url

__all__ = [
    "parse_flag",
    "parse_object",
    "parse_scopes",
    "parse_url",
    "parse_words",
    "shown",
]

_MOST_WORDS = 1_000


def parse_object(reply: Reply) -> dict[str, Any]:
    """Read an answer as a JSON object. Its size is already capped; depth is bounded here.

    Raises:
        ProviderUnreadable: it is not one; the detail says what it is instead.
    """
    try:
        document = json.loads(reply.body)
    except (ValueError, RecursionError) as exc:
        kind = reply.headers.get("content-type", "").partition(";")[0].strip()[:60]
        said = f" but {kind!a}" if kind and "json" not in kind else ""
        raise ProviderUnreadable(f"the answer is not JSON{said}", http_status=reply.status) from exc
    if not isinstance(document, dict):
        raise ProviderUnreadable("the answer is JSON, but not an object", http_status=reply.status)
    return document


def parse_url(document: Mapping[str, Any], name: str, *, allow_http: bool) -> str | None:
    """Read an absolute http(s) URL; None if it is absent. Nothing is normalised.

    Raises:
        ProviderUnreadable: it is something else, such as ``javascript:``, or http where https is required.
    """
    value = document.get(name)
    if value is None:
        return None
    parts = split_url(value) if isinstance(value, str) else None
    if parts is None or "#" in value:
        raise ProviderUnreadable(f"{name} is {shown(value)}, not an absolute http(s) URL")
    if parts.scheme == "http" and not allow_http:
        raise ProviderUnreadable(f"{name} is {shown(value)}, and only https is allowed")
    return str(value)


def parse_words(document: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    """Read a list of strings; None if it is absent. Raises ProviderUnreadable."""
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > _MOST_WORDS or not all(isinstance(item, str) for item in value):
        raise ProviderUnreadable(f"{name} is not a list of strings")
    return tuple(value)


def parse_scopes(document: Mapping[str, Any], name: str, *, most: int = MOST_SCOPES) -> tuple[str, ...] | None:
    """Read a list of scopes, without what cannot be one and what is beyond ``most``; None if it is absent.

    Raises:
        ProviderUnreadable: it is not a list of strings.
    """
    words = parse_words(document, name)
    return None if words is None else keep_scopes(words, most=most)


def parse_flag(document: Mapping[str, Any], name: str) -> bool:
    """Read true or false; absent is false. Raises ProviderUnreadable."""
    value = document.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise ProviderUnreadable(f"{name} is {shown(value)}, not true or false")
    return value


def shown(value: object) -> str:
    """A value from outside for people: quoted, ASCII, without its query, and short."""
    text = value if isinstance(value, str) else repr(value)
    return ascii(text.partition("?")[0][:200])
