"""Handing in an identity provider's word for who the caller is, for gateways that get their tokens by it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from latchpin.errors import InvalidRequest, NotFound
from latchpin.model import JWT_BEARER, Caller, IdentityAssertion, IdentityProvider
from latchpin.sdk.gateway import Application, parse_body
from latchpin.sdk.settings import load
from latchpin.sdk.web import (
    CurrentApplication,
    Document,
    GatewayId,
    SignedInCaller,
    WritingCaller,
    problems,
    read_json,
    takes_json,
)
from pydantic import BaseModel, Field, SecretStr

from latchpin_enterprise.entry import is_workloads
from latchpin_enterprise.id_tokens import check_about, parse_identity_assertion
from latchpin_enterprise.identity_providers import provider_of
from latchpin_enterprise.settings import EnterpriseSettings

__all__ = ["router"]


class AssertionBody(BaseModel):
    """What an identity provider issued."""

    id_token: SecretStr


class HeldAssertion(Document):
    """Which identity provider vouches, and until when what the caller handed in holds; null if there is nothing."""

    identity_provider: str
    client_id: str
    expires_at: Annotated[str, Field(json_schema_extra={"format": "date-time"})] | None


class AssertionForgotten(Document):
    """It is done."""

    success: Literal[True]
    message: str


router = APIRouter(prefix="/oauth/identity-assertion", tags=["connections"])


@router.put(
    "/{gateway_id}",
    summary="Hand in the caller's ID token",
    response_model=HeldAssertion,
    responses=problems(404),
    openapi_extra=takes_json(AssertionBody),
)
async def put_assertion(
    request: Request, caller: WritingCaller, application: CurrentApplication, gateway_id: GatewayId
) -> dict[str, Any]:
    """Keep the caller's own ID token, sealed, until it expires: the gateway gets tokens with it."""
    services, provider = application.services, await _provider(application, gateway_id, caller)
    body = parse_body(AssertionBody, await read_json(request), example='{"id_token": "..."}')
    token = body.id_token.get_secret_value().strip()
    assertion = parse_identity_assertion(
        token, issuer=provider.issuer, client_id=provider.client_id, now=services.clock()
    )
    check_about(token, caller.email, claim=services.settings.jwt_email_claim)
    await application.assertions.put(caller.email, provider, assertion)
    return _describe(assertion, provider)


@router.get(
    "/{gateway_id}",
    summary="Ask until when the caller's ID token holds",
    response_model=HeldAssertion,
    responses=problems(404),
)
async def get_assertion(
    caller: SignedInCaller, application: CurrentApplication, gateway_id: GatewayId
) -> dict[str, Any]:
    """Which identity provider vouches for the gateway's users, and until when it has vouched for the caller."""
    provider = await _provider(application, gateway_id, caller)
    now = application.services.clock()
    return _describe(await application.assertions.get(caller.email, provider, now=now), provider)


@router.delete(
    "/{gateway_id}", summary="Forget the caller's ID token", response_model=AssertionForgotten, responses=problems(404)
)
async def delete_assertion(
    caller: WritingCaller, application: CurrentApplication, gateway_id: GatewayId
) -> dict[str, Any]:
    """Forget the caller's ID token. Tokens that came by it stay until they expire or are disconnected."""
    provider = await _provider(application, gateway_id, caller)
    if not await application.assertions.take(caller.email, provider):
        raise NotFound("no ID token of yours is kept")
    return {"success": True, "message": f"Forgot what {provider.issuer} said of {caller.email}"}


async def _provider(application: Application, gateway_id: str, caller: Caller) -> IdentityProvider:
    gateway = await application.gateways.get(gateway_id, caller)
    config = gateway.oauth
    if config is None or config.grant_type != JWT_BEARER or is_workloads(config):
        raise InvalidRequest(
            f"gateway '{gateway.name}' needs no identity provider's word", remedy="There is nothing to hand in."
        )
    return provider_of(gateway, load(EnterpriseSettings), application.services.cipher)


def _describe(assertion: IdentityAssertion | None, provider: IdentityProvider) -> dict[str, Any]:
    return {
        "identity_provider": provider.issuer,
        "client_id": provider.client_id,
        "expires_at": assertion.expires_at.isoformat() if assertion is not None else None,
    }
