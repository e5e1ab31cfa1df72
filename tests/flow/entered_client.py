"""The whole flow with a client that an administrator entered: nothing but core and a store is needed for it."""

from __future__ import annotations

from tests.flow.rig import ALICE, Rig
from tests.providers.demo_provider import DemoProvider

__all__ = ["enter_client", "status_of", "walk_whole_flow"]


async def enter_client(rig: Rig, provider: DemoProvider) -> str:
    """Register a client at the provider by hand, and create a gateway with it. Returns the gateway's id."""
    client = provider.accounts.ledger.put_client(
        name="by hand",
        redirect_uris=(f"{rig.url}/oauth/callback",),
        auth_method="client_secret_basic",
        scope="mcp:read",
    )
    config = {"client_id": client.id, "client_secret": client.secret}
    return await rig.add(provider.mcp_url, auth_type="oauth", oauth_config=config)


async def walk_whole_flow(rig: Rig, provider: DemoProvider) -> str:
    """Authorize, come back, fetch the tools with a renewed token, disconnect. Returns the gateway's id."""
    gateway = await enter_client(rig, provider)
    async with rig.browser() as browser:
        await rig.authorize(browser, gateway)
        page = browser.page
        assert page is not None
        provider.accounts.ledger._access.clear()  # the server takes its token no more, so it has to be renewed
        page = await browser.submit(page.form(action="fetch-tools"))
        assert f"created {len(provider.tools)} tools" in page.text, page.text
    assert provider.accounts.ledger._spent_refresh, "the token was not renewed"
    async with rig.api(ALICE) as alice:
        stored = (await alice.get(f"/gateways/{gateway}/tools")).json()
        assert {tool["name"] for tool in stored["tools"]} == provider.tools
        assert await status_of(alice, gateway) == "valid"
        gone = await alice.delete(f"/oauth/tokens/{gateway}")
        assert gone.status_code == 200, gone.text
        assert await status_of(alice, gateway) == "missing"
        assert (await alice.post(f"/oauth/fetch-tools/{gateway}")).status_code == 401
    return gateway


async def status_of(api, gateway: str) -> str:
    answer = await api.get(f"/oauth/status/{gateway}")
    return str(answer.json()["user_token_status"]["status"])
