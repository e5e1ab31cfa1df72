"""The guarded session seen as a transport of ``httpx2``, the HTTP library of the mcp SDK.

Imported only where MCP servers are spoken to, since it brings that library along. One transport serves one
conversation: its deadline and its allowance cover every request of it, and it alone adds the access token or key,
to nothing but the MCP server's own origin.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2

from latchpin.model import Reply
from latchpin.oauth.pauses import choose_pause
from latchpin.outbound.credential import Credential
from latchpin.outbound.decoding import ByteBudget
from latchpin.outbound.failure import Failure, FailureKind
from latchpin.outbound.http import GuardedSession
from latchpin.outbound.mcp_answers import EVENTS, JSON, media_type, mend_events, mend_json, message_of
from latchpin.outbound.messages import Answer, Outgoing
from latchpin.outbound.redirects import is_redirect

__all__ = ["Conversation", "McpTransport", "Observed"]

_OK, _UNAUTHORIZED, _TIMEOUT = 200, 401, 408
PROBE, PROBE_SHARE = "server/discover", 0.3
"""The SDK's question for 2026-07-28, and what part of the time an answer to it may take: servers that came before do
not know it, and some leave it open."""
FAREWELL = 0.5
"""How long the end of a session may take, in seconds: by then everything is known, and nobody should wait."""
_EXCEPTIONS: dict[FailureKind, type[httpx2.TransportError]] = {  # "timeout" is one of two
    "address": httpx2.ConnectError,
    "url": httpx2.UnsupportedProtocol,
    "connect": httpx2.ConnectError,
    "tls": httpx2.ConnectError,
    "broken": httpx2.ReadError,
    "too-large": httpx2.RemoteProtocolError,
    "undecodable": httpx2.RemoteProtocolError,
}


@dataclass(slots=True)
class Observed:
    """What a conversation met, for whoever has to explain its failure: the SDK does not keep these facts.

    Attributes:
        status: the HTTP status of the last answer to a request that carries a message.
        challenge: the ``WWW-Authenticate`` of an answer 401 or 403.
        pause: for how many seconds that answer asked to be left alone.
        redirect: where that answer came from and its ``Location``, if it was a redirect.
        shown: what the header fields held that showed the credential.
    """

    status: int | None = None
    challenge: str = ""
    pause: int | None = None
    redirect: tuple[str, str | None] | None = None
    failure: Failure | None = None
    shown: set[str] = field(default_factory=set, repr=False)


@dataclass(slots=True)
class Conversation:
    """The terms of one conversation with an MCP server.

    Attributes:
        url: the server's endpoint; nothing goes to another origin.
        deadline: when everything must be over, in the event loop's time.
        budget: how much all answers together may hold.
        credential: shown with each request; None: the server wants none.
    """

    url: str
    deadline: float
    budget: ByteBudget
    credential: Credential | None = None
    observed: Observed = field(default_factory=Observed)


class McpTransport(httpx2.AsyncBaseTransport):
    """Carries the SDK's requests over the guarded session. It does not own the session."""

    def __init__(self, session: GuardedSession, conversation: Conversation) -> None:
        self._session = session
        self._conversation = conversation
        self._origin = _origin(httpx2.URL(conversation.url))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send ``request``.

        Raises:
            httpx2.TransportError: with a ``Failure`` as its cause.
        """
        message = message_of(await request.aread()) if request.method == "POST" else {}
        probes = message.get("method") == PROBE
        try:
            answer = await self._send(request, probes=probes)
            try:
                return await self._read(answer, request, message)
            except BaseException:
                answer.close()
                raise
        except Failure as exc:
            if probes and exc.kind == "timeout" and asyncio.get_running_loop().time() < self._conversation.deadline:
                return httpx2.Response(_TIMEOUT)  # a server that does not know the probe: the handshake of 2025 follows
            raise self._note(exc, request) from exc

    async def _send(self, request: httpx2.Request, *, probes: bool) -> Answer:
        talk, url = self._conversation, str(request.url)
        answer = await self._session.send(await self._build_outgoing(request, probes=probes))
        proof = None if talk.credential is None else talk.credential.proof
        if proof is not None and proof.wants_nonce(url, answer):  # RFC 9449 section 9
            answer.close()
            answer = await self._session.send(await self._build_outgoing(request, probes=probes))
        if request.method == "POST":
            self._observe(answer, url)
        return answer

    async def _read(self, answer: Answer, request: httpx2.Request, message: dict[str, Any]) -> httpx2.Response:
        """Pass the answer on; what answers a request is read as what it means."""
        pieces, headers = aiter(answer), answer.raw_headers()
        if "id" in message and answer.status == _OK:
            start = await anext(pieces, b"")
            kind = media_type(dict(answer.headers).get("content-type", ""), start)
            pieces = _chain(start, pieces)
            if kind == JSON:
                pieces = _chain(mend_json(b"".join([piece async for piece in pieces]), message["id"]), pieces)
            elif kind == EVENTS:
                pieces = mend_events(pieces)
            headers = [(name, value) for name, value in headers if name != b"content-type"]
            headers.append((b"content-type", kind.encode("latin-1")))
        return httpx2.Response(answer.status, headers=headers, stream=_Body(pieces, answer, request, self._note))

    def _observe(self, answer: Answer, url: str) -> None:
        observed, headers = self._conversation.observed, dict(answer.headers)
        observed.status = answer.status
        observed.redirect = (url, headers.get("location")) if is_redirect(answer.status) else None
        observed.pause = choose_pause(Reply(url, answer.status, headers, b""), page=None)
        if answer.status in {401, 403}:
            observed.challenge = answer.challenges

    async def _build_outgoing(self, request: httpx2.Request, *, probes: bool) -> Outgoing:
        if _origin(request.url) != self._origin:  # the SDK's client would go on from http to https
            raise Failure("undecodable", f"it sends to {request.url.host!a}, which is another origin", sent=True)
        talk, now = self._conversation, asyncio.get_running_loop().time()
        own = {"authorization", *(() if talk.credential is None else talk.credential.headers)}
        headers = [pair for pair in request.headers.multi_items() if pair[0].lower() not in own]
        if talk.credential is not None:
            shown = await talk.credential.fields(request.method, str(request.url))
            talk.observed.shown.update(value for _, value in shown)
            headers += shown
        return Outgoing(
            method=request.method,
            url=str(request.url),
            headers=tuple(headers),
            body=await request.aread(),
            deadline=self._deadline(request.method, now, probes=probes),
            budget=talk.budget,
        )

    def _deadline(self, method: str, now: float, *, probes: bool) -> float:
        whole = self._conversation.deadline
        if probes:
            return now + (whole - now) * PROBE_SHARE
        return min(whole, now + FAREWELL) if method == "DELETE" else whole

    def _note(self, failure: Failure, request: httpx2.Request) -> httpx2.TransportError:
        if request.method == "POST":
            self._conversation.observed.failure = failure
        kind = _EXCEPTIONS.get(failure.kind, httpx2.ReadTimeout if failure.sent else httpx2.ConnectTimeout)
        return kind(failure.reason, request=request)


async def _chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


class _Body(httpx2.AsyncByteStream):
    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        answer: Answer,
        request: httpx2.Request,
        note: Callable[[Failure, httpx2.Request], httpx2.TransportError],
    ) -> None:
        self._pieces = pieces
        self._answer = answer
        self._request = request
        self._note = note

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._pieces:
                yield piece
        except Failure as exc:
            raise self._note(exc, self._request) from exc

    async def aclose(self) -> None:
        self._answer.close()


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
