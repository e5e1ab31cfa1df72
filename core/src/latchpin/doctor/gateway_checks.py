"""Would authorizing at each gateway work: where it leads, who the client is, and how its tokens are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from latchpin.application import Application
from latchpin.contracts import Finding, Severity
from latchpin.doctor.client_checks import check_client
from latchpin.doctor.examination import Examination
from latchpin.doctor.refused import finding_of
from latchpin.doctor.token_checks import check_tokens
from latchpin.errors import LatchpinError
from latchpin.errors.causes.callback import REDIRECT_MISMATCH
from latchpin.gateways.named import named
from latchpin.model import Gateway
from latchpin.servers.discovery_client import tell_nobody
from latchpin.servers.found import FoundServer

__all__ = ["check_gateways"]

AT_ONCE = 8


async def check_gateways(context: Examination) -> Sequence[Finding]:
    """Each gateway by itself, a few at a time."""
    application = context.application
    if application is None:
        return []
    everyone = await application.services.records.gateways.list()
    wanted = list(everyone) if context.gateway_id is None else named(everyone, context.gateway_id)
    if not wanted:
        return [_none(context.gateway_id)]
    limit = asyncio.Semaphore(AT_ONCE)

    async def check(gateway: Gateway) -> list[Finding]:
        async with limit:
            return await _check(application, gateway, offline=context.offline)

    found = await asyncio.gather(*(check(gateway) for gateway in wanted))
    return [finding for findings in found for finding in findings]


def _none(wanted: str | None) -> Finding:
    if wanted is None:
        return Finding(
            Severity.OK, "There is no gateway yet", command="latchpin gateways add https://mcp.example.com/mcp"
        )
    return Finding(
        Severity.FAILURE,
        "There is no such gateway",
        f"None has the id or name {wanted[:64]!a}.",
        "Take an id from the list.",
        "latchpin gateways list",
        "not-found",
    )


async def _check(application: Application, gateway: Gateway, *, offline: bool) -> list[Finding]:
    """All that can be said of one gateway; what fails unforeseen is a finding too."""
    try:
        findings = await _parts(application, gateway, offline=offline)
    except LatchpinError as exc:
        findings = [finding_of(exc, "it could not be checked")]
    except Exception as exc:  # noqa: BLE001  one gateway must not take the others' findings along
        findings = [Finding(Severity.FAILURE, "it could not be checked", f"{type(exc).__name__} was raised.")]
    name = gateway.name[:64]
    return [replace(each, title=f"{name}: {each.title}", gateway_id=gateway.id) for each in findings]


async def _parts(application: Application, gateway: Gateway, *, offline: bool) -> list[Finding]:
    if gateway.oauth is None:
        return [Finding(Severity.OK, "it uses no OAuth")]
    found, discovered = (None, _not_asked()) if offline else await _discover(application, gateway)
    return [
        *_check_redirect(application, gateway),
        discovered,
        *([] if found is None else _check_pkce(gateway, found)),
        *await check_client(application, gateway, found),
        *await check_tokens(application, gateway),
    ]


def _not_asked() -> Finding:
    return Finding(Severity.SKIPPED, "its servers were not asked", "Doctor was told to stay offline.")


async def _discover(application: Application, gateway: Gateway) -> tuple[FoundServer | None, Finding]:
    """Search anew: what the gateway remembers may be over."""
    try:
        found = await application.servers.explore(gateway, tell_nobody)
    except LatchpinError as exc:
        title = exc.public.rstrip(".")
        command = f"latchpin gateways show {gateway.id}"
        return None, finding_of(exc, f"{title[0].lower()}{title[1:]}", command=command)
    issuer = found.metadata.issuer or found.metadata.token_endpoint
    return found, Finding(Severity.OK, f"people authorize at {issuer}", f"Known from {found.metadata.source}.")


def _check_pkce(gateway: Gateway, found: FoundServer) -> list[Finding]:
    """Discovery refuses a server without; what remains is one for which an administrator vouches."""
    assert gateway.oauth is not None  # noqa: S101  callers have looked
    if found.metadata.code_challenge_methods_supported is not None:
        return [Finding(Severity.OK, "its server offers PKCE with S256")]
    if not gateway.oauth.assume_pkce:
        return []
    return [
        Finding(
            Severity.WARNING,
            "nothing but its entry says that its server does PKCE",
            "assume_pkce is set: a server that ignores PKCE lets a stolen code be used.",
            "Take assume_pkce away once the server lists code_challenge_methods_supported.",
            f"latchpin gateways show {gateway.id}",
        )
    ]


def _check_redirect(application: Application, gateway: Gateway) -> list[Finding]:
    """Whether its own redirect URI still leads here: BASE_URL may have changed since it was entered."""
    assert gateway.oauth is not None  # noqa: S101  callers have looked
    own, shared = gateway.oauth.redirect_uri, application.services.settings.redirect_uri
    if own in {None, shared, f"{shared}/{gateway.id}"}:
        return []
    return [
        Finding(
            Severity.FAILURE,
            "its redirect URI does not lead to this gateway",
            f"Its entry says {own}; BASE_URL makes it {shared}.",
            f"Set oauth_config.redirect_uri to {shared} or {shared}/{gateway.id}, and register that at the provider; "
            "or correct BASE_URL.",
            f"latchpin gateways show {gateway.id}",
            REDIRECT_MISMATCH.slug,
        )
    ]
