"""An MCP server's answer on its way to the caller: message by message, each held no longer than until it is whole.

JSON is one message; in an event stream each event is one, and passes as soon as it ends. What is longer than can be
held passes in pieces, if nothing in it has to be read; else it breaks off.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections.abc import AsyncIterator
from itertools import pairwise

from latchpin.sdk.outbound import BodyTooLarge, BodyUndecodable, ByteBudget, Failure, open_decoder
from latchpin_mcp.message import says_utf8

from latchpin_proxy.headers import Field, is_event_stream, is_json
from latchpin_proxy.messages import LONGEST_SIGN, Terms, Unreadable, is_of_interest, must_be_read, rewrite
from latchpin_proxy.room import Share

__all__ = ["MOST_HELD", "Pieces", "ends_in", "events_in", "inspect"]

_log = logging.getLogger("latchpin.proxy")

MOST_HELD = 4_194_304
"""How long a message may be that has to be read, in bytes."""
_END = re.compile(rb"(?>\r\n|\r|\n)(?>\r\n|\r|\n)")
_LINE = re.compile(rb"\r\n|\r|\n")
_BLANK = b" \t\r\n\xef\xbb\xbf"
"""What may stand before JSON: blanks and the mark of UTF-8, in bytes."""
_LIKE_ASCII = re.compile(r"""[^;]*;\s*charset\s*=\s*"?(?:us-ascii|iso-8859-1|windows-1252)"?\s*""", re.IGNORECASE)
"""In these, what is JSON's own and every name in ASCII are the same bytes as in UTF-8."""
_FRAMING = frozenset({b"content-length", b"content-encoding"})

Pieces = AsyncIterator[bytes]


async def inspect(
    fields: list[Field], body: bytes | Pieces, terms: Terms, share: Share
) -> tuple[list[Field], bytes | Pieces]:
    """Header fields and body as the caller gets them; returns when enough has come to say the fields.

    JSON that could be held has come whole by then.

    What is held counts against ``share``, which the caller empties in the end.

    Args:
        fields: the server's.
        body: in pieces, or the whole of it.
        terms: under which it comes back.
        share: see above.

    Raises:
        Failure: the body broke off before, cannot be decoded, or cannot be read and must be; or too much is held.
    """
    events, json = is_event_stream(fields), is_json(fields)
    if terms.tools is not None:
        _check_charset(fields, messages=events or json)
    if not (events or json):
        return await _inspect_other(fields, _in_pieces(body), terms, share)
    if events and json:  # clients differ in which they look for first
        raise Failure("undecodable", "its answer says that it is JSON and an event stream", sent=True)
    encoding = _encoding(fields)
    unframed = [field for field in fields if field[0] not in _FRAMING]
    if json and not encoding and isinstance(body, bytes) and len(body) <= MOST_HELD:
        share.hold(len(body))
        return _framed(unframed, _message(body, terms))
    pieces = _in_pieces(body)
    if encoding:
        pieces = _decode(pieces, encoding)
    if events:
        return unframed, _events(pieces, terms, share)
    return await _inspect_json(unframed, pieces, terms, share)


def _check_charset(fields: list[Field], *, messages: bool) -> None:
    """Insist that nobody reads another list in the same bytes, as in UTF-7.

    A web server's own page, which is called no message, may be in a charset like ASCII.
    """
    for value in (value.decode("latin-1") for name, value in fields if name == b"content-type"):
        if not says_utf8(value) and (messages or not _LIKE_ASCII.fullmatch(value)):
            raise Failure("undecodable", "its answer names another charset than UTF-8, and rules hold here", sent=True)


async def _inspect_json(
    unframed: list[Field], pieces: Pieces, terms: Terms, share: Share
) -> tuple[list[Field], bytes | Pieces]:
    held, whole = await _hold(pieces, share)
    if not whole:
        return unframed, _unread(held, pieces, terms)
    return _framed(unframed, _message(held, terms))


def _framed(unframed: list[Field], body: bytes) -> tuple[list[Field], bytes]:
    return [*unframed, (b"content-length", b"%d" % len(body))], body


async def _inspect_other(
    fields: list[Field], pieces: Pieces, terms: Terms, share: Share
) -> tuple[list[Field], bytes | Pieces]:
    """What is not called JSON is read as such where it looks so: some clients do not look at the type."""
    encoding = _encoding(fields)
    raw, begun = await _begin(pieces, encoding, share)
    pieces = _from(raw, pieces)
    if not _seems_json(begun):
        return fields, pieces
    unframed = [field for field in fields if field[0] not in _FRAMING]
    return await _inspect_json(unframed, _decode(pieces, encoding) if encoding else pieces, terms, share)


async def _begin(pieces: Pieces, encoding: str, share: Share) -> tuple[bytes, bytes]:
    """What came until something did that is not blank, and the last of it decoded."""
    decoder = open_decoder(encoding, ByteBudget(sys.maxsize))
    raw = b""
    async for piece in pieces:
        raw += piece
        share.hold(len(raw))
        try:
            telling = next((decoded for decoded in decoder.feed(piece) if decoded.strip(_BLANK)), b"")
        except (BodyUndecodable, BodyTooLarge):
            break  # nobody can read it
        if telling:
            return raw, telling
        if len(raw) > MOST_HELD:
            raise Failure("too-large", "its answer begins with nothing but blanks", sent=True)
    return raw, b""


def _seems_json(begun: bytes) -> bool:
    """Whether a reader that does not look at the type might take it for JSON, in whatever encoding."""
    return begun.strip(_BLANK)[:1] in {b"{", b"[", b"\0", b"\xfe", b"\xff"}


def _encoding(fields: list[Field]) -> str:
    return ", ".join(value.decode("latin-1") for name, value in fields if name == b"content-encoding")


async def _from(begun: bytes, pieces: Pieces) -> Pieces:
    if begun:
        yield begun
    async for piece in pieces:
        yield piece


def _in_pieces(body: bytes | Pieces) -> Pieces:
    return _alone(body) if isinstance(body, bytes) else body


async def _alone(body: bytes) -> Pieces:
    if body:
        yield body


async def _decode(pieces: Pieces, encoding: str) -> Pieces:
    decoder = open_decoder(encoding, ByteBudget(sys.maxsize))
    try:
        async for piece in pieces:
            for decoded in decoder.feed(piece):
                yield decoded
                await asyncio.sleep(0)  # a little may become a lot: the others get their turn
        decoder.finish()
    except (BodyUndecodable, BodyTooLarge) as exc:
        raise Failure("undecodable", f"its answer cannot be decoded: {exc}", sent=True) from exc


async def _hold(pieces: Pieces, share: Share) -> tuple[bytes, bool]:
    """What came until the end, or until there was more than can be held; whether that was the end."""
    held = bytearray()
    async for piece in pieces:
        held += piece
        if len(held) > MOST_HELD:
            return bytes(held), False
        share.hold(len(held))
    return bytes(held), True


def _message(body: bytes, terms: Terms) -> bytes:
    if b"\0" in body:  # no JSON in UTF-8 has one, and some clients guess at another encoding then
        raise Failure("undecodable", "its answer is not JSON in UTF-8", sent=True)
    try:
        passed = rewrite(body, terms)
    except Unreadable as exc:
        raise Failure("undecodable", "its answer is not JSON", sent=True) from exc
    return b"{}" if passed is None else passed


async def _unread(held: bytes, pieces: Pieces, terms: Terms) -> Pieces:
    watch = _Watch(terms)
    watch.look(held, json=True)
    yield held
    async for piece in pieces:
        watch.look(piece, json=True)
        yield piece


class _Watch:
    """Looks at a message that passes in pieces."""

    def __init__(self, terms: Terms) -> None:
        self._last = b""
        self._tools = terms.tools is not None

    def look(self, piece: bytes, *, json: bool = False) -> None:
        """Raises Failure: there is something that has to be read."""
        seen = self._last + piece
        if must_be_read(seen, tools=self._tools) or (json and b"\0" in seen):
            raise Failure("too-large", f"a message that has to be read is longer than {MOST_HELD:,} bytes", sent=True)
        self._last = seen[-LONGEST_SIGN:]


async def _events(pieces: Pieces, terms: Terms, share: Share) -> Pieces:
    """The events, each when its blank line has come. What follows the last blank line passes at the end."""
    held = bytearray()
    watch: _Watch | None = None  # of the event under way, while it is longer than can be held
    async for piece in pieces:
        held += piece
        ends = ends_in(held, len(piece))
        passing = bytearray()
        if ends:
            whole = bytes(held[: ends[-1]])
            del held[: ends[-1]]
            if watch is not None:
                watch.look(whole[: ends[0]])
                passing += whole[: ends[0]]
                watch = None
                whole, ends = whole[ends[0] :], [end - ends[0] for end in ends[1:]]
            passing += _whole_events(whole, ends, terms)
        if len(held) > MOST_HELD or (watch is not None and held):
            watch = watch or _Watch(terms)
            keep = held[-3:]  # the beginning of its end may be among them
            del held[-3:]
            watch.look(bytes(held))
            passing += held
            held = keep
        elif len(held) < 4 and not held.strip(b"\r\n"):  # noqa: PLR2004  the rest of a blank line: no event waits behind it
            passing += held
            held.clear()
        share.hold(len(held))
        if passing:
            yield bytes(passing)
    if held:
        yield _event(bytes(held), terms) if watch is None else bytes(held)


def ends_in(held: bytearray, added: int) -> list[int]:
    """Where events end of which the last byte is among the ``added`` ones."""
    if held.find(b"\n", -added) < 0 and held.find(b"\r", -added) < 0:  # found ten times as fast as a pattern is
        return []
    return [end.end() for end in _END.finditer(held, max(0, len(held) - added - 3))]


def events_in(held: bytes) -> list[bytes]:
    """The data of each event that has ended."""
    ends = [end.end() for end in _END.finditer(held)]
    return [_data(_LINE.split(held[begin:end].removeprefix(b"\xef\xbb\xbf"))) for begin, end in pairwise([0, *ends])]


def _data(lines: list[bytes]) -> bytes:
    data = [line for line in lines if line.partition(b":")[0] == b"data"]
    return b"\n".join(line.partition(b":")[2].removeprefix(b" ") for line in data)


def _whole_events(raw: bytes, ends: list[int], terms: Terms) -> bytes:
    """Events that came together, and where each ends: taken apart only if anything in them is of interest."""
    if not is_of_interest(raw, tools=terms.tools is not None):
        return raw
    return b"".join(_event(raw[begin:end], terms) for begin, end in pairwise([0, *ends]))


def _event(raw: bytes, terms: Terms) -> bytes:
    """One event; nothing of it if its message is dropped."""
    if not is_of_interest(raw, tools=terms.tools is not None):
        return raw
    lines = _LINE.split(raw.removeprefix(b"\xef\xbb\xbf"))
    message = _data(lines)
    try:
        passed = rewrite(message, terms)
    except Unreadable:
        passed = None
    if passed == message:
        return raw
    if passed is None:
        _log.warning("A message of %s was dropped: it must not pass, or cannot be read", terms.name)
        return b""
    others = [line for line in lines if line and line.partition(b":")[0] != b"data"]
    return b"".join(line + b"\n" for line in (*others, b"data: " + passed)) + b"\n"
