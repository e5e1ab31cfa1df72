"""Requests that show an assertion instead of a code, built, and the answer of a token exchange, parsed, without I/O.

RFC 8693 (token exchange) at an identity provider gives an Identity Assertion Authorization Grant (ID-JAG): a JWT for
one authorization server, about one person and one client. RFC 7523 section 2.1 (JWT bearer) redeems it there, or a
workload's own JWT.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from latchpin.contracts import TokenRequestParts
from latchpin.errors import UpstreamUnreadable
from latchpin.model import JWT_BEARER, IdentityAssertion, Reply
from latchpin.oauth.refusal import plain_code
from latchpin.oauth.token_reply import parse_token_document, read_token
from latchpin.oauth.token_request import TokenRequest, build_token_request

__all__ = ["ID_JAG", "TOKEN_EXCHANGE", "build_exchange_request", "build_jwt_bearer_request", "parse_exchange_reply"]

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105  a grant's name
ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"


def build_exchange_request(
    *,
    token_url: str,
    client_id: str,
    authentication: TokenRequestParts,
    subject: IdentityAssertion,
    audience: str,
    resource: str | None,
    scopes: Collection[str] = (),
) -> TokenRequest:
    """Ask an identity provider for an ID-JAG (RFC 8693 section 2.1).

    Args:
        token_url: the identity provider's.
        client_id: this gateway's at the identity provider.
        authentication: what proves that client.
        subject: the provider's own word for who the person is.
        audience: the issuer of the authorization server that is to take the grant.
        resource: the MCP server.
        scopes: what will be asked for there.
    """
    fields = {
        "grant_type": TOKEN_EXCHANGE,
        "requested_token_type": ID_JAG,
        "audience": audience,
        "resource": resource,
        "scope": " ".join(scopes) or None,
        "subject_token": subject.token,
        "subject_token_type": subject.token_type,
    }
    return build_token_request(token_url, client_id, authentication, fields)


def build_jwt_bearer_request(
    *,
    token_url: str,
    client_id: str,
    authentication: TokenRequestParts,
    assertion: str,
    scopes: Collection[str] = (),
    scope_separator: str = " ",
    resource: str | None = None,
    audience: str | None = None,
) -> TokenRequest:
    """Redeem an assertion (RFC 7523 section 2.1); ``resource`` as in every other token request (RFC 8707)."""
    fields = {
        "grant_type": JWT_BEARER,
        "assertion": assertion,
        "scope": scope_separator.join(scopes) or None,
        "resource": resource,
        "audience": audience,
    }
    return build_token_request(token_url, client_id, authentication, fields)


def parse_exchange_reply(reply: Reply, *, hidden: Collection[str] = ()) -> str:
    """The ID-JAG in a token exchange's answer (RFC 8693 section 2.2). It is for the authorization server to judge.

    Its ``issued_token_type`` must say what was asked for: anything else might open more than one door.

    Raises:
        TokenRefused: the identity provider said no.
        ProviderUnreadable: the answer asks us to wait, is a 5xx, is not what the protocol says, or holds another
            kind of token.
    """
    document = parse_token_document(reply, hidden=hidden)
    issued = document.get("issued_token_type")
    if issued != ID_JAG:
        said = f"'{plain_code(issued)}'" if issued is not None else "none"
        host = urlsplit(reply.url).hostname or "the identity provider"
        raise UpstreamUnreadable(f"{host} was asked for {ID_JAG}, and its answer's issued_token_type is {said}.")
    return read_token(reply, document)
