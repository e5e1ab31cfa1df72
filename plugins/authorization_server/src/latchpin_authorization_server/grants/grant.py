"""A grant: what one person allowed one client at one resource, with the code and refresh token that stand for it. Pure.

Code and refresh token are ``<grant id>.<family>.<secret>``: the grant's id finds the document, the family proves that
the text was given out for it, and the secret says which of the texts it is. Only hashes are kept.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from latchpin_authorization_server.random_secrets import hash_secret, is_secret

__all__ = [
    "CODE_LIFETIME",
    "GRACE",
    "Grant",
    "Judgement",
    "Presented",
    "make_grant",
    "make_redeemed_grant",
    "parse_presented",
]

CODE_LIFETIME = timedelta(minutes=2)
GRACE = timedelta(seconds=10)
"""How long a refresh token that was used is answered with the one that took its place: its answer may be lost."""

_PARTS = 3
_ID_BYTES, _FAMILY_BYTES, _SECRET_BYTES = 16, 16, 32

Judgement = Literal["current", "repeated", "reused", "foreign"]
"""What a refresh token is: good; used a moment ago; used long ago; none of this grant's."""


@dataclass(frozen=True, slots=True)
class Presented:
    """A code or refresh token, taken apart."""

    grant_id: str
    family: str = field(repr=False)
    secret: str = field(repr=False)

    @property
    def text(self) -> str:
        """As clients are given it."""
        return f"{self.grant_id}.{self.family}.{self.secret}"


@dataclass(frozen=True, slots=True)
class Grant:
    """What one person allowed one client.

    Attributes:
        id: names it in access tokens.
        email: the person.
        client_id, client_name: the client, and what it called itself.
        redirect_uri: where the code went; ``""`` where no browser was used.
        resource: the URL of the MCP endpoint that its tokens are for.
        created_at, used_at: when it was allowed, and when a token was last given out.
        family_hash: SHA-256 of what all its texts have in common.
        code_hash, code_challenge, code_until: of the code; the hash is ``""`` once it is redeemed.
        token_hash: SHA-256 of the current refresh token's secret; ``""`` where there is none.
        previous_hash, rotated_at: of the one before, and when it was used.
        successor: the current refresh token, sealed in the store, to be answered again within ``GRACE``.
        expires_at: when it ends, unless it is used before.
        revision: of the document, for compare and swap.
    """

    id: str
    email: str
    client_id: str
    client_name: str
    redirect_uri: str
    resource: str
    created_at: datetime
    used_at: datetime
    family_hash: str = field(repr=False)
    expires_at: datetime
    code_hash: str = field(default="", repr=False)
    code_challenge: str = ""
    code_until: datetime | None = None
    token_hash: str = field(default="", repr=False)
    previous_hash: str = field(default="", repr=False)
    rotated_at: datetime | None = None
    successor: str = field(default="", repr=False)
    revision: int = 0

    @property
    def is_redeemed(self) -> bool:
        """Whether its client got a token for it."""
        return not self.code_hash

    def is_family(self, presented: Presented) -> bool:
        """Whether a text was given out for this grant; compared in constant time."""
        return is_secret(presented.family, self.family_hash)

    def is_code(self, presented: Presented) -> bool:
        """Whether a text of the family is the code, not redeemed yet."""
        return is_secret(presented.secret, self.code_hash)

    def judge(self, presented: Presented, now: datetime) -> Judgement:
        """What a refresh token is to this grant."""
        if not self.is_family(presented):
            return "foreign"
        if is_secret(presented.secret, self.token_hash):
            return "current"
        if is_secret(presented.secret, self.previous_hash):
            fresh = self.rotated_at is not None and now - self.rotated_at <= GRACE
            return "repeated" if fresh else "reused"
        return "reused"

    def redeemed(self, presented: Presented, now: datetime, lifetime: timedelta, *, refreshes: bool) -> Grant:
        """The grant after its code was redeemed, with a first refresh token if ``refreshes``."""
        token = replace_secret(presented) if refreshes else None
        return replace(
            self,
            code_hash="",
            code_challenge="",
            code_until=None,
            token_hash=hash_secret(token.secret) if token else "",
            successor=token.text if token else "",
            used_at=now,
            expires_at=now + lifetime,
        )

    def rotated(self, presented: Presented, now: datetime, lifetime: timedelta) -> Grant:
        """The grant after its refresh token was used: another one takes its place."""
        token = replace_secret(presented)
        return replace(
            self,
            previous_hash=self.token_hash,
            rotated_at=now,
            token_hash=hash_secret(token.secret),
            successor=token.text,
            used_at=now,
            expires_at=now + lifetime,
        )


def make_grant(
    *,
    email: str,
    client_id: str,
    client_name: str,
    resource: str,
    now: datetime,
    redirect_uri: str = "",
    code_challenge: str = "",
) -> tuple[Grant, str]:
    """A new grant and its code, which is good for ``CODE_LIFETIME``; only its hash is in the grant."""
    code = Presented(
        secrets.token_urlsafe(_ID_BYTES), secrets.token_urlsafe(_FAMILY_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    )
    grant = Grant(
        id=code.grant_id,
        email=email,
        client_id=client_id,
        client_name=client_name,
        redirect_uri=redirect_uri,
        resource=resource,
        created_at=now,
        used_at=now,
        family_hash=hash_secret(code.family),
        expires_at=now + CODE_LIFETIME,
        code_hash=hash_secret(code.secret),
        code_challenge=code_challenge,
        code_until=now + CODE_LIFETIME,
    )
    return grant, code.text


def make_redeemed_grant(
    *,
    email: str,
    client_id: str,
    client_name: str,
    resource: str,
    now: datetime,
    lifetime: timedelta,
    refreshes: bool = False,
) -> Grant:
    """A new grant for which no code goes by a browser, with a first refresh token if ``refreshes``."""
    grant, code = make_grant(email=email, client_id=client_id, client_name=client_name, resource=resource, now=now)
    return grant.redeemed(Presented(*code.split(".")), now, lifetime, refreshes=refreshes)


def parse_presented(text: str) -> Presented | None:
    """Take a code or refresh token apart; None if it cannot be one of ours."""
    parts = text.split(".")
    if len(parts) != _PARTS or not text.isascii() or not all(parts) or len(text) > 200:  # noqa: PLR2004
        return None
    return Presented(*parts)


def replace_secret(presented: Presented) -> Presented:
    """The next text of the same family."""
    return replace(presented, secret=secrets.token_urlsafe(_SECRET_BYTES))
