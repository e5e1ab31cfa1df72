"""Bodies: decoded step by step, counted before and after."""

from __future__ import annotations

import gzip
import zlib

import pytest
from latchpin.outbound.decoding import Allowance, BodyTooLarge, BodyUndecodable, open_decoder

TEXT = b"a protected resource " * 9_000


def decode(encoding: str, body: bytes, *, size: int = 1_000_000, step: int = 500) -> bytes:
    decoder = open_decoder(encoding, Allowance(size))
    pieces = [piece for at in range(0, len(body), step) for piece in decoder.feed(body[at : at + step])]
    decoder.finish()
    return b"".join(pieces)


def bare_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", gzip.compress(TEXT)),
        ("GZIP ", gzip.compress(TEXT)),
        ("x-gzip", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", bare_deflate(TEXT)),
    ],
)
@pytest.mark.parametrize("step", [1_000, 100_000_000])
def test_decodes(encoding: str, body: bytes, step: int) -> None:
    assert decode(encoding, body, step=step) == TEXT


@pytest.mark.parametrize("size", [65_536, 65_536 * 2, 65_536 + 100])
def test_a_last_step_that_is_full_loses_nothing(size: int) -> None:
    assert decode("gzip", gzip.compress(b"x" * size), step=1_000_000) == b"x" * size


def test_a_bomb_stops_early() -> None:
    bomb = gzip.compress(bytes(20_000_000))
    pieces = open_decoder("gzip", Allowance(1_000_000)).feed(bomb)
    produced: list[int] = []
    with pytest.raises(BodyTooLarge):
        produced.extend(len(piece) for piece in pieces)
    assert max(produced, default=0) <= 65_536
    assert sum(produced) <= 1_000_000


def test_a_stream_that_decodes_to_nothing_is_counted() -> None:
    packer = zlib.compressobj(wbits=31)
    nothing = packer.compress(b"") + b"".join(packer.flush(zlib.Z_FULL_FLUSH) for _ in range(400))
    empty_blocks = nothing + b"\x00\x00\x00\xff\xff" * 2_000
    with pytest.raises(BodyTooLarge):
        decode("gzip", empty_blocks, size=5_000)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b"<html>not gzip</html>"),
        ("gzip", gzip.compress(TEXT)[:-9]),
        ("gzip", gzip.compress(b"one") + gzip.compress(b"two")),
        ("deflate", b"\x78\x9c\xff\xff\xff\xff"),
        ("br", b"anything"),
        ("zstd", b"anything"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"x"))),
    ],
)
def test_undecodable(encoding: str, body: bytes) -> None:
    with pytest.raises(BodyUndecodable):
        decode(encoding, body)


def test_several_answers_share_one_allowance() -> None:
    allowance = Allowance(10)
    list(open_decoder("", allowance).feed(b"123456"))
    with pytest.raises(BodyTooLarge):
        list(open_decoder("", allowance).feed(b"123456"))
