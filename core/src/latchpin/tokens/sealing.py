"""Where secrets are sealed to: a token's place is its gateway, user, issuer and column, and it opens nowhere else."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from latchpin.contracts import Cipher
from latchpin.model import Sealed, StoredToken, TokenGrant
from latchpin.oauth.lifetime import choose_renewal
from latchpin.records.key_uses import reseal

__all__ = ["API_KEY", "OpenedToken", "build_token", "open_token", "place_of", "reseal_token", "seal_grant"]


API_KEY: Final = "api_key"
"""The ``token_type`` of a key that somebody entered; its ``resource`` is the URL that it was entered for."""


@dataclass(frozen=True, slots=True)
class OpenedToken:
    """A stored token's secrets, open. Never stored, never logged."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)


def place_of(gateway_id: str, email: str, issuer: str | None, column: str, label: str = "") -> tuple[str, ...]:
    """The associated data of one sealed column; the number of parts tells a label from none."""
    return (gateway_id, email, issuer or "", column, *([label] if label else []))


def seal_grant(
    cipher: Cipher, token: StoredToken, grant: TokenGrant, *, kept_refresh: str | None = None
) -> StoredToken:
    """``token`` with the grant's secrets sealed into it.

    ``kept_refresh`` is the refresh token to keep if the grant brings none (RFC 6749 section 6).
    """
    refresh = grant.refresh_token if grant.refresh_token is not None else kept_refresh
    sealed = replace(
        token,
        access_token=cipher.seal(grant.access_token, associated_data=_place(token, "access_token")),
        refresh_token=None if refresh is None else cipher.seal(refresh, associated_data=_place(token, "refresh_token")),
        token_type=grant.token_type,
        scopes=token.scopes if grant.scopes is None else grant.scopes,
        expires_at=grant.expires_at,
    )
    return replace(sealed, renew_at=None if refresh is None else choose_renewal(sealed))


def build_token(
    cipher: Cipher,
    grant: TokenGrant,
    *,
    gateway_id: str,
    app_user_email: str,
    issuer: str | None,
    resource: str | None,
    client_id: str,
    scopes: tuple[str, ...],
    flow_id: str | None = None,
    earlier: StoredToken | None,
    now: datetime,
    label: str = "",
    connected_by: str | None = None,
) -> StoredToken:
    """A new token to store, bound to what it was asked for with, in place of ``earlier`` if there is one."""
    bare = StoredToken(
        id=secrets.token_hex(16) if earlier is None else earlier.id,
        gateway_id=gateway_id,
        user_id=grant.subject or app_user_email,
        app_user_email=app_user_email,
        issuer=issuer,
        resource=resource,
        client_id=client_id,
        access_token=Sealed(""),
        refresh_token=None,
        token_type=grant.token_type,
        scopes=scopes,
        expires_at=grant.expires_at,
        revision=1 if earlier is None else earlier.revision + 1,
        needs_reauth=False,
        refresh_begun_at=None,
        created_at=now if earlier is None else earlier.created_at,
        updated_at=now,
        flow_id=flow_id,
        label=label,
        chosen_at=None if earlier is None else earlier.chosen_at,
        connected_by=connected_by,
    )
    return seal_grant(cipher, bare, grant)


def open_token(cipher: Cipher, token: StoredToken) -> OpenedToken:
    """Open a token's secrets.

    Raises:
        Unsealable: no key we have opens them, or the record was moved.
    """
    refresh = token.refresh_token
    return OpenedToken(
        access_token=cipher.unseal(token.access_token, associated_data=_place(token, "access_token")),
        refresh_token=None
        if refresh is None
        else cipher.unseal(refresh, associated_data=_place(token, "refresh_token")),
    )


def reseal_token(cipher: Cipher, token: StoredToken) -> StoredToken:
    """``token`` with its secrets sealed under today's key; raises Unsealable as ``open_token`` does."""
    access, refresh = reseal(cipher, token.access_token, _place(token, "access_token")), token.refresh_token
    if refresh is not None:
        refresh = reseal(cipher, refresh, _place(token, "refresh_token"))
    return replace(token, access_token=access, refresh_token=refresh)


def _place(token: StoredToken, column: str) -> tuple[str, ...]:
    return place_of(token.gateway_id, token.app_user_email, token.issuer, column, token.label)
