"""Twenty-five real servers in the process of the tests, of all kinds that stand behind one endpoint.

Official SDK servers as they are, which speak both eras, and such as speak one; FastMCP's where it is installed; servers
that want their person's authorization, one of them with tokens bound to a key; one that wants an API key; one that is
silent, one dead, one that refuses everybody with 401, one with 403.
"""

from __future__ import annotations

import contextlib
import importlib.util
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from latchpin_demo.loopback import bind, url_of
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.resolve import Elicit, ListRoots, Resolve, Sample
from mcp_types import CreateMessageResult, ListRootsResult, SamplingMessage, TextContent

from tests.aggregator.conftest import ERAS, Backstage, Server, Sure, add_tools, start_server
from tests.api_keys.conftest import HEADER, KEY, start_keyed
from tests.providers import start_demo_provider, start_fault_switch
from tests.providers.identity_provider import KeyBound, bind_tokens
from tests.proxy.conftest import open_fastmcp_server, read, reply, start_scripted
from tests.servers import serve_asgi
from tests.support.gateway_process import DeployedGateway

__all__ = ["BROKEN", "KEYED", "PROTECTED", "WAITING", "Group", "start_group"]

MANY = 25
PROTECTED = frozenset({"protected", "bound"})
"""The slugs of those that want an authorization; each has the tool ``who_am_i``."""
KEYED = "keyed"
"""The slug of the one that wants an API key; it has the tool ``say``."""
WAITING = PROTECTED | {KEYED}
BROKEN = frozenset({"silent", "dead", "refusing", "unwilling"})


@dataclass(frozen=True)
class Group:
    """They all.

    Attributes:
        places: the URL of each, by slug.
        open: the slugs of those that serve everybody; each has the tool ``shout``.
        official: what happened at the official servers.
        alike: the servers of one era, by slug.
        keys: what was proven at the server with bound tokens.
    """

    places: dict[str, str]
    open: list[str]
    official: Backstage
    alike: dict[str, Server]
    keys: KeyBound

    async def add_to(self, deployed: DeployedGateway) -> dict[str, str]:
        """Make a gateway for each, and give their ids by slug."""
        return {slug: await deployed.add(url, name=slug, **_auth(slug)) for slug, url in self.places.items()}


def _auth(slug: str) -> dict[str, Any]:
    if slug == KEYED:
        return {"auth_type": "api_key", "api_key": {"header": HEADER}}
    return {} if slug in PROTECTED else {"auth_type": "none"}


# -- an official server, with all that a tool can do ---------------------------------------------------------------


def ask_person() -> Elicit[Sure]:
    return Elicit("Sure?", Sure)


def ask_model() -> Sample:
    return Sample([SamplingMessage(role="user", content=TextContent(text="One word"))], max_tokens=5)


def ask_roots() -> ListRoots:
    return ListRoots()


def build_official(backstage: Backstage) -> MCPServer[None]:
    server: MCPServer[None] = MCPServer("official", log_level="WARNING")
    add_tools(server, backstage)

    @server.tool()
    async def confirm(sure: Annotated[Sure, Resolve(ask_person)]) -> str:
        """Ask the person."""
        return f"sure: {sure.sure}"

    @server.tool()
    async def think(said: Annotated[CreateMessageResult, Resolve(ask_model)]) -> str:
        """Ask the client's model."""
        return f"it says {getattr(said.content, 'text', '')}"

    @server.tool()
    async def look(found: Annotated[ListRootsResult, Resolve(ask_roots)]) -> str:
        """Ask for the client's folders."""
        return f"in {', '.join(str(root.uri) for root in found.roots)}"

    return server


@contextlib.contextmanager
def _start_official(backstage: Backstage) -> Iterator[str]:
    with bind() as listener, serve_asgi(build_official(backstage).streamable_http_app(), sock=listener):
        yield f"{url_of(listener)}/mcp"


def _answering(status: int) -> Any:
    async def answer(_scope: Any, receive: Any, send: Any) -> None:
        await read(receive)
        await reply(send, status, [("content-type", "text/plain")], b"no")

    return answer


@contextlib.contextmanager
def start_group() -> Iterator[Group]:
    """Serve them all."""
    official = Backstage()
    with contextlib.ExitStack() as stack:
        fast = 2 if importlib.util.find_spec("fastmcp") else 0
        places = {f"fast-{number}": stack.enter_context(open_fastmcp_server()) for number in range(fast)}
        alike = {f"{era}-{number}": stack.enter_context(start_server(era)) for era in ERAS for number in range(6)}
        places |= {slug: server.url for slug, server in alike.items()}
        left = MANY - len(places) - len(BROKEN) - len(WAITING)
        places |= {f"official-{number}": stack.enter_context(_start_official(official)) for number in range(left)}
        open_to_all = sorted(places)
        places["protected"] = stack.enter_context(start_demo_provider()).mcp_url
        switch = stack.enter_context(start_fault_switch())
        places["bound"] = switch.provider.mcp_url
        places[KEYED] = stack.enter_context(start_keyed((HEADER.lower(), KEY))).url
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        places["silent"] = f"http://127.0.0.1:{silent.getsockname()[1]}/mcp"
        places["dead"] = "http://127.0.0.1:1/mcp"
        places["refusing"] = stack.enter_context(start_scripted(_answering(403))).url
        places["unwilling"] = stack.enter_context(start_scripted(_answering(401))).url
        assert len(places) == MANY
        yield Group(places, open_to_all, official, alike, bind_tokens(switch))
