"""Asks an authorization server about our client without anybody's authorization: nothing is issued or used up."""

from __future__ import annotations

import secrets
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from latchpin.contracts import Finding, Severity
from latchpin.errors import ConfigurationError, RedirectMismatch, TokenRefused, UpstreamError
from latchpin.model import ClientCredentials, Reply
from latchpin.sdk.gateway import Application, FoundServer
from latchpin.sdk.oauth import (
    CallbackParameters,
    build_authorization_url,
    build_refusal,
    explain_code,
    plain_code,
)

__all__ = ["CLIENT_UNKNOWN", "ask_authorization_endpoint", "ask_token_endpoint"]

CLIENT_UNKNOWN = "token-invalid-client"
"""The cause that users meet whose client its server does not take."""


async def ask_token_endpoint(application: Application, found: FoundServer, client: ClientCredentials) -> Finding:
    """Whether the server knows the client and takes its proof.

    It is asked to redeem a refresh token that does not exist. A server proves the client first (RFC 6749 section
    5.2), so ``invalid_client`` means what it says, and every other refusal that the client is known.
    """
    nonsense = f"latchpin-doctor-{secrets.token_urlsafe(16)}"
    try:
        await application.token_endpoint.refresh(found.metadata, client, nonsense, resource=None)
    except TokenRefused as exc:
        if exc.error == "invalid_client":
            finding = Finding.of(exc, "its server does not accept the client")
            return replace(finding, cause=CLIENT_UNKNOWN)
    except (UpstreamError, ConfigurationError) as exc:
        return Finding.of(exc, "the token endpoint cannot be asked")
    return Finding(Severity.OK, "its server knows the client")


async def ask_authorization_endpoint(
    application: Application, found: FoundServer, client: ClientCredentials
) -> list[Finding]:
    """Whether the server would show a sign-in for our request: it refuses unknown clients and redirect URIs here.

    Nothing is said where that cannot be told: a page for robots, a server that wants a browser.
    """
    services = application.services
    if found.metadata.authorization_endpoint is None or found.config.grant_type != "authorization_code":
        return []
    redirect_uri = found.config.redirect_uri or services.settings.redirect_uri
    request = found.build_request(
        client_id=client.client_id,
        redirect_uri=redirect_uri,
        state=f"latchpin-doctor-{secrets.token_urlsafe(16)}",
        code_challenge=services.pkce.challenge(secrets.token_urlsafe(48)),
        code_challenge_method=services.pkce.name,
        scopes=found.scopes,
    )
    try:
        reply = await services.upstream.get(build_authorization_url(request), headers={"accept": "text/html"})
    except UpstreamError as exc:
        return [Finding.of(exc, "the authorization endpoint cannot be asked")]
    return _judge(reply, redirect_uri)


def _judge(reply: Reply, redirect_uri: str) -> list[Finding]:
    error = _error_in(reply.headers.get("location", ""), redirect_uri)
    if error is not None:
        code, _ = explain_code(error)
        cause = build_refusal(CallbackParameters(state="", error=code)).cause
        title = f"its server answers an authorization with '{code}'"
        return [Finding(Severity.FAILURE, title, cause.meaning, cause.remedy, cause=cause.slug)]
    refused = HTTPStatus.BAD_REQUEST <= reply.status < HTTPStatus.INTERNAL_SERVER_ERROR
    if not refused or reply.status == HTTPStatus.TOO_MANY_REQUESTS:
        return []
    return [
        Finding(
            Severity.WARNING,
            "its server shows an error instead of a sign-in",
            f"HTTP {reply.status} for the authorization request; most often the redirect URI or the client is not "
            "registered there.",
            f"Register {redirect_uri} as the redirect URI of this client at the provider, character by character.",
            cause=RedirectMismatch.code,
        )
    ]


def _error_in(location: str, redirect_uri: str) -> str | None:
    """The error that the server sends to our redirect URI, if it does."""
    parts = urlsplit(location)
    if f"{parts.scheme}://{parts.netloc}{parts.path}" != redirect_uri:
        return None
    errors = parse_qs(parts.query).get("error", [])
    return plain_code(errors[0]) if errors else None
