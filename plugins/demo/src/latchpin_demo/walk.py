"""Plays the person of the demo and their MCP client: from the endpoint's URL alone to the result of a tool."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx
from latchpin.sdk.identity import create_link

from latchpin_demo.authorization_server import PASSWORD
from latchpin_demo.browser import Browser, Page
from latchpin_demo.client import REDIRECT_URI, StockClient
from latchpin_demo.environment import ADMINISTRATOR, GATEWAY_NAME, OTHER_NAME, DemoEnvironment
from latchpin_demo.steps import Steps

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import CallToolResult

__all__ = ["walk"]


async def walk(stage: DemoEnvironment, steps: Steps) -> list[str]:
    """Walk through the demo as ``ADMINISTRATOR``; return the names of the tools.

    Raises:
        StepFailed: names the step and says why.
    """
    async with httpx.AsyncClient(timeout=20, trust_env=False) as http:
        client = StockClient(http, stage.endpoint)
        await _introduce(client, steps)
        came_back = await _lead_through(client, stage, steps)
        with steps.step("Exchange the code for a token") as found:
            token = await client.redeem(came_back)
            found.append("for this endpoint alone")
    tools = await _use(stage.endpoint, token, steps)
    if stage.edge:
        await _call_by_nginx(stage, steps)
    return tools


async def _introduce(client: StockClient, steps: Steps) -> None:
    with steps.step("Ask the endpoint as a client") as found:
        description = await client.ask()
        found.append(f"401, see {description}")
    with steps.step("Discover who gives tokens") as found:
        found.append(await client.discover(description))
    with steps.step("Register the client") as found:
        found.append(f"as {await client.register()}")


async def _lead_through(client: StockClient, stage: DemoEnvironment, steps: Steps) -> str:
    """The person's browser: gives the address at which it comes back to the client."""
    async with Browser(stops_before=REDIRECT_URI) as browser:
        with steps.step("Sign in at the gateway") as found:
            page = await browser.open(await create_link(stage.application.services, ADMINISTRATOR, admin=True))
            await browser.submit(_ok(page).form(action="/login"))
            found.append(f"as {ADMINISTRATOR}")
        with steps.step("Open the client's request") as found:
            page = _ok(await browser.open(client.authorization_url()))
            consent = page.form(action="/oauth2/decision")
            found.append(page.title)
        with steps.step("Allow the client") as found:
            page = _ok(await browser.submit(consent, press="allow"))
            connect = page.link(f"Connect {GATEWAY_NAME}")
            found.append("led on to a page with a row for each server")
        with steps.step(f"Connect {GATEWAY_NAME}") as found:
            page = _ok(await browser.open(connect))
            login = page.form(action="/login", button="Sign in")
            found.append("led on to the authorization server of the MCP server")
        with steps.step("Sign in at the authorization server") as found:
            page = _ok(await browser.submit(login, email=ADMINISTRATOR, password=PASSWORD))
            upstream = page.form(action="/consent", button="Allow")
            found.append(f"as {ADMINISTRATOR}")
        with steps.step("Allow, and come back") as found:
            page = _ok(await browser.submit(upstream, press="allow"))
            skip = page.link(f"Skip {OTHER_NAME}")
            found.append("to the page with the servers")
        with steps.step(f"Skip {OTHER_NAME}") as found:
            page = await browser.open(skip)
            if not page.url.startswith(REDIRECT_URI):
                raise LookupError(f"The browser is not back at the client. {_describe(page)}")
            found.append("back at the client, with a code")
    return page.url


async def _use(endpoint: str, token: str, steps: Steps) -> list[str]:
    """List the tools and call one by way of the gateway, and hear from the server whose token arrived there."""
    with steps.step("List the tools") as found:
        async with _connected(endpoint, token) as client:
            tools = sorted(tool.name for tool in (await client.list_tools()).tools)
        found.append(", ".join(tools))
    with steps.step("Call the tool who_am_i") as found:
        async with _connected(endpoint, token) as client:
            result = await client.call_tool("demo-tools__who_am_i", {})
            waiting = await client.call_tool("latchpin_connect", {})
        said = _text_of(result)
        if result.is_error or said != ADMINISTRATOR:
            raise LookupError(f"The tool should have named {ADMINISTRATOR} and said: {said[:200]}")
        found.append(said)
    with steps.step("Ask which server waits") as found:
        said = _text_of(waiting)
        if f"{OTHER_NAME} (" not in said:
            raise LookupError(f"{OTHER_NAME} should wait for an authorization, and this was said: {said[:200]}")
        found.append(OTHER_NAME)
    return tools


async def _call_by_nginx(stage: DemoEnvironment, steps: Steps) -> None:
    """Call a tool at one server's endpoint, which nginx does by itself, and see in the log that nobody else did."""
    with steps.step("Call it by nginx alone") as found:
        path = f"/gateways/{stage.gateway_id}/mcp"
        lifetime = timedelta(minutes=5)
        bearer = await stage.application.signed_tokens.create_bearer(ADMINISTRATOR, admin=True, lifetime=lifetime)
        headers = {"authorization": f"Bearer {bearer}", "accept": "application/json, text/event-stream"}
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "who_am_i", "arguments": {}}}
        async with httpx.AsyncClient(trust_env=False, timeout=20, headers=headers) as http:
            answer = await http.post(stage.base_url + path, json=call)
        log = (stage.folder / "logs" / "mcpgateway.log").read_text(encoding="utf-8")
        if ADMINISTRATOR not in answer.text or f" POST {path} " in log:
            raise LookupError(f"HTTP {answer.status_code}, and it should have been nginx's own: {answer.text[:200]}")
        found.append(f"{ADMINISTRATOR}; the gateway was asked for the token, and saw no call")


def _text_of(result: CallToolResult) -> str:
    return "".join(part.text for part in result.content if part.type == "text")


@asynccontextmanager
async def _connected(endpoint: str, token: str) -> AsyncIterator[Client]:
    from httpx2 import AsyncClient  # noqa: PLC0415  brings the SDK's client along
    from mcp import Client  # noqa: PLC0415
    from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415

    async with (
        AsyncClient(headers={"Authorization": f"Bearer {token}"}, trust_env=False) as http,
        Client(streamable_http_client(endpoint, http_client=http)) as client,
    ):
        yield client


def _ok(page: Page) -> Page:
    """The page, if it is none of failure.

    Raises:
        LookupError: says which page it is and what it says.
    """
    if page.status == HTTPStatus.OK:
        return page
    raise LookupError(_describe(page))


def _describe(page: Page) -> str:
    place = page.url.partition("?")[0]
    lead = page.text.partition('class="lead">')[2].partition("<")[0].strip()
    return f"HTTP {page.status} at {place}: {page.title}. {lead}".strip()
