"""Is there a client for a gateway, is it usable, and does its server still know it?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from latchpin.contracts import Finding, Fix, Severity
from latchpin.errors import LatchpinError, RedirectMismatch, RegistrationFailed, Unsealable
from latchpin.model import ClientCredentials, Gateway, OAuthConfig, RegisteredClient
from latchpin.sdk.gateway import (
    Application,
    FoundServer,
    Services,
    open_configured_secret,
    open_registered_secret,
)
from latchpin_inspection.discovered import Discovered

from latchpin_doctor.probes import CLIENT_UNKNOWN, ask_authorization_endpoint, ask_token_endpoint

__all__ = ["ClientFindings"]

SOON = timedelta(days=7)
ANEW = "latchpin doctor --fix"
CLIENT_FORGOTTEN = "client-forgotten"
"""The cause that users meet whose client its server has forgotten."""


@dataclass(frozen=True, slots=True)
class ClientFindings:
    """Looks at the client that is entered, kept or computed.

    Attributes:
        discovered: where it acts, and the ways to a client there; None where its servers were not asked.
    """

    application: Application
    gateway: Gateway
    config: OAuthConfig
    discovered: Discovered | None

    @property
    def services(self) -> Services:
        """What the gateway works with."""
        return self.application.services

    @property
    def found(self) -> FoundServer | None:
        """Where it acts; None where its servers were not asked, or not found."""
        return None if self.discovered is None else self.discovered.found

    async def find(self) -> list[Finding]:
        """What holds of the client; nothing where there is none and no way to one."""
        if self.config.client_id is not None:
            return await self._entered(self.config.client_id)
        issuer = self.found.metadata.issuer if self.found else self.config.issuer or self.gateway.pinned_issuer
        kept = await self.services.records.clients.get(self.gateway.id, issuer) if issuer is not None else None
        if kept is not None:
            return await self._registered(kept)
        if self.found is None:
            return [Finding(Severity.SKIPPED, "it has no client yet", "Whether it can get one was not asked.")]
        computed = await self._existing()
        if computed is not None:
            return [_acts(computed, f"its client is {computed.client_id}"), *await self._ask(self.found, computed)]
        options = None if self.discovered is None else self.discovered.options
        if options is None or options.chosen is None:
            return []
        return [Finding(Severity.OK, f"the first authorization gets a client by {options.chosen.label}")]

    async def _entered(self, client_id: str) -> list[Finding]:
        title = f"its client {client_id} is entered"
        try:
            open_configured_secret(self.gateway, self.services.cipher)
        except Unsealable as exc:
            return [Finding.of(exc, "its client secret opens with no key")]
        client = await self._existing()
        if self.found is None or client is None:
            return [Finding(Severity.OK, title)]
        return [_acts(client, title), *await self._ask(self.found, client)]

    async def _registered(self, kept: RegisteredClient) -> list[Finding]:
        """What is wrong with it here, else what its server says."""
        fix = self._fix(kept)
        if (wrong := self._wrong_with(kept, fix)) is not None:
            return [wrong]
        client = await self._existing()
        if self.found is None or client is None:
            return [self._registration(kept)]
        return [self._registration(kept), *(_fixed(each, fix) for each in await self._ask(self.found, client))]

    def _wrong_with(self, kept: RegisteredClient, fix: Fix | None) -> Finding | None:
        """Why the client cannot be used. Most of it mends itself with the next authorization, where DCR works."""
        by_itself = Severity.FAILURE if fix is None else Severity.WARNING
        redirect_uri = self.config.redirect_uri or self.services.settings.redirect_uri
        try:
            open_registered_secret(kept, self.services.cipher)
        except Unsealable as exc:
            return Finding.of(exc, "its client's secret opens with no key", fix=fix)
        if not kept.is_active:
            return _unusable(by_itself, f"its client {kept.client_id} is switched off", "", fix)
        if kept.expires_at is not None and kept.expires_at <= self.services.clock():
            detail = f"It did on {kept.expires_at:%Y-%m-%d}."
            return _unusable(by_itself, "its client's secret has expired", detail, fix)
        if self.config.grant_type == "authorization_code" and redirect_uri not in kept.redirect_uris:
            detail = f"Registered is {', '.join(kept.redirect_uris)[:300]}; BASE_URL makes it {redirect_uri}."
            title = "its client is registered with another redirect URI"
            return _unusable(by_itself, title, detail, fix, cause=RedirectMismatch.code)
        return None

    def _registration(self, kept: RegisteredClient) -> Finding:
        end = kept.expires_at
        if end is None or end > self.services.clock() + SOON:
            return Finding(Severity.OK, f"its client {kept.client_id} is registered")
        return Finding(Severity.WARNING, "its client's secret expires within a week", f"On {end:%Y-%m-%d %H:%M} UTC.")

    async def _existing(self) -> ClientCredentials | None:
        """The client that would act at the server that was found."""
        return (
            None if self.found is None else await self.application.clients.existing(self.gateway, self.found.metadata)
        )

    async def _ask(self, found: FoundServer, client: ClientCredentials) -> list[Finding]:
        known = await ask_token_endpoint(self.application, found, client)
        if known.severity is not Severity.OK:
            return [known]
        return [known, *await ask_authorization_endpoint(self.application, found, client)]

    def _fix(self, kept: RegisteredClient) -> Fix | None:
        """Registering anew, where that is possible."""
        options = None if self.discovered is None else self.discovered.options
        if self.found is None or options is None or options.chosen is None:
            return None
        what = f"Register a new client for {self.gateway.name} at {kept.issuer}, in place of {kept.client_id}."
        return Fix(what, self._register_anew(kept, self.found, options.redirect_uri))

    def _register_anew(
        self, kept: RegisteredClient, found: FoundServer, redirect_uri: str
    ) -> Callable[[], Awaitable[str]]:
        async def apply() -> str:
            await self.application.clients.drop(self.gateway.id, kept.issuer, client_id=kept.client_id)
            try:
                client = await self.application.clients.client_for(
                    self.gateway, found.metadata, redirect_uri, found.scopes
                )
            except LatchpinError:
                await self.services.records.clients.put(kept)  # better the one that may still serve some than none
                raise
            return f"the client is {client.client_id} now."

        return apply


def _acts(client: ClientCredentials, title: str) -> Finding:
    return Finding(Severity.OK, title, f"It proves itself by {client.auth_method}.")


def _unusable(
    severity: Severity, title: str, detail: str, fix: Fix | None, *, cause: str = RegistrationFailed.code
) -> Finding:
    if fix is None:
        return Finding(severity, title, detail, RegistrationFailed.remedy, cause=cause)
    detail = f"{detail} The next authorization registers another.".strip()
    return Finding(severity, title, detail, f"Register it anew: {ANEW}", ANEW, cause, fix=fix)


def _fixed(finding: Finding, fix: Fix | None) -> Finding:
    """A client that its server does not know can be replaced."""
    if fix is None or finding.cause != CLIENT_UNKNOWN:
        return finding
    return _unusable(finding.severity, finding.title, finding.detail, fix, cause=CLIENT_FORGOTTEN)
