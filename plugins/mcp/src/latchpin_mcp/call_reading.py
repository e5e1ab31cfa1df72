"""What an MCP message is, and what its answer says, read no further than calls are told of. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from latchpin.contracts import CallOutcome
from latchpin.sdk.mcp import NAMED_BY, VERSION

__all__ = ["AnswerReading", "MessageRead", "clip", "read_message"]

AMBIGUOUS, ANSWER, BATCH, UNREAD = "(ambiguous)", "(answer)", "(batch)", "(unread)"
LONGEST = 200
"""How much of a method or name is told, in characters."""
MOST_READ = 4_194_304
"""How long an answer may be that is read where it seems to be an error, in bytes."""
_NAMED_BY = {**NAMED_BY, "resources/subscribe": "uri", "resources/unsubscribe": "uri"}
_DECIDING = frozenset({"method", "params", "name", "uri"})
_UNTELLABLE = re.compile("[\0\ud800-\udfff]")
"""No database and no protocol takes these (U+0000, and halves of what UTF-16 writes in two)."""
MOST_CARRIED = 8_192
"""How long a member of the trace context may be, in characters (W3C Baggage section 3.3.2)."""
_CARRIED = ("traceparent", "tracestate", "baggage")
_IS_ERROR, _ERROR, _RESULT, _METHOD = b'"isError"', b'"error"', b'"result"', b'"method"'
_TRUE = re.compile(rb"\s*:\s*true")
_HTTP_ERROR = 400


_NOTHING: Mapping[str, Any] = MappingProxyType({})
_decode = json.JSONDecoder().raw_decode


class MessageRead(NamedTuple):
    """What a message is; see ``McpCall``.

    Attributes:
        answers: an answer has to come.
    """

    method: str
    name: str = ""
    id: str = ""
    params: Mapping[str, Any] = _NOTHING
    version: str = ""
    carried: Mapping[str, str] = _NOTHING
    answers: bool = True


def clip(text: str) -> str:
    """A text of somebody else's as it is told: not too long, and fit for every log and store."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}... ({len(text)} characters)"
    return text if text.isascii() and "\0" not in text else _UNTELLABLE.sub("\ufffd", text)


def read_message(body: bytes | None) -> MessageRead:
    """What the body of a request is; None: it was too large to be held."""
    if body is None:
        return MessageRead(UNREAD)
    try:
        text = body.decode("utf-8", "replace")  # as servers do that read what is no UTF-8 all the same
        value = json.loads(text, object_pairs_hook=_once) if _may_repeat(body) else _load(text)
    except _TwiceError:
        return MessageRead(AMBIGUOUS)
    except (ValueError, RecursionError):
        return MessageRead(UNREAD)
    if isinstance(value, list):
        parts = [_read(each) for each in value]
        return MessageRead(BATCH, clip(", ".join(f"{part.method} {part.name}".strip() for part in parts)))
    return _read(value)


class _TwiceError(Exception):
    """A member comes twice: software differs in which one counts (RFC 8259 section 4)."""


def _may_repeat(body: bytes) -> bool:
    """Whether what decides might come twice; looking closer costs as much again as reading does."""
    lowered = body.lower()  # some software takes "Method" for "method"
    return (  # one by one: a loop would cost as much again
        b"\\u00" in lowered
        or lowered.count(b'"method"') > 1
        or lowered.count(b'"params"') > 1
        or lowered.count(b'"name"') > 1
        or lowered.count(b'"uri"') > 1
    )


def _load(text: str) -> Any:  # noqa: ANN401  JSON
    """As ``json.loads``, in half of its time where nothing stands around the message."""
    if text[:1] != "{":
        return json.loads(text.removeprefix("\ufeff"))
    value, end = _decode(text)
    return value if end == len(text) else json.loads(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    deciding = [name for name, _ in pairs if name.lower() in _DECIDING]
    if len(members) < len(pairs) or len({name.lower() for name in deciding}) < len(deciding):
        raise _TwiceError
    return members


def _read(value: object) -> MessageRead:
    if not isinstance(value, dict):
        return MessageRead(UNREAD)
    method, params = value.get("method"), value.get("params")
    if not isinstance(method, str):
        return MessageRead(ANSWER if "result" in value or "error" in value else UNREAD, answers=False)
    id_ = clip(str(value.get("id", "")))
    if not isinstance(params, dict):
        return MessageRead(clip(method), id=id_, answers="id" in value)
    name, meta = _name(method, params), params.get("_meta")
    version, carried = _read_meta(meta) if isinstance(meta, dict) else ("", _NOTHING)
    return MessageRead(clip(method), name, id_, params, version, carried, "id" in value)


def _name(method: str, params: Mapping[str, Any]) -> str:
    """What it is about."""
    reference = params.get("ref") if method == "completion/complete" else None
    if isinstance(reference, dict):
        name = reference.get("name", reference.get("uri"))
    else:
        name = params.get(_NAMED_BY.get(method, ""))
    return clip(name) if isinstance(name, str) else ""


def _read_meta(meta: Mapping[str, Any]) -> tuple[str, Mapping[str, str]]:
    """The version of the protocol, and the trace context."""
    said = {key: text for key in _CARRIED if isinstance(text := meta.get(key), str) and len(text) <= MOST_CARRIED}
    version = meta.get(VERSION)
    return clip(version) if isinstance(version, str) else "", said


class AnswerReading:
    """Reads off an answer what became of the call, while it passes.

    Attributes:
        answers: an answer has to come.
        answered: a message came that is the answer.
    """

    __slots__ = ("_events", "_found", "_status", "answered", "answers")

    def __init__(self) -> None:
        self.answers = True
        self._status = 0
        self._events = False
        self._found: tuple[CallOutcome, str] | None = None
        self.answered = False

    def begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Take the head; say whether an event stream follows."""
        self._status = status
        for name, value in headers:
            if name == b"content-type" and b"text/event-stream" in value:
                self._events = True
        return self._events

    def feed(self, piece: bytes) -> None:
        """Take a piece of the body: a whole answer, or whole events."""
        if not self.answered and _RESULT in piece:
            self.answered = _METHOD not in piece or any(map(_is_answer, _events(piece)))
        if not _seems_error(piece) or len(piece) > MOST_READ:
            return
        for text in _events(piece) if self._events else (piece,):
            if (found := _outcome(text)) is not None:
                self._found, self.answered = found, True

    def outcome(self, *, whole: bool) -> tuple[CallOutcome, str]:
        """What became of it, with the code; ``whole``: the answer came to its end."""
        if self._found is not None:
            return self._found
        if self._status >= _HTTP_ERROR:
            return "http", str(self._status)
        if not whole or (self._events and self.answers and not self.answered):
            return "broken-off", ""
        return "ok", ""


def _seems_error(piece: bytes) -> bool:
    """Whether a piece has to be read; in a string, quotes have a backslash."""
    if _ERROR in piece:
        return True
    at = piece.find(_IS_ERROR)
    while at >= 0:
        if _TRUE.match(piece, at + len(_IS_ERROR)):
            return True
        at = piece.find(_IS_ERROR, at + 1)
    return False


def _events(piece: bytes) -> Iterable[bytes]:
    """The messages of events."""
    for event in re.split(rb"\r\n\r\n|\n\n|\r\r", piece):
        lines = [line for line in event.splitlines() if line.startswith(b"data:")]
        if lines:
            yield b"\n".join(line[5:] for line in lines)


def _is_answer(text: bytes) -> bool:
    """Whether a message is an answer, and none that leads up to it."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return any(isinstance(each, dict) and "result" in each for each in (value if isinstance(value, list) else [value]))


def _outcome(text: bytes) -> tuple[CallOutcome, str] | None:
    """What a message says that is an answer; None for others, and for what cannot be read."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, dict) or "method" in each:
            continue
        error, result = each.get("error"), each.get("result")
        if isinstance(error, dict):
            code = error.get("code")
            return "error", str(code)[:20] if isinstance(code, int) else ""
        if isinstance(result, dict) and result.get("isError") is True:
            return "tool_error", ""
    return None
