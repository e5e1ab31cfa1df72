"""How ``/openapi.json`` describes the endpoints that clients call themselves: the RFCs' forms, answers and failures."""

from __future__ import annotations

from typing import Any

from fastapi import Response
from latchpin.sdk.web import Document, problems
from pydantic import Field

__all__ = [
    "CLIENT",
    "KEYS",
    "METADATA",
    "REGISTER",
    "REVOKE",
    "TOKEN",
    "UNREGISTER",
    "begins_device",
    "registration",
]

_TAG = "tokens"


class OAuthFailure(Document):
    """Why a program gets nothing (RFC 6749 section 5.2)."""

    error: str = Field(description="The registered code, such as invalid_grant.")
    error_description: str = Field(description="One sentence for developers.")


class TokenGiven(Document):
    """An access token (RFC 6749 section 5.1)."""

    access_token: str = Field(description="A JWT for one MCP endpoint (RFC 9068).")
    token_type: str
    expires_in: int = Field(description="In seconds.")
    scope: str
    refresh_token: str = Field("", description="Good once; left out where nothing renews the token.")
    issued_token_type: str = Field("", description="Of a token exchange alone (RFC 8693).")


class ServerMetadata(Document):
    """What the authorization server says of itself (RFC 8414)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    revocation_endpoint: str
    registration_endpoint: str = Field("", description="Left out where no client registers itself.")
    device_authorization_endpoint: str
    jwks_uri: str
    response_types_supported: list[str]
    response_modes_supported: list[str]
    grant_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    token_endpoint_auth_signing_alg_values_supported: list[str]
    revocation_endpoint_auth_methods_supported: list[str]
    code_challenge_methods_supported: list[str]
    scopes_supported: list[str]
    authorization_response_iss_parameter_supported: bool
    client_id_metadata_document_supported: bool
    authorization_grant_profiles_supported: list[str] = Field([], description="Left out where none is taken.")


class KeySet(Document):
    """The keys that prove access tokens (RFC 7517)."""

    keys: list[dict[str, str]]


class ClientRegistered(Document):
    """A client as it registered itself (RFC 7591, RFC 7592)."""

    client_id: str
    client_id_issued_at: int
    client_name: str
    redirect_uris: list[str]
    grant_types: list[str]
    response_types: list[str]
    token_endpoint_auth_method: str
    registration_client_uri: str
    registration_access_token: str
    client_secret: str = Field("", description="Shown when it is given, and never again.")
    client_secret_expires_at: int = Field(0, description="0: never.")


class DeviceBegun(Document):
    """What a device shows its person, and asks with (RFC 8628)."""

    device_code: str
    user_code: str
    verification_uri: str
    expires_in: int = Field(description="In seconds.")
    interval: int = Field(description="Seconds between two questions.")


def _failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """An OAuth error for a program, beside the problem documents that any request may get."""
    found = problems(*statuses)
    return {status: {**described, "model": OAuthFailure} for status, described in found.items()}


def _takes(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema}}}}


def _form(*required: str, **optional: str) -> dict[str, Any]:
    """A form: ``required`` and other members, each a text with a description."""
    members = {name: {"type": "string"} for name in required}
    members |= {name: {"type": "string", "description": text} for name, text in optional.items()}
    schema = {"type": "object", "properties": members, "required": list(required)}
    return _takes("application/x-www-form-urlencoded", schema)


_PROOF = {
    "client_id": "Who asks, unless Authorization says so (Basic).",
    "client_secret": "What proves it, for client_secret_post.",
    "client_assertion": "What proves it, for private_key_jwt (RFC 7523).",
    "client_assertion_type": "The kind of that.",
}
METADATA: dict[str, Any] = {
    "tags": ["metadata"],
    "summary": "Read the authorization server's metadata",
    "responses": {200: {"model": ServerMetadata}, **problems(404)},
    "response_model": None,
}
KEYS: dict[str, Any] = {
    "tags": ["metadata"],
    "summary": "Read the keys that prove access tokens",
    "responses": {200: {"model": KeySet}},
    "response_model": None,
}
TOKEN: dict[str, Any] = {
    "tags": [_TAG],
    "summary": "Get an access token",
    "responses": {200: {"model": TokenGiven}, **_failures(400, 401, 429, 503)},
    "response_model": None,
    "openapi_extra": _form(
        "grant_type",
        **_PROOF,
        resource="The MCP endpoint that the token is for (RFC 8707).",
        code="For authorization_code.",
        code_verifier="For authorization_code (RFC 7636).",
        redirect_uri="For authorization_code.",
        refresh_token="For refresh_token.",  # noqa: S106  a description
        device_code="For device_code (RFC 8628).",
        assertion="For jwt-bearer: an ID-JAG.",
        subject_token="For token-exchange (RFC 8693).",  # noqa: S106
        subject_token_type="For token-exchange.",  # noqa: S106
        scope="The one scope is mcp.",
    ),
}
REVOKE: dict[str, Any] = {
    "tags": [_TAG],
    "summary": "End what a token stands for",
    "responses": {200: {"description": "It has ended, if it was the client's."}, **_failures(400, 401, 503)},
    "response_model": None,
    "response_class": Response,
    "openapi_extra": _form("token", **_PROOF, token_type_hint="Not looked at."),  # noqa: S106
}
_METADATA_OF_CLIENT = _takes(
    "application/json",
    {
        "type": "object",
        "properties": {
            "redirect_uris": {"type": "array", "items": {"type": "string"}},
            "client_name": {"type": "string"},
            "grant_types": {"type": "array", "items": {"type": "string"}},
            "token_endpoint_auth_method": {"type": "string"},
        },
    },
)
REGISTER: dict[str, Any] = {
    "tags": [_TAG],
    "summary": "Register an MCP client",
    "status_code": 201,
    "responses": {201: {"model": ClientRegistered}, **problems(404), **_failures(400, 413, 429, 503)},
    "response_model": None,
    "openapi_extra": _METADATA_OF_CLIENT,
}
CLIENT: dict[str, Any] = {
    "tags": [_TAG],
    "responses": {200: {"model": ClientRegistered}, **_failures(400, 401, 413, 503)},
    "response_model": None,
}
UNREGISTER: dict[str, Any] = {
    "tags": [_TAG],
    "summary": "Let a client be forgotten",
    "status_code": 204,
    "responses": _failures(401, 503),
    "response_model": None,
}


def registration(summary: str, *, changes: bool = False) -> dict[str, Any]:
    """A request about a registration, with its own token."""
    return {**CLIENT, "summary": summary, **({"openapi_extra": _METADATA_OF_CLIENT} if changes else {})}


def begins_device() -> dict[str, Any]:
    """The device flow's beginning."""
    return {
        "tags": [_TAG],
        "summary": "Begin with a device",
        "responses": {200: {"model": DeviceBegun}, **_failures(400, 401, 429, 503)},
        "response_model": None,
        "openapi_extra": _form("resource", **_PROOF, scope="The one scope is mcp."),
    }
