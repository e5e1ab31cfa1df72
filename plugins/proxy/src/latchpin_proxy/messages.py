"""What an MCP server's messages may say to a caller: pure, on one message at a time.

Most pass as they came, byte for byte. Read and, where needed, written anew are those that name a session's tasks or
states (bound to the caller), that ask a person something (the server's name goes in front), that hand out links like
the gateway's (they are removed), and that call a person's own lists fit for everybody's cache (they become private).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from latchpin.sdk.urls import split_url

from latchpin_proxy.bindings import Binder
from latchpin_proxy.held_back import ToolSieve
from latchpin_proxy.links import may_be_opened, without_our_links

__all__ = [
    "LONGEST_SIGN",
    "RELATED_TASK",
    "Terms",
    "Unreadable",
    "is_of_interest",
    "may_name",
    "read_once",
    "must_be_read",
    "rewrite",
    "seems_utf8",
]

RELATED_TASK = "io.modelcontextprotocol/related-task"
LONGEST_SIGN = 256
"""No sign by which a message is known that has to be read is longer, in bytes."""
_LINKS = re.compile(rb"oauth\\?/authorize\\?/|/login\\?/?\?", re.IGNORECASE)
_ESCAPED = re.compile(rb"\\u00(?:2[df]|3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9a])", re.IGNORECASE)
_SURE = re.compile(  # as members, or as the value that a method is; in a longer text, quotes have a backslash
    rb'(?<!\\)"(?:cacheScope|requestState|taskIds?|inputRequests|elicitations|elicitation\\?/create)"'
    rb'|oauth\\?/authorize\\?/[0-9a-f]{32}|/login\\?/?\?(?:(?!/login\\?/?\?)[^"\s]){0,200}?token=',
    re.IGNORECASE,
)
_TOOLS = re.compile(rb'(?<!\\)"tool(?:s|\xc5\xbf|\\u017f)"', re.IGNORECASE)
"""``tools`` also in letters that some software takes for the same: U+017F is an s to Go's standard library."""
_NAMING = (b"requestState", b"taskIds", b"tasks", b"related-task", b"\\u00")
_NAMES = re.compile(
    rb'(?<!\\)"(?:requestState|taskIds|tasks\\?/(?:get|result|update|cancel|list)'
    rb'|io\.modelcontextprotocol\\?/related-task)"'
    rb"|(?<!\\)(?:\\\\)*+" + _ESCAPED.pattern,
    re.IGNORECASE,
)
_ELICIT = "elicitation/create"
_DROPPED = {"code": -32603, "message": "The MCP server's question was dropped: its link looks like the gateway's."}


class Unreadable(Exception):
    """A message of interest that is not JSON as everybody reads it."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which terms a server speaks to a caller.

    Attributes:
        name: the gateway's, as its administrator entered it.
        server: the MCP server's URL.
        base_url: BASE_URL.
        private: the caller's own token is used, so the server knows who asks.
        opens_links: the program asks its person to open links, as it said when the session began.
        asks_nothing: the program asks its person nothing, as it said when the session began.
        begins: this call begins a session of a program that asks its person something.
        tools: lets through what the caller may know of the server's tools; None: all.
    """

    binder: Binder
    name: str
    server: str
    base_url: str
    private: bool
    opens_links: bool = False
    asks_nothing: bool = False
    begins: bool = False
    tools: ToolSieve | None = None


def is_of_interest(raw: bytes, *, tools: bool = False) -> bool:
    """Whether ``raw``, JSON text, has to be read. A letter that is written as an escape hides something.

    With ``tools`` also what may be a list of tools.
    """
    if tools and _may_list_tools(raw):
        return True
    if (  # one by one: a loop would cost as much again
        b"cacheScope" in raw
        or b"requestState" in raw
        or b"taskId" in raw
        or b"elicitation" in raw
        or b"inputRequests" in raw
        or b"authorize_url" in raw
    ):
        return True
    lowered = raw.lower()  # plain words are found ten times as fast as a pattern is
    if (b"authorize" in lowered or b"login" in lowered) and _LINKS.search(raw):
        return True
    return b"\\u00" in raw and _ESCAPED.search(raw) is not None


def _may_list_tools(raw: bytes) -> bool:
    if b"tools" in raw:
        return True
    lowered = raw.lower()
    return b"tools" in lowered or b"tool\xc5\xbf" in lowered or b"tool\\u017f" in lowered


def must_be_read(raw: bytes, *, tools: bool = False) -> bool:
    """Whether ``raw``, part of a text that is too long to be read, has a member or link that must not pass unread."""
    if tools and _TOOLS.search(raw) is not None:
        return True
    return is_of_interest(raw) and (_SURE.search(raw) is not None or _ESCAPED.search(raw) is not None)


def may_name(raw: bytes) -> bool:
    """Whether ``raw``, part of a caller's message that is too long to be held, may name a task or a state."""
    return any(word in raw for word in _NAMING) and _NAMES.search(raw) is not None


def seems_utf8(body: bytes) -> bool:
    """Whether software that guesses at the encoding of JSON by its beginning reads UTF-8 too (RFC 4627 section 3)."""
    return body[:2] == b'{"' or json.detect_encoding(body[:4]) in {"utf-8", "utf-8-sig"}


def rewrite(raw: bytes, terms: Terms) -> bytes | None:
    """One message, or a batch, as the caller gets it: ``raw`` itself where nothing changes; None: it is dropped.

    Raises:
        Unreadable: it has to be read, and cannot be.
    """
    if not is_of_interest(raw, tools=terms.tools is not None):
        return raw
    try:
        message = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=read_once if terms.tools is not None else None)
        reading = _Reading(terms)
        kept = reading.read(message)
        if not reading.changed:
            return raw
        return None if kept is None else json.dumps(kept, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, RecursionError) as exc:
        raise Unreadable from exc


class _Reading:
    """Reads one message; ``changed`` says whether it has to be written anew."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self.changed = False

    def read(self, message: Any) -> Any:  # noqa: ANN401  any JSON
        """The message as it passes, None if it does not."""
        if isinstance(message, list):
            kept = [passed for part in message if (passed := self.read(part)) is not None]
            return kept or None
        if not isinstance(message, dict):
            return message
        self._check_spelling(message, "result")
        message = self._map_text(message)
        if "jsonrpc" not in message and message.pop("authorize_url", None) is not None:
            self.changed = True  # this gateway's own word, and no part of MCP
        params = message.get("params")
        if message.get("method") == _ELICIT and not self._elicits(params):
            self.changed = True
            return None
        if isinstance(params, dict):
            self._bind_names(params)
        if isinstance(message.get("result"), dict):
            self._read_result(message)
        if isinstance(message.get("error"), dict):
            self._read_error(message)
        return message

    def _read_result(self, message: dict[str, Any]) -> None:
        result = message["result"]
        self._check_spelling(result, "tools")
        if self._terms.tools is not None and isinstance(tools := result.get("tools"), list):
            self._set(result, "tools", self._terms.tools.keep(tools))
        if self._terms.private and result.get("cacheScope", "private") != "private":
            self._set(result, "cacheScope", "private")
        self._bind_names(result)
        if isinstance(task := result.get("task"), dict):
            self._bind_names(task)
        if isinstance(tasks := result.get("tasks"), list):
            self._read_tasks(result, tasks)
        if isinstance(asked := result.get("inputRequests"), dict):
            kept = {key: value for key, value in asked.items() if self._may_ask(value)}
            if len(kept) < len(asked):
                self._set(result, "inputRequests", kept)
            if asked and not kept:
                del message["result"]
                message["error"] = _DROPPED

    def _check_spelling(self, members: dict[str, Any], name: str) -> None:
        """Raises ValueError where a rule holds and a member is ``name`` in other letters: some clients take it."""
        if self._terms.tools is not None and any(each != name and each.casefold() == name for each in members):
            raise ValueError(f"a member is {name} in other letters")

    def _read_tasks(self, result: dict[str, Any], tasks: list[Any]) -> None:
        """A server that does not know its users lists everybody's tasks."""
        if not self._terms.private and tasks:
            self._set(result, "tasks", [])
            return
        for task in tasks:
            if isinstance(task, dict):
                self._bind_names(task)

    def _read_error(self, message: dict[str, Any]) -> None:
        data = message["error"].get("data")
        if not isinstance(data, dict) or not isinstance(asked := data.get("elicitations"), list):
            return
        kept = [params for params in asked if self._elicits(params)]
        if len(kept) < len(asked):
            self._set(data, "elicitations", kept)
        if asked and not kept:
            message["error"] = _DROPPED

    def _may_ask(self, request: Any) -> bool:  # noqa: ANN401  any JSON
        if not isinstance(request, dict):
            return True
        if isinstance(params := request.get("params"), dict):
            self._bind_names(params)
        return request.get("method") != _ELICIT or self._elicits(params)

    def _elicits(self, params: Any) -> bool:  # noqa: ANN401  any JSON
        """Put the server's name before what it asks a person; False if it must not ask that."""
        if not isinstance(params, dict):
            return True
        if "url" in params or params.get("mode") == "url":
            url = params.get("url")
            terms = self._terms
            if not isinstance(url, str) or not may_be_opened(url, base_url=terms.base_url, server=terms.server):
                return False
        said = params.get("message")
        self._set(params, "message", f"{self._speaker()}: {said if isinstance(said, str) else ''}")
        return True

    def _speaker(self) -> str:
        parts = split_url(self._terms.server)
        return f"MCP server {self._terms.name} ({parts.netloc if parts else 'unknown host'})"

    def _bind_names(self, holder: dict[str, Any]) -> None:
        binder = self._terms.binder
        if isinstance(state := holder.get("requestState"), str):
            self._set(holder, "requestState", binder.bind("state", state))
        if isinstance(task := holder.get("taskId"), str):
            self._set(holder, "taskId", binder.bind("task", task))
        meta = holder.get("_meta")
        related = meta.get(RELATED_TASK) if isinstance(meta, dict) else None
        if isinstance(related, dict) and isinstance(task := related.get("taskId"), str):
            self._set(related, "taskId", binder.bind("task", task))
        notifications = holder.get("notifications")
        if isinstance(notifications, dict) and isinstance(tasks := notifications.get("taskIds"), list):
            bound = [binder.bind("task", task) if isinstance(task, str) else task for task in tasks]
            self._set(notifications, "taskIds", bound)

    def _map_text(self, message: dict[str, Any]) -> dict[str, Any]:
        mapped: dict[str, Any] = _map_strings(message, lambda text: without_our_links(text, server=self._terms.server))
        if mapped != message:
            self.changed = True
        return mapped

    def _set(self, holder: dict[str, Any], name: str, value: object) -> None:
        if holder.get(name) != value:
            holder[name] = value
            self.changed = True


def read_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises ValueError where a member comes twice: a client may take the other one for the list."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member comes twice")
    return members


def _map_strings(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401  any JSON
    if isinstance(value, str):
        return change(value) if "://" in value or ":\\" in value else value
    if isinstance(value, list):
        return [_map_strings(part, change) for part in value]
    if isinstance(value, dict):
        return {name: _map_strings(part, change) for name, part in value.items()}
    return value
