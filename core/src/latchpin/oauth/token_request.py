"""Requests to token and revocation endpoints, built (RFC 6749 sections 4 to 6, RFC 7009), without I/O."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, urlencode

from latchpin.contracts import TokenRequestParts

__all__ = [
    "TokenRequest",
    "build_code_request",
    "build_grant_request",
    "build_refresh_request",
    "build_revocation_request",
    "build_token_request",
]


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """One POST to a token or revocation endpoint. Headers and body hold secrets: never log them."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def as_json(self) -> TokenRequest:
        """The same fields as a JSON object, for the providers that read nothing else."""
        fields = dict(parse_qsl(self.body.decode(), keep_blank_values=True))
        headers = {**self.headers, "content-type": "application/json"}
        return TokenRequest(self.url, headers, json.dumps(fields).encode())


def build_code_request(
    *,
    token_url: str,
    client_id: str,
    authentication: TokenRequestParts,
    code: str,
    code_verifier: str,
    redirect_uri: str,
    resource: str | None,
) -> TokenRequest:
    """The exchange of an authorization code (RFC 6749 section 4.1.3, RFC 7636, RFC 8707)."""
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": code_verifier,
        "resource": resource,
    }
    return build_token_request(token_url, client_id, authentication, fields)


def build_refresh_request(
    *,
    token_url: str,
    client_id: str,
    authentication: TokenRequestParts,
    refresh_token: str,
    resource: str | None,
) -> TokenRequest:
    """A refresh (RFC 6749 section 6). It names no scope, so the server keeps what was granted."""
    fields = {"grant_type": "refresh_token", "refresh_token": refresh_token, "resource": resource}
    return build_token_request(token_url, client_id, authentication, fields)


def build_grant_request(
    *,
    token_url: str,
    client_id: str,
    authentication: TokenRequestParts,
    fields: Mapping[str, str],
    scopes: Collection[str] = (),
    scope_separator: str = " ",
    resource: str | None = None,
    audience: str | None = None,
) -> TokenRequest:
    """A token without a browser (RFC 6749 sections 4.4 and 4.5), by the grant's own ``fields``."""
    given = {
        **fields,
        "scope": scope_separator.join(scopes) or None,
        "resource": resource,
        "audience": audience,
    }
    return build_token_request(token_url, client_id, authentication, given)


def build_revocation_request(
    *,
    revocation_url: str,
    client_id: str,
    authentication: TokenRequestParts,
    token: str,
    token_type_hint: Literal["access_token", "refresh_token"],
) -> TokenRequest:
    """A revocation (RFC 7009 section 2.1). Any 2xx answer means done, also for a token unknown there."""
    fields = {"token": token, "token_type_hint": token_type_hint}
    return build_token_request(revocation_url, client_id, authentication, fields)


def build_token_request(
    url: str, client_id: str, authentication: TokenRequestParts, fields: Mapping[str, str | None]
) -> TokenRequest:
    """Any POST to a token endpoint: the fields that are not None, and what proves the client."""
    given = {name: value for name, value in fields.items() if value is not None}
    body = urlencode({**authentication.fields, "client_id": client_id, **given})
    headers = {
        **authentication.headers,
        "accept": "application/json",
        "content-type": "application/x-www-form-urlencoded",
    }
    return TokenRequest(url, headers, body.encode())
