"""Checking an authorization request: who may be told what about a bad one."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from latchpin_demo.state import SCOPES, Client, ReceivedRequest, Refusal

__all__ = ["TellableRefusal", "parse_authorization_request"]

_CHALLENGE_LENGTH = 43  # base64url of a SHA-256


class TellableRefusal(Exception):
    """A refusal that goes to the client, as its redirect URI is known to be its own (RFC 6749 section 4.1.2.1)."""

    def __init__(self, refusal: Refusal, redirect_uri: str, state: str | None) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal
        self.redirect_uri = redirect_uri
        self.state = state


def parse_authorization_request(
    query: Mapping[str, str], clients: Mapping[str, Client], resources: Collection[str]
) -> ReceivedRequest:
    """Check the parameters of an authorization request (RFC 6749 section 4.1.1, RFC 7636, RFC 8707).

    Args:
        query: the parameters, each once.
        clients: the registered ones, by id.
        resources: the known resource indicators; empty means any.

    Raises:
        Refusal: client or redirect URI are wrong; only the person at the browser may be told.
        TellableRefusal: anything else is wrong.
    """
    client = clients.get(query.get("client_id", ""))
    if client is None:
        raise Refusal("invalid_client", "No such client is registered here.")
    redirect_uri = query.get("redirect_uri", "")
    if redirect_uri not in client.redirect_uris:
        raise Refusal("invalid_request", "redirect_uri is not one that the client registered.")
    try:
        return _parse_wishes(query, client, redirect_uri, resources)
    except Refusal as refusal:
        raise TellableRefusal(refusal, redirect_uri, query.get("state")) from refusal


def _parse_wishes(
    query: Mapping[str, str], client: Client, redirect_uri: str, resources: Collection[str]
) -> ReceivedRequest:
    if query.get("response_type") != "code":
        raise Refusal("unsupported_response_type", "response_type is code.")
    challenge = query.get("code_challenge", "")
    if query.get("code_challenge_method") != "S256" or len(challenge) != _CHALLENGE_LENGTH:
        raise Refusal("invalid_request", "A code_challenge with code_challenge_method S256 is required.")
    scopes = tuple(query.get("scope", "").split()) or tuple(SCOPES)
    if not set(scopes) <= set(SCOPES):
        raise Refusal("invalid_scope", f"The scopes are {', '.join(SCOPES)}.")
    resource = query.get("resource")
    if resource is not None and resources and resource not in resources:
        raise Refusal("invalid_target", "No such resource is known here.")
    return ReceivedRequest(client, redirect_uri, query.get("state"), scopes, resource, challenge)
