"""A caller's message, judged once: what is decided by it, and the text that goes on. Pure.

What software might read in two ways is refused: several messages at once, a member that comes twice or whose name is
only written otherwise than one that counts, a number that is not the same everywhere, another media type or encoding, a
header field that says something else than the body does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from latchpin.sdk.mcp import (
    CAPABILITIES,
    HEADER_MISMATCH,
    INVALID_PARAMS,
    INVALID_REQUEST,
    MODERN,
    NAMED_BY,
    PARSE_ERROR,
    SESSIONS,
    STATUSES,
    UNSUPPORTED_VERSION,
    VERSION,
    Era,
)

from latchpin_mcp.header_values import decode_value
from latchpin_mcp.parts import Part, TwiceError, read_members, read_object

__all__ = ["Message", "Refused", "parse_message", "says_utf8"]

MEDIA_TYPE = "application/json"
_UTF8 = re.compile(r'\s*charset\s*=\s*(?:utf-?8|"utf-?8")\s*')
_COUNTED = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})
_COUNTED_PARAMS = frozenset({"name", "uri", "_meta"})
_MOST_EXACT = 2**53 - 1
"""The highest whole number, up or down, that is the same in all software (RFC 8259 section 6)."""
_ONCE = ("content-type", "content-encoding", "mcp-protocol-version", "mcp-method", "mcp-name", "mcp-session-id")

Fields = Iterable[tuple[bytes, bytes]]


class Refused(Exception):
    """The message is not served.

    Attributes:
        code: of the error, as JSON-RPC has it.
        id: the message's, None where it cannot be read.
        status: of HTTP.
        data: more about it.
    """

    def __init__(
        self,
        code: int,
        text: str,
        *,
        id: str | int | None = None,  # noqa: A002  as JSON-RPC calls it
        status: int | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.id = id
        self.status = STATUSES.get(code, 200) if status is None else status
        self.data = data


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        text: the whole, as it came.
        whole: where it stands in the text.
        members: its own, by name.
        params: those of ``params``; empty where there are none.
        meta: those of ``params._meta``; empty where there are none.
        id: of a request or an answer; None: a notification.
        method: None: an answer.
        era: of the program that sent it.
        version: of the protocol, as the header names it; ``""``: it does not.
        headers: the header fields that count, by lower-case name.
    """

    text: str = field(repr=False)
    whole: Part = field(repr=False)
    members: Mapping[str, Part] = field(repr=False)
    params: Mapping[str, Part] = field(repr=False)
    meta: Mapping[str, Part] = field(repr=False)
    id: str | int | None
    method: str | None
    era: Era
    version: str
    headers: Mapping[str, str] = field(repr=False)

    def param(self, name: str) -> Any:  # noqa: ANN401  any JSON
        """The value of a member of ``params``; None where it is not there."""
        part = self.params.get(name)
        return None if part is None else part.value


def parse_message(body: bytes, fields: Fields) -> Message:
    """The message in a request.

    Args:
        body: the whole.
        fields: the request's header fields, names in lower case.

    Raises:
        Refused: it is no single message, or can be read in two ways.
    """
    headers = _headers(fields)
    text, whole, members = _read(body, headers)
    _check_spelling(members, _COUNTED)
    try:
        params = _object(text, members.get("params"), "params")
        meta = _object(text, params.get("_meta"), "params._meta")
    except ValueError as exc:
        raise Refused(INVALID_REQUEST, f"the message cannot be served: {exc}") from None
    _check_spelling(params, _COUNTED_PARAMS)
    message_id, method = _id(members), _method(members)
    version = headers.get("mcp-protocol-version", "")
    era: Era = "sessions" if version in {"", *SESSIONS} else "modern"
    message = Message(text, whole, members, params, meta, message_id, method, era, version, headers)
    _check_repeated(message)
    if message.method is not None and message.id is not None:
        _check_envelope(message)
    return message


def _headers(fields: Fields) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw, value in fields:
        name = raw.decode("latin-1")
        if name in _ONCE and name in headers:
            raise Refused(HEADER_MISMATCH, f"the header field {name} came more than once")
        headers[name] = value.decode("latin-1")
    return headers


def _read(body: bytes, headers: Mapping[str, str]) -> tuple[str, Part, Mapping[str, Part]]:
    if headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise Refused(INVALID_REQUEST, f"the Content-Type of a message is {MEDIA_TYPE}", status=415)
    if not says_utf8(headers["content-type"]):
        raise Refused(INVALID_REQUEST, "the Content-Type names another charset than UTF-8", status=415)
    if headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise Refused(INVALID_REQUEST, "the body has a Content-Encoding; messages are sent without one", status=415)
    try:
        text = body.decode("utf-8")
        found = read_object(text)
    except TwiceError as exc:
        raise Refused(INVALID_REQUEST, f"the message cannot be served: {exc}") from None
    except (ValueError, RecursionError):
        raise Refused(PARSE_ERROR, "the body is not JSON in UTF-8") from None
    if found is None:
        raise Refused(INVALID_REQUEST, "the body is not one message: each is sent by itself")
    return text, *found


def says_utf8(content_type: str) -> bool:
    """Whether a Content-Type names no charset but UTF-8.

    Many servers read by the one it names, also in JSON, where it means nothing (RFC 8259 section 11): in UTF-7 the same
    bytes are another message.
    """
    parameters = content_type.lower().partition(";")[2]
    return not parameters or all(_UTF8.fullmatch(each) for each in parameters.split(";") if "charset" in each)


def _object(text: str, part: Part | None, name: str) -> Mapping[str, Part]:
    if part is None:
        return {}
    if isinstance(part.value, dict):
        return read_members(text, part)
    raise Refused(INVALID_REQUEST, f"{name} is no object")


def _check_spelling(members: Mapping[str, Part], counted: frozenset[str]) -> None:
    """Some software takes ``Method`` for ``method``, Go's standard library for one."""
    for name in members:
        if name not in counted and name.casefold() in counted:
            raise Refused(INVALID_REQUEST, f"the message cannot be served: {name[:20]!a} is no {name.casefold()}")


def _id(members: Mapping[str, Part]) -> str | int | None:
    if members.get("jsonrpc") is None or members["jsonrpc"].value != "2.0":
        raise Refused(INVALID_REQUEST, 'the message does not say "jsonrpc": "2.0"')
    if "id" not in members:
        return None
    value = members["id"].value
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise Refused(INVALID_REQUEST, "the message's id is neither text nor a whole number")
    if isinstance(value, int) and abs(value) > _MOST_EXACT:
        raise Refused(INVALID_REQUEST, "the message's id is a number that not all software can tell from others")
    return value


def _method(members: Mapping[str, Part]) -> str | None:
    answers = "result" in members or "error" in members
    if "method" not in members:
        if not answers or "id" not in members:
            raise Refused(INVALID_REQUEST, "the message is neither a request nor an answer")
        return None
    method = members["method"].value
    if not isinstance(method, str) or answers:
        raise Refused(INVALID_REQUEST, "the message is neither a request nor an answer")
    return method


def _check_repeated(message: Message) -> None:
    """What header fields repeat must be what the body says, whatever the era."""
    headers = message.headers
    if "mcp-method" in headers and headers["mcp-method"] != message.method:
        _mismatch(message, "Mcp-Method", "method")
    key = NAMED_BY.get(message.method or "")
    if "mcp-name" in headers and key is not None and decode_value(headers["mcp-name"]) != message.param(key):
        _mismatch(message, "Mcp-Name", f"params.{key}")


def _check_envelope(message: Message) -> None:
    """What each request of 2026-07-28 says about its sender, and repeats in header fields."""
    said = message.meta.get(VERSION)
    if message.era == "sessions":
        if said is not None:
            _mismatch(message, "MCP-Protocol-Version", "protocol version")
        return
    missing = [name for name in (VERSION, CAPABILITIES) if name not in message.meta]
    if said is None or missing:
        raise Refused(INVALID_PARAMS, f"params._meta has no {' and no '.join(missing)}", id=message.id)
    if said.value != message.version:
        _mismatch(message, "MCP-Protocol-Version", "protocol version")
    if message.version != MODERN:
        data = {"supported": [MODERN, *reversed(SESSIONS)], "requested": message.version}
        raise Refused(UNSUPPORTED_VERSION, "this protocol version is not served", id=message.id, data=data)
    if not isinstance(message.meta[CAPABILITIES].value, dict):
        raise Refused(INVALID_PARAMS, f"params._meta has no object {CAPABILITIES}", id=message.id)
    if "mcp-method" not in message.headers:
        _mismatch(message, "Mcp-Method", "method")
    key = NAMED_BY.get(message.method or "")
    if key is not None and "mcp-name" not in message.headers and message.param(key) is not None:
        _mismatch(message, "Mcp-Name", f"params.{key}")


def _mismatch(message: Message, header: str, member: str) -> NoReturn:
    raise Refused(
        HEADER_MISMATCH, f"the header field {header} does not say what the body's {member} does", id=message.id
    )
