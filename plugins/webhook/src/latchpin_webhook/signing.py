"""Standard Webhooks: what signs a message (https://www.standardwebhooks.com). Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence

__all__ = ["read_secret", "sign"]

_PREFIX = "whsec_"
_FEWEST, _MOST = 24, 64
"""Bytes of a secret, as the specification recommends."""


def read_secret(text: str) -> bytes:
    """The key that ``whsec_...`` holds.

    Raises:
        ValueError: it is none; the text does not repeat it.
    """
    if not text.startswith(_PREFIX):
        raise ValueError("must begin with whsec_; 'latchpin webhook secret' makes one")
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be whsec_ and base64; 'latchpin webhook secret' makes one") from None
    if not _FEWEST <= len(key) <= _MOST:
        raise ValueError(f"must hold {_FEWEST} to {_MOST} bytes; 'latchpin webhook secret' makes one")
    return key


def sign(name: str, timestamp: int, body: bytes, keys: Sequence[bytes]) -> Mapping[str, str]:
    """The header fields of a message: its id, the time, and a signature by each key.

    Args:
        name: the message's id, the same for each try. It has no dot.
        timestamp: when this try begins, in seconds of Unix time.
        body: as it is sent.
        keys: the newest first.
    """
    signed = b".".join([name.encode("ascii"), str(timestamp).encode("ascii"), body])
    signatures = [base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii") for key in keys]
    return {
        "webhook-id": name,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{each}" for each in signatures),
    }
