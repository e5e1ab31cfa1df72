"""Trying a gateway out: its authorization server, its client, and a caller's token, each step told as it happens."""

from __future__ import annotations

from collections.abc import Callable

from latchpin.clients.directory import ClientDirectory
from latchpin.contracts import Finding, Severity
from latchpin.errors import AuthorizationRequired, LatchpinError
from latchpin.gateways.inspection import Inspector
from latchpin.model import CLIENT_ITSELF, Caller, Gateway, OAuthConfig
from latchpin.servers.directory import ServerDirectory
from latchpin.servers.found import FoundServer, Step
from latchpin.tokens.client_grant import owner_of
from latchpin.tokens.service import TokenService

__all__ = ["GatewayTrial", "Tell"]

Tell = Callable[[Finding | Step], None]
"""Is told each request of the search, and what was found out."""


class GatewayTrial:
    """Tries, in the order of an authorization. It registers nothing, and renews a token only as its use would."""

    def __init__(
        self, servers: ServerDirectory, clients: ClientDirectory, tokens: TokenService, inspector: Inspector
    ) -> None:
        self._inspector = inspector
        self._servers = servers
        self._clients = clients
        self._tokens = tokens

    async def run(self, gateway: Gateway, caller: Caller, tell: Tell) -> None:
        """Try ``gateway`` for ``caller``; what fails is told, and what needs it is left out.

        Raises:
            BackendUnavailable: the store cannot be asked.
        """
        if gateway.oauth is None:
            tell(Finding(Severity.SKIPPED, "It needs no authorization", "There is no server, client or token to find."))
            return
        found = await self._find_server(gateway, tell)
        if found is not None and await self._find_client(gateway, gateway.oauth, found, tell):
            await self._find_token(gateway, caller, tell)

    async def _find_server(self, gateway: Gateway, tell: Tell) -> FoundServer | None:
        try:
            found = await self._servers.explore(gateway, tell)
        except LatchpinError as exc:
            tell(_failure("The authorization server was not found", exc))
            return None
        issuer = found.metadata.issuer
        name = f"The authorization server is {issuer}" if issuer else "The authorization server is as entered"
        tell(Finding(Severity.OK, name, f"Its tokens will be sent to {gateway.url}."))
        if found.config.assume_pkce:
            tell(
                Finding(
                    Severity.WARNING,
                    "PKCE is assumed",
                    "Whether the server checks the code challenge is not known.",
                    "Switch assume_pkce off as soon as the server says that it supports S256.",
                )
            )
        return found

    async def _find_client(self, gateway: Gateway, config: OAuthConfig, found: FoundServer, tell: Tell) -> bool:
        try:
            client = await self._clients.existing(gateway, found.metadata)
            said = await self._inspector.describe_client(gateway, config, found)
        except LatchpinError as exc:
            tell(_failure("The client cannot be used", exc))
            return False
        if client is not None:
            tell(
                Finding(Severity.OK, f"The client is {client.client_id}", f"It proves itself by {client.auth_method}.")
            )
            return True
        if said["why"] is not None:
            tell(Finding(Severity.FAILURE, "People cannot authorize", said["why"], said["remedy"]))
            return False
        way = said["registration"]["way"]
        tell(Finding(Severity.OK, "There is no client yet", f"The first authorization gets one by {way}."))
        return True

    async def _find_token(self, gateway: Gateway, caller: Caller, tell: Tell) -> None:
        whose = "The gateway's own token" if owner_of(gateway, caller) == CLIENT_ITSELF else "Your token"
        try:
            token = await self._tokens.token_for(gateway, caller)
        except AuthorizationRequired as exc:
            why = exc.detail or "You have not authorized this gateway."
            tell(Finding(Severity.SKIPPED, f"{whose} is not there", why, "Authorize."))
        except LatchpinError as exc:
            tell(_failure(f"{whose} cannot be had", exc))
        else:
            until = f"{token.stored.expires_at:%Y-%m-%d %H:%M} UTC"
            tell(Finding(Severity.OK, f"{whose} works", f"It is good until {until}."))


def _failure(title: str, exc: LatchpinError) -> Finding:
    return Finding(Severity.FAILURE, title, exc.detail or exc.public, exc.remedy, cause=exc.code)
