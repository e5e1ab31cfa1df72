"""The whole flow against the certified oidc-provider: what it demands is done, and what it gives is used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from latchpin.demo.loopback import bind, url_of

from tests.flow.rig import ALICE, Rig
from tests.node.oidc import OidcProvider, Setup, answer_pages, start_oidc_provider
from tests.node.protected import RESOURCE_SERVER, SCOPE, serve_protected
from tests.providers.mcp_call import call_tool
from tests.servers.node import Node


@dataclass(frozen=True)
class World:
    """A provider and the MCP server that takes its tokens."""

    provider: OidcProvider
    mcp_url: str


@pytest.fixture(scope="module")
def world(node: Node, packages: Path) -> Iterator[World]:
    with bind() as listener:
        setup = Setup(
            clients=[RESOURCE_SERVER],
            scopes=(SCOPE,),
            resource=f"{url_of(listener)}/mcp",
            registration=True,
            access_token_seconds=20,  # the gateway renews in the last fifth, which begins at 16
        )
        with (
            start_oidc_provider(node, packages, setup) as provider,
            serve_protected(listener, provider.issuer) as mcp_url,
        ):
            yield World(provider, mcp_url)


async def test_from_a_url_to_a_tool(proxy: Rig, world: World):
    gateway = await proxy.add(world.mcp_url)
    async with proxy.browser() as browser:
        await browser.open(f"{proxy.url}/oauth/authorize/{gateway}")
        page = await answer_pages(browser, login=ALICE)
    assert page.title.startswith("OAuth Authorization Successful"), page.text
    here = f"{proxy.url}/gateways/{gateway}/mcp"
    assert await call_tool(here, proxy.bearer(ALICE), "whose", {}) == ALICE
