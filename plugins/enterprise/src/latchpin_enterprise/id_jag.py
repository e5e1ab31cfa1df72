"""Identity Assertion Authorization Grants (ID-JAG): asked of an identity provider by token exchange (RFC 8693).

An ID-JAG is a JWT for one authorization server, about one person and one client. It is made anew each time, lives for
minutes, and is not kept here (MCP's enterprise-managed authorization, SEP-990).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from latchpin.errors import UpstreamUnreadable
from latchpin.model import IdentityAssertion, Reply
from latchpin.sdk.oauth import parse_token_document, plain_code, read_token

__all__ = ["ID_JAG", "TOKEN_EXCHANGE", "build_exchange_fields", "parse_exchange_reply"]

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105  a grant's name
ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"


def build_exchange_fields(
    subject: IdentityAssertion, *, audience: str, resource: str | None, scopes: Collection[str] = ()
) -> Mapping[str, str | None]:
    """Ask an identity provider for an ID-JAG (RFC 8693 section 2.1).

    Args:
        subject: the provider's own word for who the person is.
        audience: the issuer of the authorization server that is to take the grant.
        resource: the MCP server.
        scopes: what will be asked for there.
    """
    return {
        "grant_type": TOKEN_EXCHANGE,
        "requested_token_type": ID_JAG,
        "audience": audience,
        "resource": resource,
        "scope": " ".join(scopes) or None,
        "subject_token": subject.token,
        "subject_token_type": subject.token_type,
    }


def parse_exchange_reply(reply: Reply, *, hidden: Collection[str] = ()) -> str:
    """The ID-JAG in a token exchange's answer (RFC 8693 section 2.2). It is for the authorization server to judge.

    Its ``issued_token_type`` must say what was asked for: anything else might open more than one door.

    Raises:
        TokenRefused: the identity provider said no.
        UpstreamUnreadable: the answer asks us to wait, is a 5xx, is not what the protocol says, or holds another
            kind of token.
    """
    document = parse_token_document(reply, hidden=hidden)
    issued = document.get("issued_token_type")
    if issued != ID_JAG:
        said = f"'{plain_code(issued)}'" if issued is not None else "none"
        host = urlsplit(reply.url).hostname or "the identity provider"
        raise UpstreamUnreadable(f"{host} was asked for {ID_JAG}, and its answer's issued_token_type is {said}.")
    return read_token(reply, document)
