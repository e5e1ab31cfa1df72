"""Plays the person of the demo: signs in, authorizes, fetches the tools, and calls one."""

from __future__ import annotations

from http import HTTPStatus

from latchpin.model import Caller
from latchpin.sdk.identity import create_link

from latchpin_demo.authorization_server import PASSWORD
from latchpin_demo.browser import Browser, Page
from latchpin_demo.environment import ADMINISTRATOR, DemoEnvironment
from latchpin_demo.steps import Steps

__all__ = ["walk"]

_SUCCESS = "OAuth Authorization Successful"


async def walk(stage: DemoEnvironment, steps: Steps) -> list[str]:
    """Walk through the demo as ``ADMINISTRATOR``; return the names of the tools.

    Raises:
        StepFailed: names the step and says why.
    """
    async with Browser() as browser:
        with steps.step("Sign in at the gateway") as found:
            page = await browser.open(await create_link(stage.application.services, ADMINISTRATOR, admin=True))
            await browser.submit(_ok(page).form(action="/login"))
            found.append(f"as {ADMINISTRATOR}")
        with steps.step("Ask for authorization") as found:
            page = _ok(await browser.open(f"{stage.base_url}/oauth/authorize/{stage.gateway_id}"))
            login = page.form(action="/login", button="Sign in")
            found.append("discovered, registered, and sent to the authorization server")
        with steps.step("Sign in at the authorization server") as found:
            page = _ok(await browser.submit(login, email=ADMINISTRATOR, password=PASSWORD))
            consent = page.form(action="/consent", button="Allow")
            found.append(f"as {ADMINISTRATOR}")
        with steps.step("Allow, and come back") as found:
            page = _ok(await browser.submit(consent, press="allow"))
            if _SUCCESS not in page.text:
                raise LookupError(f"The page {page.title!r} does not say {_SUCCESS!r}.")
            found.append(_SUCCESS)
        with steps.step("Fetch the tools") as found:
            page = _ok(await browser.submit(page.form(action="/oauth/fetch-tools/")))
            tools = await _stored_tools(stage)
            found.append(", ".join(tools))
    with steps.step("Call the tool who_am_i") as found:
        found.append(await _call_who_am_i(stage))
    return tools


async def _stored_tools(stage: DemoEnvironment) -> list[str]:
    services = stage.application.services
    tools = [tool.name for tool in await services.tools.list(stage.gateway_id, ADMINISTRATOR)]
    if not tools:
        raise LookupError("The gateway stored no tools.")
    return tools


async def _call_who_am_i(stage: DemoEnvironment) -> str:
    """Call with the user's own token, and hear from the server whose it is."""
    from httpx2 import AsyncClient  # noqa: PLC0415  brings the SDK's client along
    from mcp import Client  # noqa: PLC0415
    from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415

    gateway = await stage.application.services.records.gateways.get(stage.gateway_id)
    if gateway is None:
        raise LookupError("The gateway's entry is gone.")
    token = await stage.application.tokens.token_for(gateway, Caller(ADMINISTRATOR, via="local"))
    headers = {"Authorization": f"Bearer {token.access_token}"}
    async with (
        AsyncClient(headers=headers, trust_env=False) as http,
        Client(streamable_http_client(gateway.url, http_client=http)) as client,
    ):
        result = await client.call_tool("who_am_i", {})
    said = "".join(part.text for part in result.content if part.type == "text")
    if result.is_error or said != ADMINISTRATOR:
        raise LookupError(f"The tool should have named {ADMINISTRATOR} and said: {said[:200]}")
    return said


def _ok(page: Page) -> Page:
    """The page, if it is none of failure.

    Raises:
        LookupError: says which page it is and what it says.
    """
    if page.status == HTTPStatus.OK:
        return page
    place = page.url.partition("?")[0]
    lead = page.text.partition('class="lead">')[2].partition("<")[0].strip()
    raise LookupError(f"HTTP {page.status} at {place}: {page.title}. {lead}".strip())
