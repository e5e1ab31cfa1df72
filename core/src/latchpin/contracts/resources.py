"""The MCP endpoints that plugins serve, as protected resources that clients get tokens for; the way to MCP servers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from latchpin.errors import LatchpinError
    from latchpin.model import Caller, Gateway

__all__ = [
    "AUTHORIZE_FIRST",
    "Admitted",
    "McpExchanges",
    "McpServers",
    "ProtectedResource",
    "ProtectedResources",
]

AUTHORIZE_FIRST: Final = -32010
"""The code of the JSON-RPC error by which programs are told that their person has to authorize a server first, where
they have no other way to be told. From the range that is left to implementations."""


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """An MCP endpoint of this gateway (RFC 9728).

    Attributes:
        url: identifies it: what clients send as ``resource`` (RFC 8707), and the ``aud`` of the tokens that they get.
        name: what people read.
        gateways: whose MCP servers stand behind it.
        aggregate: it serves what the person may use of several, however many those are now, and is not one's own.
    """

    url: str
    name: str
    gateways: tuple[Gateway, ...] = field(repr=False)
    aggregate: bool = False

    @property
    def gateway(self) -> Gateway | None:
        """The one whose own endpoint it is; None for an endpoint of several, or of all."""
        return self.gateways[0] if len(self.gateways) == 1 and not self.aggregate else None


@dataclass(frozen=True, slots=True)
class ProtectedResources:
    """The endpoints that one plugin serves. ``find`` and ``list`` are given the running gateway (``Application``).

    Attributes:
        names: says whether a path below BASE_URL has the form of such an endpoint, whatever exists: it has metadata.
        find: gives the endpoint of exactly that URL; None where there is none that the caller may use.
        list: gives those that the caller may use, in the order in which people see them.
    """

    names: Callable[[str], bool]
    find: Callable[[Any, str, Caller], Awaitable[ProtectedResource | None]]
    list: Callable[[Any, Caller], Awaitable[Sequence[ProtectedResource]]]


Message = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that a gateway's own endpoint would serve, as far as its header fields tell.

    Attributes:
        caller: who sends it; no cookie counted.
        session: the MCP server's own name of the session that the request names; None where it names none that the
            server knows.
        asks_nothing: the caller's program said when the session began that it asks its person nothing for servers; or
            there is no session.
        holds_back: tools are held back from the caller, so that each message has to be judged.
        told_here: who has to know of each call is told where it is served by the endpoint itself, and nowhere else.
    """

    caller: Caller
    gateway: Gateway = field(repr=False)
    session: str | None = field(default=None, repr=False)
    asks_nothing: bool = True
    holds_back: bool = False
    told_here: bool = False


class McpExchanges(Protocol):
    """Exchanges with the MCP servers behind gateways, for callers who were judged before."""

    async def serve(
        self,
        gateway: Gateway,
        caller: Caller,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
        *,
        opens_links: bool = False,
        all_tools: bool = False,
    ) -> bool:
        """Serve one HTTP exchange (ASGI) as at the gateway's own endpoint, with the caller's own token.

        What the server names is bound to the caller, what it says is judged, and it is told nothing of how the caller
        signed in. What a person has to authorize first is told in the words of MCP (``AUTHORIZE_FIRST`` is the error's
        code), never with a challenge: where the exchange is part of another endpoint's, signing in anew does not help.

        Args:
            gateway: whose server; the caller may use it.
            caller: for whom.
            scope: ``method`` and ``headers`` count.
            receive: gives the request's body.
            send: takes the answer.
            opens_links: in a session of the other endpoint's, the program said that it asks its person to open links.
            all_tools: lists of tools come whole: the other endpoint keeps them, and takes what a gate holds back out of
                each answer of its own. Calls are judged all the same.

        Returns:
            Whether it is the server that answered. Else it was answered here, and says why in this gateway's own words.
        """

    async def admit(self, scope: Message, gateway_id: str) -> Admitted:
        """Judge a request as the gateway's own endpoint does, for what serves it in the endpoint's place.

        Args:
            scope: ``headers`` count, and ``client``: the peer by which a trusted proxy is known.
            gateway_id: whose endpoint it is.

        Raises:
            LatchpinError: the endpoint would not serve it, for the Origin, the caller, limits, gateway or session.
        """

    async def refuse(
        self, error: LatchpinError, scope: Message, gateway_id: str, caller: Caller | None
    ) -> Callable[..., Awaitable[None]]:
        """The answer (ASGI) of a gateway's own endpoint to such an error, with its challenge where it has one.

        Args:
            error: what ``admit`` raised, or what came after it.
            scope: the request's.
            gateway_id: whose endpoint it is.
            caller: who asked, None if nobody is known.
        """

    async def link_for(self, gateway: Gateway, caller: Caller) -> str:
        """The link by which ``caller`` authorizes ``gateway``: it holds no secret, and leads nobody else anywhere."""


@dataclass(frozen=True, slots=True)
class McpServers:
    """A way to the MCP servers behind gateways, for plugins that serve endpoints of their own.

    Attributes:
        open: gives it, for the running gateway (``Application``); every time the same.
        rank: of several ways, that of the lowest rank is taken.
    """

    open: Callable[[Any], Awaitable[McpExchanges]]
    rank: int = 100
