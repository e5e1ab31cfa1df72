"""What ContextForge has sealed, opened with its AUTH_ENCRYPTION_SECRET.

It has two forms. Tokens and client secrets are Fernet tokens under a key that Argon2id derives anew for each; ``v2:``
and a JSON object hold it with the derivation's parameters. Header fields with keys are AES-GCM under one key, the
SHA-256 of the secret. What has neither form was entered before it sealed such things, and is what it says.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from latchpin_adopt_contextforge.errors import SourceUnreadable

__all__ = ["Opener", "Unopened", "is_sealed"]

MARK = "v2:"
MOST_MEMORY = 1024 * 1024
"""KiB that one derivation may take; ContextForge's default is 64 MiB."""
MOST_PASSES, MOST_LANES = 64, 64
_NONCE = 12
_FERNET = "gAAAAA"


class Unopened(ValueError):
    """A value that does not open. The text says why, and nothing of what is in it."""


def is_sealed(text: str) -> bool:
    """Whether ``text`` looks like a sealed token or secret."""
    return text.startswith((MARK, "{", _FERNET))


class Opener:
    """Opens what was sealed under one secret.

    Args:
        secret: AUTH_ENCRYPTION_SECRET of ContextForge.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def open(self, text: str) -> str:
        """Open a token or a client secret. It takes tens of milliseconds and 64 MiB.

        Raises:
            Unopened: it is damaged, has an older form, or was sealed under another secret.
            SourceUnreadable: this machine's OpenSSL has no Argon2id.
        """
        if not is_sealed(text):
            return text
        if text.startswith(_FERNET):
            raise Unopened("it was sealed by a ContextForge before 1.0, and no later one opens it")
        bundle = _parse_bundle(text.removeprefix(MARK))
        try:
            return Fernet(self._derive(bundle)).decrypt(bundle["token"].encode()).decode()
        except (InvalidToken, UnicodeError):
            raise Unopened("it was sealed under another AUTH_ENCRYPTION_SECRET, or is damaged") from None

    def open_headers(self, value: object) -> Mapping[str, str]:
        """Open the header fields that a gateway sends to its server.

        Raises:
            Unopened: as ``open`` does.
        """
        fields = self._decrypt(value) if isinstance(value, str) else value
        if not isinstance(fields, dict) or not all(isinstance(each, str) for pair in fields.items() for each in pair):
            raise Unopened("no header field is in it")
        return fields

    def _derive(self, bundle: Mapping[str, Any]) -> bytes:
        try:
            kdf = Argon2id(
                salt=base64.b64decode(bundle["salt"], validate=True),
                length=32,
                iterations=bundle["t"],
                lanes=bundle["p"],
                memory_cost=bundle["m"],
            )
        except UnsupportedAlgorithm as exc:
            raise SourceUnreadable(
                "The OpenSSL of this machine's cryptography has no Argon2id, which ContextForge seals with.",
                remedy="Install cryptography from its wheel: pip install --force-reinstall cryptography",
            ) from exc
        except (ValueError, binascii.Error) as exc:
            raise Unopened("it is damaged: Argon2id does not take its parameters") from exc
        return base64.urlsafe_b64encode(kdf.derive(self._secret))

    def _decrypt(self, text: str) -> object:
        try:
            sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            opened = AESGCM(hashlib.sha256(self._secret).digest()).decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
            return json.loads(opened)
        except (InvalidTag, ValueError):  # binascii's and JSON's errors are ValueErrors
            raise Unopened("it was sealed under another AUTH_ENCRYPTION_SECRET, or is damaged") from None


def _parse_bundle(text: str) -> Mapping[str, Any]:
    """The JSON object of a sealed value, its parameters within reason: nobody who can write there may stop us."""
    try:
        bundle = json.loads(text)
    except ValueError:
        bundle = None
    if not isinstance(bundle, dict) or (bundle.get("version"), bundle.get("kdf")) not in _KINDS:
        raise Unopened("it is damaged: no sealed value of ContextForge 1.x looks like it")
    for name, most in (("t", MOST_PASSES), ("p", MOST_LANES), ("m", MOST_MEMORY)):
        value = bundle.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise Unopened(f"its parameter {name} is out of bounds")
    if not isinstance(bundle.get("salt"), str) or not isinstance(bundle.get("token"), str):
        raise Unopened("it is damaged: it lacks its salt or its content")
    return bundle


_KINDS = frozenset({("v2", "argon2id"), ("v2", None), (None, "argon2id")})
