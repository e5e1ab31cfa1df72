"""The token endpoint: proves the client, and leaves the rest to the grant type that it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latchpin_authorization_server.clients.authentication import authenticate
from latchpin_authorization_server.errors import OAuthError
from latchpin_authorization_server.grant_types import GRANT_TYPES
from latchpin_authorization_server.grant_types.jwt_bearer import JWT_BEARER
from latchpin_authorization_server.grant_types.request import FindResource, OwesAuthorization, TokenRequest
from latchpin_authorization_server.grant_types.token_exchange import TOKEN_EXCHANGE
from latchpin_authorization_server.grants.grant import Grant, parse_presented
from latchpin_authorization_server.server import AuthorizationServer

__all__ = ["TokenEndpoint"]


class TokenEndpoint:
    """Gives tokens to clients."""

    def __init__(self, server: AuthorizationServer) -> None:
        self._server = server

    @property
    def grant_types(self) -> list[str]:
        """Those that are taken: a company's word counts only where a setting says whose."""
        trusted = {JWT_BEARER: bool(self._server.id_jag_issuers), TOKEN_EXCHANGE: self._server.company is not None}
        return [name for name in GRANT_TYPES if trusted.get(name, True)]

    async def answer(
        self,
        authorization: str | None,
        form: Mapping[str, str],
        find_resource: FindResource,
        owes_authorization: OwesAuthorization,
    ) -> dict[str, Any]:
        """What a client is given for what it sends (RFC 6749 section 5.1).

        Args:
            authorization: the request's header, None if there is none.
            form: its body, each parameter once.
            find_resource: finds the MCP endpoints of this gateway.
            owes_authorization: whether one of them is of no use without a sign-in.

        Raises:
            OAuthError: nothing; the error says why.
            BackendUnavailable: the store cannot be asked.
        """
        grant_type = form.get("grant_type", "")
        if grant_type not in self.grant_types:
            raise OAuthError("unsupported_grant_type", f"grant_type is one of {', '.join(self.grant_types)}")
        client = await authenticate(self._server.clients, authorization, form)
        if grant_type not in client.grant_types:
            raise OAuthError("unauthorized_client", f"this client did not register for {grant_type}")
        return await GRANT_TYPES[grant_type](
            self._server, TokenRequest(client, form, find_resource, owes_authorization)
        )

    async def revoke(self, authorization: str | None, form: Mapping[str, str]) -> None:
        """End the grant that a token of the client's belongs to (RFC 7009); what is no token of its own is ignored.

        Raises:
            OAuthError: the client does not prove itself, or names no token.
            BackendUnavailable: the store cannot be asked.
        """
        client = await authenticate(self._server.clients, authorization, form)
        text = form.get("token", "")
        if not text:
            raise OAuthError("invalid_request", "token is missing")
        grant = await self._grant_of(text)
        if grant is not None and grant.client_id == client.id:
            await self._server.end(grant)

    async def _grant_of(self, text: str) -> Grant | None:
        if self._server.access_tokens.recognizes(text):
            token = await self._server.access_tokens.read_own(text)
            return None if token is None else await self._server.grants.get(token.grant_id)
        presented = parse_presented(text)
        grant = None if presented is None else await self._server.grants.get(presented.grant_id)
        return grant if grant is not None and presented is not None and grant.is_family(presented) else None
