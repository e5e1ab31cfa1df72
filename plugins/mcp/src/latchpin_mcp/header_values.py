"""Values of header fields that may hold any text (MCP 2026-07-28, transports), base64 where need be. Pure."""

from __future__ import annotations

import base64
import binascii
import re

__all__ = ["decode_value", "encode_value"]

_ENCODED = re.compile(r"=\?base64\?(.*)\?=", re.DOTALL)
_PLAIN = re.compile(r"[\x20-\x7e]*")


def encode_value(text: str) -> str:
    """``text`` as a header field carries it."""
    if _PLAIN.fullmatch(text) and text == text.strip() and not _ENCODED.fullmatch(text):
        return text
    raw = text.encode("utf-8", "surrogatepass")
    return f"=?base64?{base64.b64encode(raw).decode()}?="


def decode_value(value: str) -> str | None:
    """What a header field's value means; None where it is encoded in a way that no program writes."""
    found = _ENCODED.fullmatch(value)
    if found is None:
        return value
    try:
        raw = base64.b64decode(found[1], validate=True)
        return raw.decode() if base64.b64encode(raw).decode() == found[1] else None
    except (binascii.Error, ValueError):
        return None
