"""What can be said of one gateway: where it leads, who the client is there, and how its tokens are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from latchpin.contracts import Finding, Severity
from latchpin.errors import AuthorizationRequired, LatchpinError, PluginError, RedirectMismatch, SharedConnectionMissing
from latchpin.model import COMPANY, Caller, Gateway, OAuthConfig
from latchpin.sdk.gateway import Application, Step, wants_key
from latchpin_inspection.discovered import Discovered
from latchpin_inspection.discovering import discover

from latchpin_doctor.client_findings import ClientFindings
from latchpin_doctor.token_findings import count_tokens

__all__ = ["Tell", "examine_gateway"]

Tell = Callable[[Finding | Step], None]
"""Is told each request of the search, and each finding."""


def _tell_nobody(step: Finding | Step) -> None:
    """Nobody waits for single steps."""


async def examine_gateway(
    application: Application,
    gateway: Gateway,
    *,
    offline: bool = False,
    caller: Caller | None = None,
    tell: Tell = _tell_nobody,
) -> list[Finding]:
    """Everything that can be said of one gateway; what fails unforeseen is a finding too.

    It registers, pins and keeps nothing, and renews a token only as its use would.

    Args:
        application: the gateway's scripts.
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
        await _Look(application, gateway, offline, caller, tell, add).run()
    except LatchpinError as exc:
        add(Finding.of(exc, "it could not be checked"))
    except Exception as exc:  # noqa: BLE001  one gateway must not take the others' findings along
        add(Finding(Severity.FAILURE, "it could not be checked", f"{type(exc).__name__} was raised."))
    return findings


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at one gateway."""

    application: Application
    gateway: Gateway
    offline: bool
    caller: Caller | None
    tell: Tell
    add: Callable[[Finding], None]

    async def run(self) -> None:
        gateway, config = self.gateway, self.gateway.oauth
        if wants_key(gateway):
            self.add(self._key())
            await self._tokens()
            return
        if config is None:
            self.add(Finding(Severity.OK, "it uses no OAuth"))
            return
        for finding in self._redirect(config):
            self.add(finding)
        discovered = None if self.offline else await discover(self.application, gateway, self.tell)
        for finding in _server(gateway, config, discovered):
            self.add(finding)
        client = await ClientFindings(self.application, gateway, config, discovered).find()
        for finding in client:
            self.add(finding)
        unusable = any(each.severity is Severity.FAILURE for each in client)
        if discovered is not None and discovered.found is not None and discovered.obstacle is not None and not unusable:
            self.add(Finding.of(discovered.obstacle, "people cannot authorize", command=_show(gateway)))
        await self._tokens()

    def _key(self) -> Finding:
        """Whether something shows the server a key, and where."""
        try:
            self.application.tokens.headers_of(self.gateway)
        except PluginError as exc:
            return Finding.of(exc, "nobody can use it", command=_show(self.gateway))
        place = self.gateway.api_key
        where = "" if place is None else f", in the field {place.header}"
        return Finding(Severity.OK, f"its server wants an API key{where}")

    async def _tokens(self) -> None:
        services, gateway = self.application.services, self.gateway
        tokens = await services.records.tokens.list(gateway_id=gateway.id)
        healths = [self.application.tokens.health(each) for each in tokens]
        self.add(count_tokens(healths, authorize_url=services.settings.authorize_url(gateway.id)))
        if self.caller is not None:
            self.add(await self._own_token(self.caller))

    def _redirect(self, config: OAuthConfig) -> list[Finding]:
        """Whether its own redirect URI still leads here: BASE_URL may have changed since it was entered."""
        own, shared = config.redirect_uri, self.application.services.settings.redirect_uri
        if own in {None, shared, f"{shared}/{self.gateway.id}"}:
            return []
        return [
            Finding(
                Severity.FAILURE,
                "its redirect URI does not lead to this gateway",
                f"Its entry says {own}; BASE_URL makes it {shared}.",
                f"Set oauth_config.redirect_uri to {shared} or {shared}/{self.gateway.id}, and register that at the "
                "authorization server; or correct BASE_URL.",
                _show(self.gateway),
                RedirectMismatch.code,
            )
        ]

    async def _own_token(self, caller: Caller) -> Finding:
        tokens, gateway = self.application.tokens, self.gateway
        key = wants_key(gateway)
        owner, what = tokens.owner_of(gateway, caller), "key" if key else "token"
        others = f"the {what} that all share" if owner == COMPANY else f"the gateway's own {what}"
        whose = f"your {what}" if owner == caller.email else others
        try:
            token = await tokens.token_for(gateway, caller)
        except AuthorizationRequired as exc:
            why = exc.detail or "You have not authorized this gateway."
            return Finding(Severity.SKIPPED, f"{whose} is not there", why, "Enter it." if key else "Authorize.")
        except SharedConnectionMissing as exc:
            return Finding(Severity.SKIPPED, f"{whose} is not there", exc.detail, exc.remedy)
        except LatchpinError as exc:
            return Finding.of(exc, f"{whose} cannot be had")
        if key:
            return Finding(Severity.OK, f"{whose} is kept", "The server took it when it was entered.")
        return Finding(Severity.OK, f"{whose} works", f"It is good until {token.stored.expires_at:%Y-%m-%d %H:%M} UTC.")


def _server(gateway: Gateway, config: OAuthConfig, discovered: Discovered | None) -> list[Finding]:
    """Where discovery leads, and on whose word the server does PKCE: discovery refuses one that does not."""
    if discovered is None:
        return [Finding(Severity.SKIPPED, "its servers were not asked", "They were not to be asked.")]
    found = discovered.found
    if found is None:
        if discovered.obstacle is None:
            return []
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
