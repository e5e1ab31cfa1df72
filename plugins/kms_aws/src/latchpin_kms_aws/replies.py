"""What KMS answers, and what it means in the gateway's own errors. No I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from latchpin.errors import ConfigurationError, LatchpinError, Unsealable, UpstreamBusy, UpstreamUnreadable
from latchpin.model import Reply

__all__ = ["AWAY", "OtherKey", "read_reply"]

AWAY = "See that KMS can be reached from here (KMS_AWS_ENDPOINT, OUTBOUND_PROXY). Keys at hand serve until a restart."
_DAMAGED = "Restore the key ring from a backup, or name the KMS key that wrapped it in KMS_AWS_KEYS_OLD."
_ALLOW = (
    "Let the role have kms:Encrypt and kms:Decrypt on the key, by its IAM policy and the key's own: see docs/kms.md."
)
_ENABLE = "Enable the key in KMS, or cancel its deletion: what it wrapped opens with it alone."
_NAME = "Correct KMS_AWS_KEY_ID and KMS_AWS_REGION: name a symmetric key by its ARN."
_CREDENTIALS = "Give the gateway valid AWS credentials, best a role, and see that this machine's clock is right."
_SECONDS_TO_WAIT = 1
_FAILED = 500

_REMEDIES: Mapping[str, str] = {
    "AccessDeniedException": _ALLOW,
    "AccessDenied": _ALLOW,
    "DisabledException": _ENABLE,
    "KMSInvalidStateException": _ENABLE,
    "NotFoundException": _NAME,
    "InvalidArnException": _NAME,
    "InvalidKeyUsageException": _NAME,
    "ValidationException": _NAME,
    "UnrecognizedClientException": _CREDENTIALS,
    "InvalidClientTokenId": _CREDENTIALS,
    "InvalidSignatureException": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "IncompleteSignature": _CREDENTIALS,
    "IncompleteSignatureException": _CREDENTIALS,
    "MissingAuthenticationToken": _CREDENTIALS,
    "MissingAuthenticationTokenException": _CREDENTIALS,
    "ExpiredTokenException": _CREDENTIALS,
}
_CODE = re.compile(rb"<Code>([A-Za-z.]{1,80})</Code>")
_BUSY = frozenset({"ThrottlingException", "Throttling", "LimitExceededException", "KeyUnavailableException"})
"""What passes by itself: KMS counts requests by account and region, and keeps keys on several machines."""


class OtherKey(Unsealable):
    """Another key of KMS wrapped it than the one that was asked."""


def read_reply(reply: Reply, act: str) -> Mapping[str, Any]:
    """The object that KMS answered with.

    Raises:
        OtherKey, Unsealable, ConfigurationError, UpstreamBusy, UpstreamUnreadable: as KMS says.
    """
    found = _object(reply)
    if reply.status == 200:  # noqa: PLR2004
        if found is None:
            raise UpstreamUnreadable(f"the answer to {act} is no JSON object", http_status=200, remedy=AWAY)
        return found
    raise _error(reply, found or {}, act)


def _object(reply: Reply) -> Mapping[str, Any] | None:
    try:
        found = json.loads(reply.body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _error(reply: Reply, found: Mapping[str, Any], act: str) -> LatchpinError:
    """An error of KMS by its name, which has the service before it at times, and a place after it.

    What stands before KMS, and refuses credentials, may answer in XML.
    """
    named = found.get("__type") or reply.headers.get("x-amzn-errortype") or _in_xml(reply.body)
    name = str(named).partition(":")[0].rpartition("#")[2]
    said = _line(found.get("message") or found.get("Message") or "")
    told = f"KMS refused {act} ({name or reply.status}{': ' if said else ''}{said})"
    if name == "IncorrectKeyException":
        return OtherKey(told, remedy=_DAMAGED)
    if name == "InvalidCiphertextException":
        return Unsealable(told, remedy=_DAMAGED)
    if name in _BUSY:
        return UpstreamBusy(told, retry_after=_SECONDS_TO_WAIT, http_status=reply.status)
    if reply.status >= _FAILED or not name:
        return UpstreamUnreadable(told, http_status=reply.status, remedy=AWAY)
    return ConfigurationError(told, remedy=_REMEDIES.get(name, _NAME))


def _in_xml(body: bytes) -> str:
    found = _CODE.search(body)
    return found[1].decode() if found else ""


def _line(text: object) -> str:
    """Another's words in one printable line."""
    return "".join(each if each.isprintable() else " " for each in " ".join(str(text).split()))[:300]
