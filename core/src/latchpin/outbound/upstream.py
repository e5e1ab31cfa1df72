"""The guarded way to other servers: whole replies, retries where repeating does no harm, clear errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
from aiohttp.abc import AbstractResolver

from latchpin.activity.observers import Observers
from latchpin.errors import AddressRefused, UpstreamError, UpstreamTimeout, UpstreamUnreachable, UpstreamUnreadable
from latchpin.model import Reply
from latchpin.outbound.decoding import ByteBudget
from latchpin.outbound.egress import find_egress
from latchpin.outbound.failure import Failure
from latchpin.outbound.http import DEFAULT_SIZE, GuardedSession, open_session
from latchpin.outbound.messages import Answer, Outgoing
from latchpin.settings.core import CoreSettings

if TYPE_CHECKING:
    import httpx2

    from latchpin.outbound.mcp_transport import Conversation

__all__ = ["HttpUpstream", "explain_failure", "open_upstream"]

Sleep = Callable[[float], Awaitable[object]]

FIRST_PAUSE = 0.1
"""Before the first retry, in seconds; each further pause is twice as long, up to two seconds."""
_LONGEST_PAUSE = 2.0
_USER_AGENT = "latchpin"
_ALWAYS = {"user-agent": _USER_AGENT, "accept": "application/json"}
_SERVER_FAILED = 500


class HttpUpstream:
    """Implements ``contracts.Upstream`` and opens conversations with MCP servers. Made by ``open_upstream``.

    Attributes:
        timeout: OAUTH_REQUEST_TIMEOUT, the deadline of one call with all its retries, in seconds.
    """

    def __init__(self, session: GuardedSession, *, size: int, timeout: float, retries: int, sleep: Sleep) -> None:
        self._session = session
        self._size = size
        self.timeout = timeout
        self._retries = retries
        self._sleep = sleep

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Reply:
        """GET, tried again up to OAUTH_MAX_RETRIES times on unreachability and 5xx; the last answer counts.

        A server that says when to come again (``Retry-After``) is not asked again before.

        Raises:
            AddressRefused, UpstreamTimeout, UpstreamUnreachable, UpstreamUnreadable: as for ``send``.
        """
        return await self._try("GET", url, headers or {}, b"", repeatable=True, fresh=False)

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        repeatable: bool = False,
    ) -> Reply:
        """Send once on a fresh connection; again only if nothing had been sent, or if ``repeatable``.

        Raises:
            AddressRefused: the address is not one we connect to.
            UpstreamTimeout: no whole answer within the deadline.
            UpstreamUnreachable: no answer.
            UpstreamUnreadable: the answer is too large or cannot be decoded.
        """
        return await self._try(method, url, headers or {}, body, repeatable=repeatable, fresh=True)

    def open_mcp_client(self, conversation: Conversation) -> httpx2.AsyncClient:
        """Make the mcp SDK's HTTP client over the same session; whoever asked closes it."""
        import httpx2  # noqa: PLC0415  only where MCP servers are spoken to

        from latchpin.outbound.mcp_transport import McpTransport  # noqa: PLC0415

        return httpx2.AsyncClient(
            transport=McpTransport(self._session, conversation),
            headers={"user-agent": _USER_AGENT},
            timeout=None,  # the conversation's deadline holds
            trust_env=False,
            follow_redirects=False,
        )

    async def _try(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, repeatable: bool, fresh: bool
    ) -> Reply:
        deadline = asyncio.get_running_loop().time() + self.timeout
        last = self._retries
        for attempt in range(last + 1):
            try:
                reply = await self._once(method, url, headers, body, deadline, fresh=fresh)
            except UpstreamUnreachable as exc:
                final = isinstance(exc, AddressRefused | UpstreamTimeout) or (exc.sent and not repeatable)
                if final or attempt == last:
                    raise
            else:
                final = reply.status < _SERVER_FAILED or "retry-after" in reply.headers
                if final or not repeatable or attempt == last:
                    return reply
            pause = min(FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE)
            await self._sleep(min(pause, max(0.0, deadline - asyncio.get_running_loop().time())))
        raise AssertionError("the last attempt returns or raises")

    async def _once(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, deadline: float, *, fresh: bool
    ) -> Reply:
        try:
            sent = _written(url)
        except (httpx.InvalidURL, UnicodeError) as exc:  # the latter from a host that IDNA does not know
            raise UpstreamUnreachable(f"{host_of(url)}: the URL cannot be read") from exc
        fields = tuple({**_ALWAYS, **headers}.items())
        outgoing = Outgoing(method, sent, fields, body, deadline, ByteBudget(self._size), fresh=fresh)
        try:
            answer = await self._session.send(outgoing)
            try:
                content = b"".join([piece async for piece in answer])
            finally:
                answer.close()
        except Failure as exc:
            raise explain_failure(exc, url) from exc
        return Reply(url=_without_query(url), status=answer.status, headers=_joined(answer), body=content)


@lru_cache(maxsize=1024)
def _written(url: str) -> str:
    """A URL as it is sent, whatever was entered: the same few endpoints are asked again and again."""
    return str(httpx.URL(url))


def _joined(answer: Answer) -> dict[str, str]:
    """The header fields by name; those of one name in one, in their order (RFC 9110 section 5.3)."""
    joined: dict[str, str] = {}
    for name, raw in answer.raw_headers():
        key, value = name.decode("latin-1"), _text(raw)
        joined[key] = f"{joined[key]}, {value}" if key in joined else value
    return joined


def _text(value: bytes) -> str:
    """Servers write UTF-8 into what should be ASCII, or Latin-1."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _without_query(url: str) -> str:
    return url.partition("#")[0].partition("?")[0]


def host_of(url: str) -> str:
    """The host and port in ``url``, for people; never its query or a password."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or "the server"
    except ValueError:
        return "the server"


def explain_failure(failure: Failure, url: str) -> UpstreamError:
    """Say a failure in the gateway's own errors."""
    detail = f"{host_of(url)}: {failure.reason}"
    match failure.kind:
        case "address":
            return AddressRefused(detail, sent=False)
        case "timeout":
            return UpstreamTimeout(detail, sent=failure.sent)
        case "too-large" | "undecodable":
            return UpstreamUnreadable(detail)
        case "url":
            return UpstreamUnreachable(detail, sent=False, remedy="Correct the URL on the gateway.")
        case _:
            return UpstreamUnreachable(detail, sent=failure.sent)


@asynccontextmanager
async def open_upstream(
    settings: CoreSettings,
    *,
    size: int = DEFAULT_SIZE,
    sleep: Sleep = asyncio.sleep,
    resolver: AbstractResolver | None = None,
    observers: Observers | None = None,
    private: bool | None = None,
) -> AsyncIterator[HttpUpstream]:
    """Open the way out, once for the process; leaving closes every connection.

    Args:
        settings: OAUTH_REQUEST_TIMEOUT, OAUTH_MAX_RETRIES, OAUTH_ALLOW_PRIVATE_NETWORKS and OUTBOUND_PROXY are read.
        size: how large one reply may be, in bytes.
        sleep: how to pause between retries.
        resolver: how names become addresses; the system's way if None.
        observers: watch each request.
        private: whether http and private addresses are asked; OAUTH_ALLOW_PRIVATE_NETWORKS decides if None.
    """
    timeout = settings.oauth_request_timeout
    private = settings.oauth_allow_private_networks if private is None else private
    way = open_session(
        allow_private_networks=private, resolver=resolver, observers=observers, egress=find_egress(settings)
    )
    async with way as session:
        yield HttpUpstream(session, size=size, timeout=timeout, retries=settings.oauth_max_retries, sleep=sleep)
