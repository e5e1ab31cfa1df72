"""Bodies: decoded step by step, counted before and after."""

from __future__ import annotations

import gzip
import zlib

import pytest
from latchpin.outbound.decoding import BodyTooLarge, BodyUndecodable, ByteBudget, open_decoder

TEXT = b"a protected resource " * 9_000


def decode(encoding: str, body: bytes, *, size: int = 1_000_000, step: int = 500) -> bytes:
    decoder = open_decoder(encoding, ByteBudget(size))
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
        ("gzip", gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:])),
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
    pieces = open_decoder("gzip", ByteBudget(1_000_000)).feed(bomb)
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
        ("gzip", gzip.compress(b"one") * 17),
        ("gzip", gzip.compress(b"one") + b"\x1f\x8bbroken"),
        ("deflate", b"\x78\x9c\xff\xff\xff\xff"),
        ("br", b"anything"),
        ("zstd", b"anything"),
        ("zstd, utf-8", b"anything"),
        ("br", b"<html>"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"x"))),
    ],
)
def test_undecodable(encoding: str, body: bytes) -> None:
    with pytest.raises(BodyUndecodable):
        decode(encoding, body)


JSON = b'{"access_token": "at"}'
EVENTS = b"event: message\r\ndata: {}\r\n\r\n"


@pytest.mark.parametrize(
    ("encoding", "body", "wanted", "why"),
    [
        ("utf-8", JSON, JSON, "a charset is no coding"),
        ("UTF-8", JSON, JSON, "in any case"),
        ("none", JSON, JSON, "a word for identity"),
        ("binary", JSON, JSON, "a word of MIME"),
        ("text", b"hello", b"hello", "no coding, so what it holds does not matter"),
        ("aws-chunked", JSON, JSON, "a coding of requests to S3 that its answers keep"),
        ("\u00e9\x00", JSON, JSON, "no word at all"),
        ("br", JSON, JSON, "a proxy that decoded the body and kept the label"),
        ("zstd", b"\xef\xbb\xbf [1]", b"\xef\xbb\xbf [1]", "a list, a byte order mark and a blank"),
        ("br, gzip", JSON, JSON, "two of them"),
        ("gzip", JSON, JSON, "the same with a coding that was asked for"),
        ("deflate", JSON, JSON, "the same"),
        ("gzip", EVENTS, EVENTS, "a stream of events"),
        ("gzip, identity", gzip.compress(JSON), JSON, "identity is no coding on top"),
        ("utf-8, gzip", gzip.compress(JSON), JSON, "nor is a charset"),
        ("gzip,", gzip.compress(JSON), JSON, "nor is nothing"),
        ("gzip", gzip.compress(JSON[:5]) + gzip.compress(JSON[5:]), JSON, "members make one body"),
        ("gzip", gzip.compress(JSON) + b"\x00" * 5, JSON, "padding"),
        ("gzip", gzip.compress(JSON) + b"\x1f", JSON, "what may have been a member"),
        ("gzip", gzip.compress(JSON) + b"<!-- 12 ms -->", JSON, "a proxy's remark"),
        ("deflate", zlib.compress(JSON) + b"\n", JSON, "a line break"),
        ("gzip", b"", b"", "nothing, as with 204"),
        ("gzip", b" \r\n", b"", "nothing but blanks"),
        ("br", b"", b"", "nothing"),
    ],
)
@pytest.mark.parametrize("step", [1_000_000, 1])
def test_a_label_that_is_wrong_does_no_harm(encoding: str, body: bytes, wanted: bytes, why: str, step: int) -> None:
    if body.startswith(b"event") and step == 1:
        step = 6  # its first word has to come in one piece
    assert decode(encoding, body, step=step) == wanted, why


@pytest.mark.parametrize(
    ("encoding", "body", "said"),
    [
        ("utf-8", JSON, "its Content-Encoding 'utf-8' is no coding"),
        ("br", JSON, "its Content-Encoding is 'br', and its body is plain text"),
        ("gzip", gzip.compress(JSON) + b"x", "bytes follow the end of its gzip stream"),
        ("gzip", gzip.compress(JSON), ""),
        ("", JSON, ""),
    ],
)
def test_what_was_passed_over_is_said(encoding: str, body: bytes, said: str) -> None:
    decoder = open_decoder(encoding, ByteBudget(1_000))
    assert b"".join(decoder.feed(body)) == JSON
    decoder.finish()
    assert decoder.passed_over == said


def test_several_answers_share_one_allowance() -> None:
    budget = ByteBudget(10)
    list(open_decoder("", budget).feed(b"123456"))
    with pytest.raises(BodyTooLarge):
        list(open_decoder("", budget).feed(b"123456"))
