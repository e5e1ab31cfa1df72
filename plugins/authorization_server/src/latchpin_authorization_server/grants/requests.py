"""Authorization requests: read from the query (pure), and kept while the person answers (RFC 6749 section 4.1.1)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import Literal

from latchpin.contracts import Clock, Collection
from latchpin.errors import TooManyPending
from latchpin.model import CollectionSpec, Document, Span
from latchpin.sdk.stores import scan_all

from latchpin_authorization_server.clients.client import Client
from latchpin_authorization_server.errors import AuthorizationRefused

__all__ = ["REQUESTS", "AuthorizationRequest", "PendingRequest", "PendingRequests", "only_values", "parse_request"]

REQUESTS = CollectionSpec("authorization_requests", ("person",), disposable=True)
LIFETIME = timedelta(minutes=20)
"""How long a person may take: as long as sign-in and consent at the upstream server last."""

MOST_OF_ONE_PERSON = 100
"""Requests that one person may leave unanswered; each lies in the store until it expires."""

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_LONGEST_STATE = 4096


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What a client asks for; it holds.

    Attributes:
        redirect_uri: where the answer goes; ``""`` where a device waits for it.
        state: the client's own, to be given back; None if it sent none.
        code_challenge: the S256 challenge (RFC 7636); ``""`` where a device waits.
        resource: the URL of the MCP endpoint that the token is for (RFC 8707).
        asks_again: the client wants the person to be asked, whatever was allowed before.
    """

    client: Client
    redirect_uri: str
    state: str | None = field(repr=False)
    code_challenge: str = field(repr=False)
    resource: str
    asks_again: bool = False


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """A request that a person is about to answer.

    Attributes:
        id: names it in our own pages; worth nothing without the person and the browser.
        email: who is signed in.
        browser: SHA-256 of the browser's cookie.
        step: what comes next: the person's consent, or their connections to the servers behind the resource.
        tried: the gateways that the person was led to.
        skipped: the gateways that the person wants to do without.
        device: the id of the device that waits for the answer; ``""`` where it goes back by the browser.
        revision: of the document, for compare and swap.
    """

    id: str
    client_id: str
    client_name: str
    redirect_uri: str
    state: str | None = field(repr=False)
    code_challenge: str = field(repr=False)
    resource: str
    email: str
    browser: str = field(repr=False)
    step: Literal["consent", "connect"] = "consent"
    tried: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    device: str = ""
    revision: int = 0


def only_values(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Parameters by name, those without a value left out (RFC 6749 section 3.1).

    Raises:
        ValueError: one came more than once.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a parameter came more than once")
    return {name: value for name, value in found.items() if value}


def parse_request(query: dict[str, str], client: Client, redirect_uri: str) -> AuthorizationRequest:
    """Read what is left to read once client and redirect URI hold.

    Raises:
        AuthorizationRefused: something does not hold; the client is told.
    """
    state = query.get("state")

    def refused(error: str, description: str) -> AuthorizationRefused:
        return AuthorizationRefused(error, description, redirect_uri=redirect_uri, state=state)

    if state is not None and len(state) > _LONGEST_STATE:
        state = None
        raise refused("invalid_request", f"state has more than {_LONGEST_STATE} characters")
    if query.get("response_type") != "code":
        raise refused("unsupported_response_type", "response_type is code")
    if query.get("response_mode", "query") != "query":
        raise refused("invalid_request", "response_mode is query")
    if "authorization_code" not in client.grant_types:
        raise refused("unauthorized_client", "this client did not register for authorization_code")
    challenge = query.get("code_challenge", "")
    if query.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise refused("invalid_request", "code_challenge with code_challenge_method S256 is required")
    if "resource" not in query:
        raise refused("invalid_target", "resource is required: the URL of the MCP endpoint")
    prompt = query.get("prompt", "").split()
    if "none" in prompt:
        raise refused("interaction_required", "a person has to be asked")
    return AuthorizationRequest(client, redirect_uri, state, challenge, query["resource"], "consent" in prompt)


class PendingRequests:
    """Keeps requests while their people answer."""

    def __init__(self, documents: Collection, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock

    async def add(
        self,
        request: AuthorizationRequest,
        *,
        email: str,
        browser: str,
        step: Literal["consent", "connect"],
        device: str = "",
    ) -> PendingRequest:
        """Keep a new one.

        Raises:
            TooManyPending: the person left too many unanswered.
        """
        if await self._documents.count("person", Span.only(email)) >= MOST_OF_ONE_PERSON:
            raise TooManyPending(f"you left {MOST_OF_ONE_PERSON} requests of applications unanswered")
        pending = PendingRequest(
            id=secrets.token_urlsafe(16),
            client_id=request.client.id,
            client_name=request.client.name,
            redirect_uri=request.redirect_uri,
            state=request.state,
            code_challenge=request.code_challenge,
            resource=request.resource,
            email=email,
            browser=browser,
            step=step,
            device=device,
        )
        return await self.put(pending)

    async def put(self, pending: PendingRequest) -> PendingRequest:
        """Create or change; raises RecordConflict if another revision is stored."""
        body = asdict(pending)
        del body["id"], body["revision"]
        index = {"person": pending.email}
        written = await self._documents.put(
            Document(pending.id, body, index, pending.revision, self._clock() + LIFETIME)
        )
        return replace(pending, revision=written.revision)

    async def get(self, request_id: str) -> PendingRequest | None:
        """Look. None if there is none."""
        return _parse(await self._documents.get(request_id))

    async def take(self, request_id: str) -> PendingRequest | None:
        """Remove it: of several who answer at once, one goes on."""
        return _parse(await self._documents.take(request_id))

    async def forget(self, email: str | None = None) -> None:
        """Remove all that one person, or without ``email`` anybody, has begun and not come to the end of."""
        within = Span() if email is None else Span.only(email)
        async for held in scan_all(self._documents, "person", within):
            await self._documents.delete(held.id)


def _parse(held: Document | None) -> PendingRequest | None:
    if held is None:
        return None
    body = dict(held.body)
    body |= {name: tuple(body[name]) for name in ("tried", "skipped")}
    return PendingRequest(id=held.id, revision=held.revision, **body)
