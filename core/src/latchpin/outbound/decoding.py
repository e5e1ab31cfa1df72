"""Bodies decoded piece by piece, so that a small one cannot become a large one behind our back."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

__all__ = ["ACCEPTED_ENCODINGS", "Allowance", "BodyTooLarge", "BodyUndecodable", "Decoder", "open_decoder"]

ACCEPTED_ENCODINGS = "gzip, deflate"
_STEP = 65_536


class BodyTooLarge(Exception):
    """More bytes than allowed, before or after decoding."""


class BodyUndecodable(Exception):
    """The body is not in the encoding it claims, or in one that was not asked for."""


class Allowance:
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
    """Passes a body on as it is, within its allowance."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decode one piece. Raises BodyTooLarge or BodyUndecodable."""
        self._allowance.take_raw(len(data))
        self._allowance.take_decoded(len(data))
        yield data

    def finish(self) -> None:
        """Take note of the body's end. Raises BodyUndecodable if it came too early."""


class _Inflater(Decoder):
    """gzip or deflate (RFC 9110 section 8.4.1), at most 64 kB of output at a time."""

    def __init__(self, allowance: Allowance, encoding: str) -> None:
        super().__init__(allowance)
        self._encoding = encoding
        self._inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16) if encoding == "gzip" else None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decode one piece. Raises BodyTooLarge or BodyUndecodable."""
        self._allowance.take_raw(len(data))
        if self._inflate is None:
            self._inflate = _open_deflate(data)
        piece = b""
        # A full step may leave output waiting inside zlib with no input left.
        while data or len(piece) == _STEP:
            try:
                piece = self._inflate.decompress(data, _STEP)
            except zlib.error as exc:
                raise BodyUndecodable(f"it is not {self._encoding}") from exc
            self._allowance.take_decoded(len(piece))
            if piece:
                yield piece
            # A second gzip member is legal and nobody sends one; each would cost a copy of what follows.
            if self._inflate.unused_data:
                raise BodyUndecodable(f"bytes follow the end of the {self._encoding} stream")
            data = self._inflate.unconsumed_tail

    def finish(self) -> None:
        """Take note of the body's end. Raises BodyUndecodable if it came too early."""
        if self._inflate is not None and not self._inflate.eof:
            raise BodyUndecodable(f"the {self._encoding} stream is cut short")


def _open_deflate(first: bytes) -> zlib._Decompress:
    """Open what "deflate" means: zlib's format, though some servers send the bare stream; the first byte tells."""
    bare = bool(first) and first[0] & 0x0F != zlib.DEFLATED
    return zlib.decompressobj(wbits=-zlib.MAX_WBITS if bare else zlib.MAX_WBITS)


def open_decoder(encoding: str, allowance: Allowance) -> Decoder:
    """Choose by Content-Encoding; only what ``ACCEPTED_ENCODINGS`` says.

    Raises:
        BodyUndecodable: another encoding, or several on top of each other.
    """
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return Decoder(allowance)
    if name in {"gzip", "x-gzip", "deflate"}:
        return _Inflater(allowance, "deflate" if name == "deflate" else "gzip")
    raise BodyUndecodable(f"its Content-Encoding {name[:40]!r} was not asked for")
