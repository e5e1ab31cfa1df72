"""The ``state`` parameter: what it says, how it is signed, how it is read back (RFC 6749 section 10.12).

Its text is ``base64url(payload) "." base64url(signature)``, without padding. The payload is JSON; the
signature is over the payload's bytes. Only the one canonical spelling of a state is accepted, so that the
text can serve as the store's key.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from latchpin.contracts import Signer
from latchpin.errors import (
    BrowserChanged,
    CallbackMalformed,
    ClockSkew,
    StateExpired,
    StateSignatureInvalid,
    Unsealable,
    UserChanged,
)
from latchpin.errors.causes.callback import CLOCK_SKEW, STATE_EXPIRED, STATE_SECRET_CHANGED, USER_CHANGED
from latchpin.model import COMPANY
from latchpin.oauth import base64url

__all__ = [
    "LEEWAY",
    "MAX_STATE_LENGTH",
    "StatePayload",
    "build_state",
    "check_age",
    "check_browser",
    "hash_browser",
    "parse_state",
]

MAX_STATE_LENGTH = 2048
LEEWAY = timedelta(seconds=60)
"""How far clocks may be apart."""

_write = json.encoder.encode_basestring  # of one text: what writes an object makes a writer first
_LEFT_OUT = frozenset({"return_to", "company", "account"})
"""What a state leaves out where there is nothing to say. A version that does not know one of them refuses the state."""
_KEY_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class StatePayload:
    """What the state says, once its signature has been proven.

    Attributes:
        gateway_id: the gateway that the authorization is for.
        app_user_email: the user who began it.
        nonce: 128 random bits.
        timestamp: when it was issued, ISO 8601 with offset.
        browser: SHA-256 of the browser's cookie, base64url.
        key_id: the key that signed it.
        instance: the process that issued it.
        flow_id: 128 random bits that name the flow in logs and answers.
        store: names the store that it was put into; ``""`` if that has no name.
        return_to: the path of ours that the browser goes on to afterwards; ``""`` for the page about what came of it.
        company: ``"yes"`` if the account is to be the company's, and not the user's own; else ``""``.
        account: the label of the account that is to be connected; ``""`` for the one without a label.
    """

    gateway_id: str
    app_user_email: str
    nonce: str
    timestamp: str
    browser: str
    key_id: str
    instance: str
    flow_id: str
    store: str = ""
    return_to: str = ""
    company: str = ""
    account: str = ""

    @property
    def owner(self) -> str:
        """Whose the tokens will be."""
        return COMPANY if self.company else self.app_user_email

    @property
    def issued_at(self) -> datetime:
        """``timestamp`` as a time."""
        return datetime.fromisoformat(self.timestamp)


def build_state(payload: StatePayload, signer: Signer) -> str:
    """Write and sign the state. ``payload.key_id`` must be the signer's."""
    members = [
        f'"{name}":{_write(value)}'
        for name in payload.__slots__
        if (value := getattr(payload, name)) or name not in _LEFT_OUT
    ]
    body = f"{{{','.join(members)}}}".encode()
    return f"{base64url.encode(body)}.{base64url.encode(signer.sign(body))}"


def parse_state(text: str, signer: Signer) -> StatePayload:
    """Read a state back and prove its signature.

    Raises:
        CallbackMalformed: it is too long to be one of ours.
        StateSignatureInvalid: its detail says which: damaged, altered, or signed under an unknown key.
    """
    if len(text) > MAX_STATE_LENGTH:
        raise CallbackMalformed(f"the state has {len(text)} characters; ours have at most {MAX_STATE_LENGTH}")
    body, signature = _split(text)
    payload = _read(body)
    try:
        holds = signer.verify(body, signature, key_id=payload.key_id)
    except Unsealable as exc:
        raise StateSignatureInvalid().explain_as(
            STATE_SECRET_CHANGED,
            key_id=payload.key_id if _KEY_ID.fullmatch(payload.key_id) else "(unreadable)",
            own_key_id=signer.key_id,
        ) from exc
    if not holds:
        raise StateSignatureInvalid("the state was altered after it was signed")
    return payload


def check_browser(payload: StatePayload, *, cookie: str | None, signed_in: str | None) -> None:
    """Prove that the browser, and the user if one is signed in, are those that began.

    Raises:
        BrowserChanged: no cookie, or another browser's.
        UserChanged: somebody else is signed in.
    """
    if cookie is None:
        raise BrowserChanged("the browser sent no latchpin cookie")
    if not hmac.compare_digest(hash_browser(cookie), payload.browser):
        raise BrowserChanged("the browser's cookie is not the one that began")
    if signed_in is not None and signed_in != payload.app_user_email:
        raise UserChanged(USER_CHANGED.tell())


def check_age(payload: StatePayload, *, now: datetime, lifetime: timedelta) -> None:
    """Judge the signed time.

    Raises:
        StateExpired: the lifetime is over.
        ClockSkew: it is dated in the future, so that its lifetime could not be judged.
    """
    ahead = payload.issued_at - now
    if ahead > LEEWAY:
        raise ClockSkew(
            CLOCK_SKEW.tell(
                whose="the clock of the instance that began it",
                seconds=int(ahead.total_seconds()),
                direction="ahead of this one's",
                leeway=int(LEEWAY.total_seconds()),
            )
        )
    expired_at = payload.issued_at + lifetime
    if now >= expired_at:
        late, limit = int((now - expired_at).total_seconds()), int(lifetime.total_seconds())
        raise StateExpired(STATE_EXPIRED.tell(late=late, limit=limit), expired_at=expired_at)


def hash_browser(cookie: str) -> str:
    """SHA-256 of a browser cookie as base64url: what the state carries instead of the cookie."""
    return base64url.encode(hashlib.sha256(cookie.encode()).digest())


def _split(text: str) -> tuple[bytes, bytes]:
    head, dot, tail = text.partition(".")
    if not dot or not head or not tail:
        raise StateSignatureInvalid("the state is damaged: it has no two parts")
    try:
        body, signature = base64url.decode(head), base64url.decode(tail)
    except (binascii.Error, ValueError) as exc:
        raise StateSignatureInvalid("the state is damaged: it is not base64url") from exc
    if base64url.encode(body) != head or base64url.encode(signature) != tail:
        raise StateSignatureInvalid("the state is damaged: it is not spelt as it was issued")
    return body, signature


def _read(body: bytes) -> StatePayload:
    try:
        fields = json.loads(body)
        payload = StatePayload(**fields)
        _check_types(fields)
    except (ValueError, TypeError, RecursionError) as exc:
        raise StateSignatureInvalid("the state is damaged: its payload cannot be read") from exc
    return payload


def _check_types(fields: dict[str, object]) -> None:
    if not all(isinstance(value, str) for value in fields.values()):
        raise TypeError("every field of a state is text")
    if datetime.fromisoformat(str(fields["timestamp"])).tzinfo is None:
        raise ValueError("the time has no offset")
