"""Bodies decoded piece by piece, so that a small one cannot become a large one behind our back."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator

__all__ = ["ACCEPTED_ENCODINGS", "ByteBudget", "BodyTooLarge", "BodyUndecodable", "Decoder", "open_decoder"]

ACCEPTED_ENCODINGS = "gzip, deflate"
_STEP = 65_536
_MOST_MEMBERS = 16  # each costs a copy of what follows it
_GZIP = b"\x1f\x8b"
_INFLATED = frozenset({"gzip", "x-gzip", "deflate"})
_CODINGS = _INFLATED | {"aes128gcm", "br", "compress", "dcb", "dcz", "exi", "pack200-gzip", "x-compress", "zstd"}
"""The registered content codings. Servers put other words there as well, such as a charset, which mean nothing."""
_BLANK = b" \t\r\n\xef\xbb\xbf"
_PLAIN = re.compile(rb"[ \t\r\n\xef\xbb\xbf]*(?:[{\[]|data:|event:|id:|retry:)")


class BodyTooLarge(Exception):
    """More bytes than allowed, before or after decoding."""


class BodyUndecodable(Exception):
    """The body is not in the encoding it claims, or in one that was not asked for."""


class ByteBudget:
    """How many bytes may still come, counted twice: as they came, and decoded.

    One allowance may serve several answers: together they stay below it.

    Args:
        size: the limit of each count, in bytes.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._raw = size
        self._decoded = size

    def take_raw(self, count: int) -> None:
        """Count bytes off the wire. Raises BodyTooLarge."""
        self._raw -= count
        if self._raw < 0:
            raise BodyTooLarge

    def take_decoded(self, count: int) -> None:
        """Count decoded bytes. Raises BodyTooLarge."""
        self._decoded -= count
        if self._decoded < 0:
            raise BodyTooLarge


class Decoder:
    """Passes a body on as it is, within its allowance.

    Args:
        budget: what its pieces count against.
        passed_over: what is wrong about the body and does no harm, a phrase for the log; empty: nothing is.
    """

    def __init__(self, budget: ByteBudget, passed_over: str = "") -> None:
        self._budget = budget
        self.passed_over = passed_over

    def feed(self, data: bytes) -> Iterable[bytes]:
        """Decode one piece. Raises BodyTooLarge or BodyUndecodable."""
        self._budget.take_raw(len(data))
        self._budget.take_decoded(len(data))
        return (data,) if data else ()

    def finish(self) -> None:
        """Take note of the body's end. Raises BodyUndecodable if it came too early."""


class _Labelled(Decoder):
    """A body that names a coding. JSON or events in plain text are passed on as they are: the label is wrong then.

    No coded stream begins as those do. Proxies that decode a body and leave its label are met in use.
    """

    def __init__(self, budget: ByteBudget, coding: str) -> None:
        super().__init__(budget)
        self._coding = coding
        self._head: bytes | None = b""  # what came before the first byte that tells

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decode one piece. Raises BodyTooLarge or BodyUndecodable."""
        self._budget.take_raw(len(data))
        for piece in self._decode(data):
            self._budget.take_decoded(len(piece))
            if piece:
                yield piece

    def _decode(self, data: bytes) -> Iterator[bytes]:
        if self._head is not None:
            data = self._head + data
            if not data.strip(_BLANK):
                self._head = data
                return
            self._head = None
            if _PLAIN.match(data):
                self.passed_over = f"its Content-Encoding is {self._coding!r}, and its body is plain text"
        if self.passed_over:
            yield data
        else:
            yield from self._inflate(data)

    def _inflate(self, data: bytes) -> Iterator[bytes]:  # noqa: ARG002  for those that can
        raise BodyUndecodable(f"its Content-Encoding {self._coding!r} was not asked for")


class _Inflater(_Labelled):
    """gzip or deflate (RFC 9110 section 8.4.1), at most 64 kB of output at a time.

    Several gzip members are one body (RFC 1952 section 2.2). What follows and is none is passed over.
    """

    def __init__(self, budget: ByteBudget, coding: str) -> None:
        super().__init__(budget, coding)
        self._stream: zlib._Decompress | None = None
        self._members = 0
        self._rest = b""  # after a member: too little to tell whether another one begins
        self._over = False

    def _inflate(self, data: bytes) -> Iterator[bytes]:
        data = self._rest + data
        self._rest = b""
        while data and not self._over:
            if self._stream is None or self._stream.eof:
                self._open_next(data)
                if self._stream is None or self._stream.eof:
                    return
            yield from self._run(self._stream, data)
            data = self._stream.unused_data

    def _open_next(self, data: bytes) -> None:
        """Open the stream that begins here, if one does."""
        if self._stream is not None and data == _GZIP[:1]:
            self._rest = data
        elif self._stream is not None and (self._coding == "deflate" or not data.startswith(_GZIP)):
            self._over = True
        elif self._members == _MOST_MEMBERS:
            raise BodyUndecodable(f"it has more than {_MOST_MEMBERS} gzip members")
        else:
            self._members += 1
            self._stream = _open_deflate(data) if self._coding == "deflate" else zlib.decompressobj(zlib.MAX_WBITS | 16)

    def _run(self, stream: zlib._Decompress, data: bytes) -> Iterator[bytes]:
        piece = b""
        # A full step may leave output waiting inside zlib with no input left.
        while data or len(piece) == _STEP:
            try:
                piece = stream.decompress(data, _STEP)
            except zlib.error as exc:
                raise BodyUndecodable(f"it is not {self._coding}") from exc
            yield piece
            data = stream.unconsumed_tail

    def finish(self) -> None:
        """Take note of the body's end. Raises BodyUndecodable if it came too early."""
        if self._stream is not None and not self._stream.eof:
            raise BodyUndecodable(f"the {self._coding} stream is cut short")
        if self._over or self._rest:
            self.passed_over = f"bytes follow the end of its {self._coding} stream"


def _open_deflate(first: bytes) -> zlib._Decompress:
    """Open what "deflate" means: zlib's format, though some servers send the bare stream; the first byte tells."""
    bare = bool(first) and first[0] & 0x0F != zlib.DEFLATED
    return zlib.decompressobj(wbits=-zlib.MAX_WBITS if bare else zlib.MAX_WBITS)


def open_decoder(encoding: str, budget: ByteBudget) -> Decoder:
    """Choose by Content-Encoding. What is asked for is ``ACCEPTED_ENCODINGS``; words that are no coding mean nothing.

    A coding that was not asked for, and several on top of each other, are refused by the decoder, unless its body
    is plain text all the same.
    """
    words = [word for part in encoding.split(",") if (word := part.strip().lower()) not in {"", "identity"}]
    codings = [word for word in words if word in _CODINGS]
    if not codings:
        return Decoder(budget, f"its Content-Encoding {encoding[:40]!a} is no coding" if words else "")
    if len(codings) == 1 and codings[0] in _INFLATED:
        return _Inflater(budget, "deflate" if codings == ["deflate"] else "gzip")
    return _Labelled(budget, ", ".join(codings)[:40])
