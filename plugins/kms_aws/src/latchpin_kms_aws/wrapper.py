"""Wraps keys by AWS KMS; what a key is for goes along as its encryption context."""

from __future__ import annotations

import asyncio
import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from latchpin.contracts import Upstream
from latchpin.errors import Unsealable, UpstreamError, UpstreamUnreadable
from latchpin.sdk.outbound import ask_patiently

from latchpin_kms_aws.replies import AWAY, OtherKey, read_reply
from latchpin_kms_aws.settings import AwsKmsSettings
from latchpin_kms_aws.signing import Signer

__all__ = ["AwsKmsWrapper"]

_LONGEST = 6_144
"""KMS takes no longer ciphertext, in bytes."""
_CHECK_BYTES = 8


class AwsKmsWrapper:
    """Implements ``latchpin.contracts.KeyWrapper``.

    KMS is told which key to unwrap with: what somebody else's key wrapped, such as that of a thief who may write to
    the store, is refused. A wrapped key begins with a checksum: KMS tells a damaged one at times as a lack of access.

    Args:
        upstream: the way to KMS alone.
        address: where that is.
        signer: signs each request.
        settings: name the keys.
        pause: waits that many seconds; tests give one of their own.
    """

    def __init__(
        self,
        upstream: Upstream,
        address: str,
        signer: Signer,
        settings: AwsKmsSettings,
        *,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._upstream = upstream
        self._url = f"{address}/"
        self._signer = signer
        self._keys = (settings.kms_aws_key_id, *settings.kms_aws_keys_old)
        self._pause = pause

    async def wrap(self, key: bytes, *, context: Mapping[str, str]) -> bytes:
        """Wrap a key under KMS_AWS_KEY_ID."""
        fields = {"KeyId": self._keys[0], "Plaintext": b64encode(key).decode()}
        blob = await self._ask("Encrypt", fields, context, "wrapping", "CiphertextBlob")
        return _check(blob) + blob

    async def unwrap(self, wrapped: bytes, *, context: Mapping[str, str]) -> bytes:
        """Give the key that KMS_AWS_KEY_ID or one of KMS_AWS_KEYS_OLD wrapped."""
        check, blob = wrapped[:_CHECK_BYTES], wrapped[_CHECK_BYTES:]
        if not 0 < len(blob) <= _LONGEST or check != _check(blob):
            raise Unsealable("this key was not wrapped by KMS, or it is damaged")
        *others, last = self._keys
        for each in others:
            try:
                return await self._decrypt(each, blob, context)
            except OtherKey:
                continue
        return await self._decrypt(last, blob, context)

    async def _decrypt(self, key: str, blob: bytes, context: Mapping[str, str]) -> bytes:
        fields = {"KeyId": key, "CiphertextBlob": b64encode(blob).decode()}
        return await self._ask("Decrypt", fields, context, "unwrapping", "Plaintext")

    async def _ask(
        self, what: str, fields: Mapping[str, str], context: Mapping[str, str], act: str, wanted: str
    ) -> bytes:
        body = json.dumps({**fields, **({"EncryptionContext": dict(context)} if context else {})}).encode()
        reply = await ask_patiently(lambda: self._once(what, body, act), pause=self._pause)
        found = reply.get(wanted)
        try:
            return b64decode(found if isinstance(found, str) else "?", validate=True)
        except ValueError:
            raise UpstreamUnreadable(f"the answer of KMS to {act} lacks what was asked for", remedy=AWAY) from None

    async def _once(self, what: str, body: bytes, act: str) -> Mapping[str, Any]:
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"TrentService.{what}"}
        signed = await self._signer.sign(self._url, headers, body)
        try:
            reply = await self._upstream.send("POST", self._url, headers=signed, body=body, repeatable=True)
        except UpstreamError as exc:
            raise type(exc)(f"AWS KMS gave no answer: {exc.detail}", remedy=AWAY) from exc
        return read_reply(reply, act)


def _check(blob: bytes) -> bytes:
    return hashlib.sha256(blob).digest()[:_CHECK_BYTES]
