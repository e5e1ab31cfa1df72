"""Is there a client for a gateway, is it usable, and does its server still know it?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from latchpin.application import Application
from latchpin.clients.options import RegistrationOptions
from latchpin.clients.secrets import open_configured_secret, open_registered_secret
from latchpin.contracts import Finding, Fix, Severity
from latchpin.doctor.probes import ask_authorization_endpoint, ask_token_endpoint
from latchpin.doctor.refused import finding_of
from latchpin.errors import LatchpinError, RegistrationFailed, Unsealable
from latchpin.errors.causes.callback import REDIRECT_MISMATCH
from latchpin.errors.causes.refusals import CLIENT_FORGOTTEN, TOKEN
from latchpin.model import ClientCredentials, Gateway, RegisteredClient
from latchpin.servers.found import FoundServer
from latchpin.tokens.client_grant import INVALID_CLIENT

__all__ = ["check_client"]

SOON = timedelta(days=7)


async def check_client(application: Application, gateway: Gateway, found: FoundServer | None) -> list[Finding]:
    """The client that is entered, kept or computed; ``found`` is None where its servers are not asked."""
    assert gateway.oauth is not None  # noqa: S101  callers have looked
    if gateway.oauth.client_id is not None:
        return await _check_entered(application, gateway, found)
    issuer = found.metadata.issuer if found is not None else gateway.oauth.issuer or gateway.pinned_issuer
    kept = await application.services.records.clients.get(gateway.id, issuer) if issuer is not None else None
    if kept is not None:
        return await _check_kept(application, gateway, kept, found)
    if found is None:
        return [Finding(Severity.SKIPPED, "it has no client yet", "Whether it can get one was not asked.")]
    computed = await application.clients.existing(gateway, found.metadata)
    if computed is not None:
        return await _ask(application, found, computed)
    return [await _unregistered(application, gateway, found)]


async def _check_entered(application: Application, gateway: Gateway, found: FoundServer | None) -> list[Finding]:
    try:
        open_configured_secret(gateway, application.services.cipher)
    except Unsealable as exc:
        return [finding_of(exc, "its client secret opens with no key")]
    client = await application.clients.existing(gateway, found.metadata) if found is not None else None
    if found is None or client is None:
        return [Finding(Severity.OK, "its client is entered")]
    return await _ask(application, found, client)


async def _check_kept(
    application: Application, gateway: Gateway, kept: RegisteredClient, found: FoundServer | None
) -> list[Finding]:
    """A registered client: what is wrong with it here, else what its server says."""
    fix = await _fix(application, gateway, kept, found)
    if (wrong := _wrong_with(application, gateway, kept, fix)) is not None:
        return [wrong]
    findings = [_expiring(application, kept)]
    if found is not None:
        client = await application.clients.existing(gateway, found.metadata)
        asked = await _ask(application, found, client) if client is not None else []
        findings += [_fixed(each, fix) for each in asked]
    return [each for each in findings if each is not None]


def _wrong_with(application: Application, gateway: Gateway, kept: RegisteredClient, fix: Fix | None) -> Finding | None:
    """Why the client cannot be used. Most of it mends itself with the next authorization, where DCR works."""
    services, oauth = application.services, gateway.oauth
    assert oauth is not None  # noqa: S101  callers have looked
    by_itself = Severity.FAILURE if fix is None else Severity.WARNING
    redirect_uri = oauth.redirect_uri or services.settings.redirect_uri
    try:
        open_registered_secret(kept, services.cipher)
    except Unsealable as exc:
        return finding_of(exc, "its client's secret opens with no key", fix=fix)
    if not kept.is_active:
        return _unusable(by_itself, f"its client {kept.client_id} is switched off", "", fix)
    if kept.expires_at is not None and kept.expires_at <= services.clock():
        return _unusable(by_itself, "its client's secret has expired", f"It did on {kept.expires_at:%Y-%m-%d}.", fix)
    if oauth.grant_type == "authorization_code" and redirect_uri not in kept.redirect_uris:
        detail = f"Registered is {', '.join(kept.redirect_uris)[:300]}; BASE_URL makes it {redirect_uri}."
        title = "its client is registered with another redirect URI"
        return _unusable(by_itself, title, detail, fix, cause=REDIRECT_MISMATCH.slug)
    return None


def _unusable(
    severity: Severity, title: str, detail: str, fix: Fix | None, *, cause: str = RegistrationFailed.code
) -> Finding:
    detail = f"{detail} The next authorization registers another.".strip() if fix is not None else detail
    remedy = "Register it anew: latchpin doctor --fix" if fix is not None else RegistrationFailed.remedy
    command = "latchpin doctor --fix" if fix is not None else ""
    return Finding(severity, title, detail, remedy, command, cause, fix=fix)


def _expiring(application: Application, kept: RegisteredClient) -> Finding | None:
    end = kept.expires_at
    if end is None or end > application.services.clock() + SOON:
        return Finding(Severity.OK, f"its client {kept.client_id} is registered")
    return Finding(Severity.WARNING, "its client's secret expires within a week", f"On {end:%Y-%m-%d %H:%M} UTC.")


async def _unregistered(application: Application, gateway: Gateway, found: FoundServer) -> Finding:
    ways = await _ways(application, gateway, found)
    if ways.chosen is not None:
        return Finding(Severity.OK, f"the first authorization gets a client by {ways.chosen.label}")
    why = "; ".join(f"{way.label}: {way.obstacle}" for way in ways.ways) or "No installed plugin knows one."
    title, remedy, cause = "it has no client, and no way to one", RegistrationFailed.remedy, RegistrationFailed.code
    return Finding(Severity.FAILURE, title, why, remedy, cause=cause)


async def _ways(application: Application, gateway: Gateway, found: FoundServer) -> RegistrationOptions:
    redirect_uri = found.config.redirect_uri or application.services.settings.redirect_uri
    return await application.clients.ways(gateway, found.metadata, redirect_uri, found.scopes)


async def _ask(application: Application, found: FoundServer, client: ClientCredentials) -> list[Finding]:
    services = application.services
    known = await ask_token_endpoint(services, found, client)
    if known.severity is not Severity.OK:
        return [known]
    return [known, *await ask_authorization_endpoint(services, found, client)]


def _fixed(finding: Finding, fix: Fix | None) -> Finding:
    """A client that its server does not know can be replaced."""
    if fix is None or finding.cause != TOKEN[INVALID_CLIENT].slug:
        return finding
    return _unusable(finding.severity, finding.title, finding.detail, fix, cause=CLIENT_FORGOTTEN.slug)


async def _fix(
    application: Application, gateway: Gateway, kept: RegisteredClient, found: FoundServer | None
) -> Fix | None:
    """Registering anew, where that is possible."""
    if found is None or (await _ways(application, gateway, found)).chosen is None:
        return None
    what = f"Register a new client for {gateway.name} at {kept.issuer}, in place of {kept.client_id}."
    return Fix(what, _register_anew(application, gateway, kept, found))


def _register_anew(
    application: Application, gateway: Gateway, kept: RegisteredClient, found: FoundServer
) -> Callable[[], Awaitable[str]]:
    async def apply() -> str:
        assert gateway.oauth is not None  # noqa: S101  callers have looked
        redirect_uri = gateway.oauth.redirect_uri or application.services.settings.redirect_uri
        clients = application.services.records.clients
        await clients.delete(kept.id)
        try:
            client = await application.clients.client_for(gateway, found.metadata, redirect_uri, found.scopes)
        except LatchpinError:
            await clients.put(kept)  # better the one that may still serve some than none
            raise
        return f"the client is {client.client_id} now."

    return apply
