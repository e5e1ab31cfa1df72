"""JSON documents from other servers, read value by value: what has the wrong type is refused by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from latchpin.errors import UpstreamUnreadable
from latchpin.model import Reply
from latchpin.model.urls import split_url
from latchpin.oauth.scopes import MOST_SCOPES, keep_scopes

__all__ = [
    "Members",
    "NoDocument",
    "parse_flag",
    "parse_object",
    "parse_url",
    "parse_words",
    "shown",
    "tell_status",
]

_MOST_WORDS = 1_000
_FLAGS = {"true": True, "false": False}


class NoDocument(UpstreamUnreadable):
    """What answered is a page for people, or something else than was looked for: no such document is there."""


def parse_object(reply: Reply) -> dict[str, Any]:
    """Read an answer as a JSON object. Its size is already capped; depth is bounded here.

    Raises:
        NoDocument: it is empty, or a page or text such as many sites answer for every path.
        UpstreamUnreadable: it is not one; the detail says what it is instead.
    """
    try:
        document = json.loads(reply.body)
    except (ValueError, RecursionError) as exc:
        kind = reply.headers.get("content-type", "").partition(";")[0].strip()[:60]
        said = f" but {kind!a}" if kind and "json" not in kind else ""
        body = reply.body.lstrip(b"\xef\xbb\xbf \t\r\n")
        meant = body[:1] in (b"{", b"[") or (body and "json" in kind)
        refused = UpstreamUnreadable if meant else NoDocument
        raise refused(f"the answer is not JSON{said}", http_status=reply.status) from exc
    if not isinstance(document, dict):
        raise UpstreamUnreadable("the answer is JSON, but not an object", http_status=reply.status)
    return document


def parse_url(document: Mapping[str, Any], name: str, *, allow_http: bool) -> str | None:
    """Read an absolute http(s) URL; None if it is absent. Nothing is normalised.

    Raises:
        UpstreamUnreadable: it is something else, such as ``javascript:``, or http where https is required.
    """
    value = document.get(name)
    if value is None:
        return None
    parts = split_url(value) if isinstance(value, str) else None
    if parts is None or "#" in value:
        raise UpstreamUnreadable(f"{name} is {shown(value)}, not an absolute http(s) URL")
    if parts.scheme == "http" and not allow_http:
        raise UpstreamUnreadable(f"{name} is {shown(value)}, and only https is allowed")
    return str(value)


def parse_words(document: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    """Read a list of strings; None if it is absent. Raises UpstreamUnreadable."""
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > _MOST_WORDS or not all(isinstance(item, str) for item in value):
        raise UpstreamUnreadable(f"{name} is not a list of strings")
    return tuple(value)


def parse_flag(document: Mapping[str, Any], name: str) -> bool:
    """Read true or false, also as a text; absent is false. Raises UpstreamUnreadable."""
    value = document.get(name)
    if value is None:
        return False
    if isinstance(value, str) and value.lower() in _FLAGS:
        return _FLAGS[value.lower()]
    if not isinstance(value, bool):
        raise UpstreamUnreadable(f"{name} is {shown(value)}, not true or false")
    return value


class Members:
    """Members of a document that need not decide: one that is odd is left out, and noted.

    Args:
        document: the document.
        allow_http: http URLs are acceptable.
    """

    def __init__(self, document: Mapping[str, Any], *, allow_http: bool) -> None:
        self._document = document
        self._allow_http = allow_http
        self._passed_over: list[str] = []

    @property
    def passed_over(self) -> tuple[str, ...]:
        """What was left out or mended so far, a phrase each."""
        return tuple(self._passed_over)

    def url(self, name: str) -> str | None:
        """A URL, as ``parse_url`` reads it; None if it is absent or odd."""
        try:
            return parse_url(self._document, name, allow_http=self._allow_http)
        except UpstreamUnreadable as exc:
            self._passed_over.append(exc.detail)
            return None

    def words(self, name: str) -> tuple[str, ...] | None:
        """A list of texts, without what is none. One text stands for its words. None if it is absent or odd."""
        value = self._document.get(name)
        if value is None:
            return None
        items = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
        kept = tuple(item for item in items if isinstance(item, str))[:_MOST_WORDS]
        if not isinstance(value, list) or len(kept) < len(value):
            self._passed_over.append(f"{name} is not a list of at most {_MOST_WORDS:,} strings")
        return kept if kept or value == [] else None

    def scopes(self, name: str, *, most: int = MOST_SCOPES) -> tuple[str, ...] | None:
        """A list of scopes, without what cannot be one and what is beyond ``most``; None if it is absent or odd."""
        words = self.words(name)
        return None if words is None else keep_scopes(words, most=most)


def shown(value: object) -> str:
    """A value from outside for people: quoted, ASCII, without its query, and short."""
    text = value if isinstance(value, str) else repr(value)
    return ascii(text.partition("?")[0][:200])


def tell_status(reply: Reply) -> str:
    """An answer's status for people, with where it wants to send us; nobody goes there."""
    target = reply.headers.get("location")
    return f"HTTP {reply.status}, a redirect to {shown(target)}" if target else f"HTTP {reply.status}"
