"""Speaking to the MCP server with the caller's own token, and judging what its answer's head says about that token."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

from latchpin.errors import AuthorizationRequired, UpstreamUnreadable
from latchpin.model import COMPANY, Caller, Gateway
from latchpin.sdk.gateway import Access, Application, UsableToken, needs_browser, wants_key
from latchpin.sdk.oauth import Challenge, parse_challenge
from latchpin.sdk.outbound import (
    MOST_REDIRECTS,
    Answer,
    ByteBudget,
    Failure,
    GuardedSession,
    Outgoing,
    explain_failure,
    explain_redirect,
    follow_redirect,
    host_of,
    is_redirect,
    tell_redirect,
)

from latchpin_proxy.errors import (
    GatewayChanged,
    NonceNeeded,
    ScopesNotAllowed,
    ServerMoved,
    ServerRefused,
    StepUpRequired,
    TokenReplaced,
)
from latchpin_proxy.inbound import Inbound
from latchpin_proxy.redirects import Redirects

__all__ = ["McpRequest", "Relay"]

_UNAUTHORIZED, _FORBIDDEN = 401, 403
_ABOUT_THE_WAY = frozenset({407, 421, 426, 511})
"""A proxy wants a password, another connection or protocol is needed, a network wants a sign-in: nothing that the
caller could do, whose way ends here (RFC 9110 section 15.5, RFC 6585 section 6)."""
_ANY_SIZE = ByteBudget(sys.maxsize)
INSUFFICIENT_SCOPE = "insufficient_scope"


@dataclass(frozen=True, slots=True)
class McpRequest:
    """One request for an MCP server.

    Attributes:
        access: the gateway, and the token that serves the caller there as it is.
        headers: as the server gets them, but for the authorization.
        body: the whole body, None if it is too large to be held: then ``inbound`` gives it, once.
    """

    access: Access
    caller: Caller
    method: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None
    inbound: Inbound

    @property
    def gateway(self) -> Gateway:
        """The gateway."""
        return self.access.gateway


class Relay:
    """Sends requests on.

    Args:
        application: tokens, gateways and what else the gateway knows.
        session: the guarded way out.
    """

    def __init__(self, application: Application, session: GuardedSession) -> None:
        self._application = application
        self._session = session
        self._step_up = application.step_up
        self._redirects = Redirects()

    async def open(self, request: McpRequest) -> Answer:
        """Send ``request`` with the caller's token and give the answer, whose head passes; the caller closes it.

        A token that the server refuses is renewed, and the request repeated once.

        Raises:
            AuthorizationRequired: the caller has no token that the server takes, or none with enough scopes.
            UpstreamError: the server cannot be reached, or refuses for another reason.
        """
        token = await self._token(request)
        answer = await self._send_within_origin(request, token)
        if answer.status == _UNAUTHORIZED and token is not None:
            answer.close()
            token, answer = await self._send_again(request, token)
        try:
            await self._judge(request, token, answer)
        except BaseException:
            answer.close()
            raise
        return answer

    async def _token(self, request: McpRequest) -> UsableToken | None:
        if request.access.token is not None or request.gateway.auth_type == "none":
            return request.access.token
        return await self._application.tokens.token_for(request.gateway, request.caller)

    async def _send_again(self, request: McpRequest, refused: UsableToken) -> tuple[UsableToken, Answer]:
        """Send with a newer token, to the gateway as it is now.

        Raises:
            NotFound: it is gone, or not for this caller any more.
            GatewayChanged: it leads elsewhere.
        """
        current = (await self._application.access.read(request.gateway.id, request.caller)).gateway
        if current.url != request.gateway.url:
            raise GatewayChanged(f"the gateway does not lead to {host_of(request.gateway.url)} as it did")
        try:
            renewed = await self._application.tokens.renew(current, request.caller, refused.stored)
        except AuthorizationRequired:
            self._application.servers.forget(request.gateway.id)  # it may have moved: look anew when they authorize
            raise
        if request.body is None:
            raise TokenReplaced(f"{host_of(request.gateway.url)} refused the earlier one, and the body is not kept")
        return renewed, await self._send_within_origin(request, renewed)

    async def _send_within_origin(self, request: McpRequest, token: UsableToken | None) -> Answer:
        """Send, and on as redirects within the origin say; no other one passes, lest it lead clients around us."""
        url = self._redirects.begin(request.gateway) if request.body is None else request.gateway.url
        for _ in range(MOST_REDIRECTS):
            answer = await self._send_proven(request, token, url)
            if not is_redirect(answer.status):
                self._redirects.learn(request.gateway, url)
                return answer
            target = follow_redirect(request.method, url, answer.status, answer.header("location"))
            answer.close()
            if target is None:
                break
            self._redirects.learn(request.gateway, target)
            if request.body is None:
                raise ServerMoved(f"{host_of(url)} answered {tell_redirect(url, answer.status, target)}")
            url = target
        raise explain_redirect(host_of(url), url, answer.status, answer.header("location"))

    async def _send_proven(self, request: McpRequest, token: UsableToken | None, url: str) -> Answer:
        """Send; once more if the server did nothing but ask for its nonce in the proof (RFC 9449 section 9)."""
        answer = await self._send(request, token, url)
        if not _wants_nonce(url, token, answer):
            return answer
        answer.close()
        if request.body is None:
            raise NonceNeeded(f"{host_of(request.gateway.url)} told its nonce, and the body is not kept")
        answer = await self._send(request, token, url)
        _wants_nonce(url, token, answer)
        return answer

    async def _send(self, request: McpRequest, token: UsableToken | None, url: str) -> Answer:
        headers = request.headers
        if token is not None:
            headers = (*headers, *await token.fields(request.method, url))
        inbound = request.inbound
        body = inbound.pieces() if request.body is None else request.body
        inbound.watch.moved()
        try:
            return await self._session.send(Outgoing(request.method, url, headers, body, None, _ANY_SIZE, raw=True))
        except Failure as exc:
            if inbound.failure is not None:
                raise inbound.failure from exc
            raise explain_failure(exc, url) from exc
        finally:
            inbound.watch.rest()

    # -- the answer's head ------------------------------------------------------------------------------------

    async def _judge(self, request: McpRequest, token: UsableToken | None, answer: Answer) -> None:
        """Raise for what must not pass: refusals of our token, and what is said about the way between us and it."""
        if answer.status in _ABOUT_THE_WAY:
            said = f"{host_of(request.gateway.url)} answered HTTP {answer.status}, which is about the way to it"
            raise UpstreamUnreadable(said, http_status=answer.status)
        if answer.status == _UNAUTHORIZED:
            self._refused(request, token)
        if answer.status == _FORBIDDEN:
            challenge = _challenge(answer)
            if challenge.error == INSUFFICIENT_SCOPE:
                await self._want_more(request, token, challenge.scopes)

    def _refused(self, request: McpRequest, token: UsableToken | None) -> None:
        gateway, host = request.gateway, host_of(request.gateway.url)
        if token is None:
            raise ServerRefused(
                f"{host} wants a token (HTTP 401), and this gateway's auth_type is none",
                remedy="An administrator sets the gateway's auth_type to oauth or api_key.",
            )
        self._application.servers.forget(gateway.id)
        if not needs_browser(gateway):
            raise ServerRefused(f"{host} refused a token that had just been issued (HTTP 401)")
        error = AuthorizationRequired(
            f"{host} refused your token, and another one that had just been issued",
            authorize_url=self._application.services.settings.authorize_url(gateway.id, token.stored.label),
            needs_reauth=True,
        )
        raise self._application.tokens.told(gateway, request.caller, error)

    async def _want_more(self, request: McpRequest, token: UsableToken | None, scopes: tuple[str, ...]) -> None:
        """Step-up (MCP authorization): note the scopes for the next authorization, and ask for it, three times."""
        host, shown = host_of(request.gateway.url), " ".join(scopes)[:200]
        detail = f"{host} wants the scopes {shown!a}" if shown else f"{host} wants more scopes, and does not say which"
        ceiling = await self._application.scope_ceiling(request.gateway, request.caller)
        if ceiling is not None and not ceiling.issuperset(scopes):
            raise ScopesNotAllowed(f"{detail}, and a rule allows {' '.join(sorted(ceiling))[:200]!a} at most")
        if token is None or not needs_browser(request.gateway):
            raise ServerRefused(detail, remedy="An administrator enters the scopes on the gateway.")
        if wants_key(request.gateway):
            raise ServerRefused(detail, remedy="Enter another key, which the server's operator gives more rights.")
        if token.stored.app_user_email == COMPANY and not request.caller.is_admin:
            remedy = "An administrator enters the scopes on the gateway and connects it again."
            raise ServerRefused(detail, remedy=remedy)
        if not await self._step_up.note(token.stored, scopes, operation=_operation(request)):
            raise ServerRefused(f"{detail}, and three authorizations did not give it what it wants")
        url = self._application.services.settings.authorize_url(request.gateway.id, token.stored.label)
        error = StepUpRequired(detail, authorize_url=url)
        error.scopes = scopes
        raise self._application.tokens.told(request.gateway, request.caller, error)


def _wants_nonce(url: str, token: UsableToken | None, answer: Answer) -> bool:
    return token is not None and token.proof is not None and token.proof.wants_nonce(url, answer)


def _challenge(answer: Answer) -> Challenge:
    return parse_challenge(answer.challenges) or Challenge()


def _operation(request: McpRequest) -> str:
    """What the caller was doing: the MCP method with the tool, prompt or resource; else the HTTP method."""
    named = dict(request.headers)
    if "mcp-method" in named:
        return f"{named['mcp-method']} {named.get('mcp-name', '')}"
    try:
        message = json.loads(request.body or b"")
        parameters = message.get("params") or {}
        return f"{message['method']} {parameters.get('name') or parameters.get('uri') or ''}"
    except (ValueError, KeyError, AttributeError, RecursionError):
        return request.method
