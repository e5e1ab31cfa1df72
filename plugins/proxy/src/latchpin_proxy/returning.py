"""What a caller brings back to an MCP server by its name: sessions, tasks and states, opened for their owner alone.

Pure. A body that is too large to be held is not read; it is refused if it seems to name one.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from latchpin.errors import InvalidRequest
from latchpin_mcp.message import says_utf8

from latchpin_proxy.bindings import Binder, Kind, NotBound
from latchpin_proxy.errors import NameNotYours, NotYours
from latchpin_proxy.messages import RELATED_TASK, is_of_interest, seems_utf8

__all__ = ["open_body", "open_headers"]

SESSION = "mcp-session-id"
NAME = "mcp-name"
CODING = "content-encoding"
_PLAIN = frozenset({"", "identity"})
_SESSIONS: tuple[Kind, ...] = (
    "session",
    "session that opens links",
    "session that asks nothing",
    "links without session",
    "questions without session",
)
_OURS = frozenset[Kind]({"links without session", "questions without session"})
"""The server knows of none."""

Fields = tuple[tuple[str, str], ...]


def open_headers(fields: Fields, binder: Binder) -> tuple[Fields, Kind | None]:
    """The caller's header fields with the server's name of the session, and of what kind it is; None: there is none.

    Raises:
        NotYours: it is not a session of this caller at this gateway.
        InvalidRequest: there are several; or the body is encoded, or not UTF-8, so that nothing in it can be looked at.
    """
    named = dict(fields)
    if CODING in named and any(name == CODING and value.strip().lower() not in _PLAIN for name, value in fields):
        raise InvalidRequest("the body has a Content-Encoding; MCP messages are sent without one")
    if "content-type" in named and not all(says_utf8(value) for name, value in fields if name == "content-type"):
        raise InvalidRequest("the Content-Type names another charset than UTF-8")
    if SESSION not in named:
        return fields, None
    if sum(name == SESSION for name, _ in fields) > 1:
        raise InvalidRequest("the header field Mcp-Session-Id came more than once")
    kind, opened = _open_session(binder, named[SESSION])
    if kind in _OURS:
        return tuple(field for field in fields if field[0] != SESSION), kind
    return tuple((name, opened if name == SESSION else value) for name, value in fields), kind


def open_body(body: bytes, fields: Fields, binder: Binder) -> tuple[bytes, Fields]:
    """The caller's message, and its header fields, with the server's names of tasks and states.

    Raises:
        NameNotYours: one of them is not this caller's at this gateway.
        InvalidRequest: the message names one, and is not JSON as everybody reads it.
    """
    if not seems_utf8(body):
        raise InvalidRequest("the message is not JSON in UTF-8")
    if not is_of_interest(body):
        return body, fields
    opening = _Opening(binder)
    try:
        message = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_object)
        opening.read(message)
        written = json.dumps(message, separators=(",", ":"), allow_nan=False).encode() if opening.opened else body
    except (ValueError, RecursionError) as exc:
        raise InvalidRequest("the message cannot be read, and seems to name a task or a state") from exc
    if not opening.opened:
        return body, fields
    named = tuple((name, opening.opened.get(value, value) if name == NAME else value) for name, value in fields)
    return written, named


class _Opening:
    """Opens the names in one message; ``opened`` has the server's name by the caller's."""

    def __init__(self, binder: Binder) -> None:
        self._binder = binder
        self.opened: dict[str, str] = {}

    def read(self, message: Any) -> None:  # noqa: ANN401  any JSON
        if isinstance(message, list):
            for part in message:
                self.read(part)
            return
        if not isinstance(message, dict):
            return
        params, method = message.get("params"), message.get("method")
        if isinstance(params, dict):
            self._open(params, "requestState", "state")
            if isinstance(method, str) and "tasks/" in method:
                self._open(params, "taskId", "task")
            self._open_related(params)
            self._open_listed(params.get("notifications"))
        for part in (message.get("result"), message.get("error")):
            if isinstance(part, dict):
                self._open_related(part)

    def _open(self, holder: dict[str, Any], name: str, kind: Kind) -> None:
        text = holder.get(name)
        if isinstance(text, str):
            holder[name] = self.opened[text] = _release(self._binder, kind, text)
        elif text is not None:
            raise NameNotYours(f"the {kind} that the request names is no text")

    def _open_related(self, holder: dict[str, Any]) -> None:
        meta = holder.get("_meta")
        if isinstance(meta, dict) and isinstance(related := meta.get(RELATED_TASK), dict):
            self._open(related, "taskId", "task")

    def _open_listed(self, notifications: object) -> None:
        if not isinstance(notifications, dict) or (tasks := notifications.get("taskIds")) is None:
            return
        if not isinstance(tasks, list) or not all(isinstance(text, str) for text in tasks):
            raise NameNotYours("the tasks that the request names are no list of texts")
        self.opened |= {text: _release(self._binder, "task", text) for text in tasks}
        notifications["taskIds"] = [self.opened[text] for text in tasks]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises ValueError where a member comes twice: software differs in which one counts (RFC 8259 section 4)."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member comes twice")
    return members


def _open_session(binder: Binder, text: str) -> tuple[Kind, str]:
    for kind in _SESSIONS:
        with suppress(NotBound):
            return kind, binder.release(kind, text)
    raise NotYours("the session that the request names is not one of yours at this gateway")


def _release(binder: Binder, kind: Kind, text: str) -> str:
    try:
        return binder.release(kind, text)
    except NotBound as exc:
        raise NameNotYours(f"the {kind} that the request names is not one of yours at this gateway") from exc
