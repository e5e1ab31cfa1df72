"""Base64url is written without padding, and nothing else is read."""

import pytest
from latchpin.oauth import base64url


@pytest.mark.parametrize("raw", [b"", b"f", b"fo", b"foo", bytes(range(256)), b"\xfb\xff\xfe"])
def test_what_was_encoded_reads_back_with_and_without_padding(raw):
    text = base64url.encode(raw)
    assert "=" not in text
    assert not set(text) & set("+/")
    assert base64url.decode(text) == raw
    assert base64url.decode(text + "=" * (-len(text) % 4)) == raw


@pytest.mark.parametrize("text", ["a", "ab+/", "ab cd", "ab\n", "ab==c", "ä", "ab=", "ab\ud800"])
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        base64url.decode(text)
