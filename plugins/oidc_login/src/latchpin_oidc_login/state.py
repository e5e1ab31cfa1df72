"""What a sign-in carries through the provider, and what only the browser that began it can answer. No I/O.

Beginning a sign-in leaves nothing in the store, so nobody fills it by beginning many. The state says the flow, the
hash of the browser's cookie, and where to go afterwards. Nonce and code verifier are computed from that cookie, which
nobody but this browser has (OpenID Connect Core section 15.5.2 advises it for the nonce): an answer that is brought
into another browser fits neither, whatever became of the state.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from latchpin.contracts import Cipher
from latchpin.errors import Unsealable
from latchpin.model import Sealed
from latchpin.sdk.oauth import base64url, hash_browser

from latchpin_oidc_login.errors import StateInvalid

__all__ = ["PURPOSE", "SignInAttempt", "build_claims", "build_nonce", "build_verifier", "check_browser", "read_claims"]

PURPOSE = "oidc-sign-in"
"""The audience of the tickets that serve as states."""


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """One sign-in that was begun, as its state says it.

    Attributes:
        flow_id: 128 random bits that name it in logs and answers.
        issuer: who was asked.
        browser: SHA-256 of the browser's cookie.
        target: a path of ours to go to afterwards.
        expires_at: until when it may be finished.
    """

    flow_id: str
    issuer: str
    browser: str
    target: str
    expires_at: datetime


def build_claims(flow_id: str, issuer: str, *, browser: str, target: str, cipher: Cipher) -> dict[str, str]:
    """The ticket's claims. The target is sealed: the provider need not learn where people are going."""
    return {
        "flow": flow_id,
        "issuer": issuer,
        "browser": hash_browser(browser),
        "target": cipher.seal(target, associated_data=_place(flow_id)),
    }


def read_claims(claims: Mapping[str, Any], cipher: Cipher) -> SignInAttempt:
    """Read a proven ticket.

    Raises:
        StateInvalid: what is sealed in it does not open any more.
    """
    flow_id = str(claims["flow"])
    try:
        target = cipher.unseal(Sealed(str(claims["target"])), associated_data=_place(flow_id))
    except Unsealable as exc:
        raise StateInvalid("AUTH_ENCRYPTION_SECRET has changed since this sign-in was begun") from exc
    return SignInAttempt(
        flow_id=flow_id,
        issuer=str(claims["issuer"]),
        browser=str(claims["browser"]),
        target=target,
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
    )


def check_browser(attempt: SignInAttempt, cookie: str | None) -> str:
    """Prove that the browser is the one that began; give its cookie.

    Raises:
        StateInvalid: it has no cookie, or another.
    """
    if cookie is None:
        raise StateInvalid("the browser sent no latchpin cookie")
    if not hmac.compare_digest(hash_browser(cookie), attempt.browser):
        raise StateInvalid("the browser's cookie is not the one that began")
    return cookie


def build_nonce(browser: str, flow_id: str) -> str:
    """The nonce that the ID token has to repeat: 256 bits that belong to this browser and flow."""
    return _derive(browser, f"latchpin nonce {flow_id}")


def build_verifier(browser: str, flow_id: str) -> str:
    """The code verifier (RFC 7636 section 4.1): 43 characters from 256 bits that belong to this browser and flow."""
    return _derive(browser, f"latchpin code verifier {flow_id}")


def _derive(browser: str, purpose: str) -> str:
    digest = hmac.new(browser.encode(), purpose.encode(), hashlib.sha256).digest()
    return base64url.encode(digest)


def _place(flow_id: str) -> tuple[str, str]:
    return (PURPOSE, flow_id)
