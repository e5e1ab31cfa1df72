"""Proves clients that sign assertions, ``private_key_jwt`` (RFC 7523 section 3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from latchpin.contracts import Clock, KeyValueRecords, Upstream
from latchpin.errors import UpstreamError
from latchpin.sdk.identity import KeySet, decode_jwt, explain_jwt, parse_key_set, read_key_id
from latchpin.sdk.workers import Bounded

from latchpin_authorization_server.clients.client import Client
from latchpin_authorization_server.errors import OAuthError
from latchpin_authorization_server.metadata import PATHS
from latchpin_authorization_server.single_use import LONGEST_NAME, use_up

__all__ = ["ASSERTION_TYPE", "ClientAssertions"]

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST = timedelta(minutes=10)
"""How far away an assertion's end may be: so long is remembered that it was used."""
LEEWAY = timedelta(seconds=30)
"""For another machine's clock."""
_MOST_KEY_SETS = 1_000


class ClientAssertions:
    """Judges them. Each is good once, for all workers.

    Args:
        issuer: BASE_URL: an assertion is for it, or for the token endpoint below it.
        upstream: the guarded way to published keys.
        kept: remembers which were used.
        clock: tells the time.
    """

    def __init__(self, issuer: str, upstream: Upstream, kept: KeyValueRecords, clock: Clock) -> None:
        self._audiences = (issuer, issuer + PATHS["token_endpoint"])
        self._upstream = upstream
        self._kept = kept
        self._clock = clock
        self._published: Bounded[str, KeySet] = Bounded(_MOST_KEY_SETS)

    async def check(self, client: Client, assertion: str) -> None:
        """Prove that the client signed it, now and for us.

        Raises:
            OAuthError: ``invalid_client``: it does not hold, or was used before.
            BackendUnavailable: the store cannot be asked.
        """
        try:
            claims = await self._verify(client, assertion)
        except jwt.InvalidTokenError as exc:
            raise _refused(f"the client assertion was refused: {explain_jwt(exc)}") from None
        except UpstreamError:
            raise _refused("the client's keys cannot be fetched") from None
        if claims.get("sub") != client.id:
            raise _refused("the client assertion is about somebody else")
        await self._use_up(client, claims)

    async def _verify(self, client: Client, assertion: str) -> dict[str, Any]:
        key = await self._find_key(client, read_key_id(assertion))
        if key is None:
            raise jwt.InvalidSignatureError("no such key")
        return decode_jwt(
            assertion,
            [key.key],
            [key.algorithm_name],
            issuer=client.id,
            audiences=self._audiences,
            now=self._clock().timestamp(),
            leeway=LEEWAY.total_seconds(),
        )

    async def _find_key(self, client: Client, key_id: object) -> jwt.PyJWK | None:
        if client.jwks:
            keys = parse_key_set(client.jwks.encode(), name="jwks")
            return next((key for key in keys if key.key_id == key_id or (len(keys) == 1 and key_id is None)), None)
        published = self._published.get(client.jwks_uri)
        if published is None:
            published = KeySet(client.jwks_uri, upstream=self._upstream, clock=self._clock, name="jwks_uri")
            self._published[client.jwks_uri] = published
        return await published.find(key_id)

    async def _use_up(self, client: Client, claims: dict[str, Any]) -> None:
        named, ends = claims.get("jti"), datetime.fromtimestamp(claims["exp"], UTC)
        if not isinstance(named, str) or not named or len(named) > LONGEST_NAME:
            raise _refused("the client assertion has no jti")
        if ends > self._clock() + LONGEST + LEEWAY:
            raise _refused(f"the client assertion ends more than {LONGEST.seconds // 60} minutes from now")
        if not await use_up(self._kept, "client-assertion", client.id, named, until=ends + LEEWAY):
            raise _refused("the client assertion was used before")


def _refused(description: str) -> OAuthError:
    return OAuthError("invalid_client", description, status=401)
