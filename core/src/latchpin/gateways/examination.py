"""What is found out about one gateway: where it leads, who the client is there, and how its tokens are.

Doctor, the test of a gateway, ``gateways add`` and ``show``, and ``GET /gateways/{gateway_id}/discovery`` read it here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from latchpin.clients.directory import ClientDirectory
from latchpin.contracts import Finding, Severity
from latchpin.errors import AuthorizationRequired, LatchpinError
from latchpin.errors.causes.callback import REDIRECT_MISMATCH
from latchpin.gateways.client_findings import ClientFindings
from latchpin.gateways.discovered import Discovered
from latchpin.gateways.token_findings import count_tokens
from latchpin.model import CLIENT_ITSELF, Caller, Gateway, OAuthConfig
from latchpin.servers.directory import ServerDirectory
from latchpin.servers.discovery_client import OnStep, tell_nobody
from latchpin.servers.found import Step
from latchpin.services import Services
from latchpin.tokens.client_grant import require_grant, subject_of
from latchpin.tokens.service import TokenService

__all__ = ["GatewayExaminer", "Tell"]

Tell = Callable[[Finding | Step], None]
"""Is told each request of the search, and each finding."""


class GatewayExaminer:
    """Looks at gateways. It registers, pins and keeps nothing, and renews a token only as its use would."""

    def __init__(
        self, services: Services, servers: ServerDirectory, clients: ClientDirectory, tokens: TokenService
    ) -> None:
        self._services = services
        self._servers = servers
        self._clients = clients
        self._tokens = tokens

    async def examine(
        self, gateway: Gateway, *, offline: bool = False, caller: Caller | None = None, tell: Tell = tell_nobody
    ) -> list[Finding]:
        """Everything that can be said of one gateway; what fails unforeseen is a finding too.

        Args:
            gateway: which.
            offline: ask no other servers.
            caller: whose own token is tried; by default nobody's.
            tell: is told each step and each finding when it is there.
        """
        findings: list[Finding] = []

        def add(finding: Finding) -> None:
            findings.append(replace(finding, gateway_id=gateway.id))
            tell(findings[-1])

        try:
            await self._look(gateway, offline, caller, tell, add)
        except LatchpinError as exc:
            add(Finding.of(exc, "it could not be checked"))
        except Exception as exc:  # noqa: BLE001  one gateway must not take the others' findings along
            add(Finding(Severity.FAILURE, "it could not be checked", f"{type(exc).__name__} was raised."))
        return findings

    async def discover(self, gateway: Gateway, on_step: OnStep = tell_nobody) -> Discovered:
        """Search anew, as an authorization would: what the gateway remembers may be over."""
        unasked, found, options = self._unasked(gateway), None, None
        try:
            found = await self._servers.explore(gateway, on_step)
            found.require_scopes()
            require_grant(self._services, found.config)
            redirect_uri = found.config.redirect_uri or unasked.redirect_uri
            options = await self._clients.ways(gateway, found.metadata, redirect_uri, found.scopes)
            if options.chosen is None and options.kept is None:
                raise options.refusal()
            if found.config.grant_type == "authorization_code":
                found.require_authorization_endpoint()
        except LatchpinError as exc:
            return replace(unasked, found=found, options=options, obstacle=exc)
        return replace(unasked, found=found, options=options)

    def _unasked(self, gateway: Gateway) -> Discovered:
        subject = subject_of(self._services, gateway.oauth) if gateway.oauth is not None else None
        whose = subject.vouched_for_by if subject is not None else "person"
        return Discovered(gateway, self._services.settings.redirect_uri, whose)

    async def _look(
        self, gateway: Gateway, offline: bool, caller: Caller | None, tell: Tell, add: Callable[[Finding], None]
    ) -> None:
        config = gateway.oauth
        if config is None:
            add(Finding(Severity.OK, "it uses no OAuth"))
            return
        for finding in self._redirect(gateway, config):
            add(finding)
        discovered = self._unasked(gateway) if offline else await self.discover(gateway, tell)
        found, obstacle = discovered.found, discovered.obstacle
        for finding in _server(gateway, config, discovered):
            add(finding)
        client = await ClientFindings(self._services, self._clients, gateway, config, found, discovered.options).find()
        for finding in client:
            add(finding)
        unusable = any(each.severity is Severity.FAILURE for each in client)
        if found is not None and obstacle is not None and not unusable:
            add(Finding.of(obstacle, "people cannot authorize", command=_show(gateway)))
        tokens = await self._services.records.tokens.list(gateway_id=gateway.id)
        authorize_url = self._services.settings.authorize_url(gateway.id)
        add(count_tokens([self._tokens.health(each) for each in tokens], authorize_url=authorize_url))
        if caller is not None:
            add(await self._own_token(gateway, caller))

    def _redirect(self, gateway: Gateway, config: OAuthConfig) -> list[Finding]:
        """Whether its own redirect URI still leads here: BASE_URL may have changed since it was entered."""
        own, shared = config.redirect_uri, self._services.settings.redirect_uri
        if own in {None, shared, f"{shared}/{gateway.id}"}:
            return []
        return [
            Finding(
                Severity.FAILURE,
                "its redirect URI does not lead to this gateway",
                f"Its entry says {own}; BASE_URL makes it {shared}.",
                f"Set oauth_config.redirect_uri to {shared} or {shared}/{gateway.id}, and register that at the "
                "authorization server; or correct BASE_URL.",
                _show(gateway),
                REDIRECT_MISMATCH.slug,
            )
        ]

    async def _own_token(self, gateway: Gateway, caller: Caller) -> Finding:
        whose = "the gateway's own token" if self._tokens.owner_of(gateway, caller) == CLIENT_ITSELF else "your token"
        try:
            token = await self._tokens.token_for(gateway, caller)
        except AuthorizationRequired as exc:
            why = exc.detail or "You have not authorized this gateway."
            return Finding(Severity.SKIPPED, f"{whose} is not there", why, "Authorize.")
        except LatchpinError as exc:
            return Finding.of(exc, f"{whose} cannot be had")
        return Finding(Severity.OK, f"{whose} works", f"It is good until {token.stored.expires_at:%Y-%m-%d %H:%M} UTC.")


def _server(gateway: Gateway, config: OAuthConfig, discovered: Discovered) -> list[Finding]:
    """Where discovery leads, and on whose word the server does PKCE: discovery refuses one that does not."""
    found = discovered.found
    if found is None:
        if discovered.obstacle is None:
            return [Finding(Severity.SKIPPED, "its servers were not asked", "They were not to be asked.")]
        title = discovered.obstacle.public.rstrip(".")
        return [Finding.of(discovered.obstacle, f"{title[0].lower()}{title[1:]}", command=_show(gateway))]
    issuer = found.metadata.issuer or found.metadata.token_endpoint
    detail = f"Its tokens will be sent to {gateway.url}. Known from {found.metadata.source}."
    leads = Finding(Severity.OK, f"its authorization server is {issuer}", detail)
    if found.metadata.code_challenge_methods_supported is not None:
        return [leads, Finding(Severity.OK, "its server offers PKCE with S256")]
    return [leads, _assumed_pkce(gateway)] if config.assume_pkce else [leads]


def _assumed_pkce(gateway: Gateway) -> Finding:
    return Finding(
        Severity.WARNING,
        "nothing but its entry says that its server does PKCE",
        "assume_pkce is set: a server that ignores PKCE lets a stolen code be used.",
        "Take assume_pkce away once the server lists code_challenge_methods_supported.",
        _show(gateway),
    )


def _show(gateway: Gateway) -> str:
    return f"latchpin gateways show {gateway.id}"
