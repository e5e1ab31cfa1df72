"""Puts the demo up: an authorization server, two MCP servers, the gateway before them, and its two entries."""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path

import httpx
from latchpin.errors import SettingsError
from latchpin.sdk.assembly import Plugins, settings_models
from latchpin.sdk.commands import opened
from latchpin.sdk.gateway import Application

from latchpin_demo import mcp_server
from latchpin_demo.authorization_server import USERS, AuthorizationServer
from latchpin_demo.folder import DATABASE, claim, entered, write_settings
from latchpin_demo.gateway_process import GatewayProcess, serving_gateway
from latchpin_demo.loopback import bind, serving, url_of
from latchpin_demo.steps import Steps

__all__ = ["ADMINISTRATOR", "GATEWAY_NAME", "OTHER_NAME", "DemoEnvironment", "choose_port", "open_stage"]

ADMINISTRATOR = USERS[0]
GATEWAY_NAME, OTHER_NAME = "Demo tools", "Demo library"
_CUSTOMARY_PORT = 4444


@dataclass(frozen=True, slots=True)
class DemoEnvironment:
    """The running demo.

    Attributes:
        base_url: the gateway's.
        gateway_id: of its first entry.
        issuer: of the authorization server of both MCP servers.
        mcp_url: the first MCP server's endpoint.
        endpoint: where MCP clients reach both by way of the gateway.
        application: the gateway's services over the same database, opened in this process.
        process: the gateway.
        folder: where settings, database and log are.
        edge: nginx is in front.
    """

    base_url: str
    gateway_id: str
    issuer: str
    mcp_url: str
    endpoint: str
    application: Application
    process: GatewayProcess
    folder: Path
    edge: bool = False


def choose_port(wanted: int | None) -> int:
    """A port for the gateway: the wanted one, else 4444 if it is free, else a free one.

    Raises:
        SettingsError: the wanted one is taken.
    """
    if wanted is not None:
        try:
            return _probe(wanted)
        except OSError as exc:
            raise SettingsError(
                f"Port {wanted} cannot be taken: {exc.strerror or exc}",
                remedy=f"End what listens there (see: ss -ltnp 'sport = :{wanted}'), or choose another with --port.",
            ) from exc
    try:
        return _probe(_CUSTOMARY_PORT)
    except OSError:
        return _probe(0)


def choose_port_behind() -> int:
    """A free port, for what people do not open."""
    return _probe(0)


def _probe(port: int) -> int:
    with bind("127.0.0.1", port) as listener:
        found: int = listener.getsockname()[1]
    if _answers("::1", found):  # browsers try localhost's other address first
        raise OSError(f"port {found} is taken on ::1")
    return found


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


@contextlib.asynccontextmanager
async def open_stage(
    steps: Steps, *, folder: Path, port: int | None, edge: bool = False
) -> AsyncIterator[DemoEnvironment]:
    """Start everything, and stop it when the block ends; with ``edge``, nginx in front too.

    Raises:
        StepFailed: names what did not start, and why.
    """
    async with contextlib.AsyncExitStack() as stack:
        with steps.step("Prepare the demo's folder") as found:
            claimed = stack.enter_context(claim(folder))
            stack.enter_context(entered(claimed, settings_models(Plugins())))
            found.append(str(claimed))
        issuer, mcp_url, other_url = await _start_servers(steps, stack)
        base_url, place, process = await _start_gateway(steps, stack, claimed, port, edge=edge)
        with steps.step("Register the MCP servers as gateways") as found:
            application = await stack.enter_async_context(opened())
            gateway_id = await _add_gateway(application, place, GATEWAY_NAME, mcp_url)
            await _add_gateway(application, place, OTHER_NAME, other_url)
            found.append(f"{GATEWAY_NAME}, id {gateway_id}, and {OTHER_NAME}")
        if edge:
            await _start_edge(steps, stack, base_url)
        endpoint = f"{base_url}/mcp"  # the demo needs the plugin that serves it
        yield DemoEnvironment(base_url, gateway_id, issuer, mcp_url, endpoint, application, process, claimed, edge)


async def _start_servers(steps: Steps, stack: contextlib.AsyncExitStack) -> tuple[str, str, str]:
    listeners = [stack.enter_context(bind()) for _ in range(2)]
    urls = [url_of(listener) + mcp_server.PATH for listener in listeners]
    with steps.step("Start the authorization server") as found:
        listener = stack.enter_context(bind())
        accounts = AuthorizationServer(url_of(listener), resources=urls)
        await stack.enter_async_context(serving(accounts.app, listener))
        found.append(accounts.issuer)
    with steps.step("Start two MCP servers") as found:
        for listener in listeners:
            app = mcp_server.build_mcp_app(url_of(listener), issuer=accounts.issuer, ledger=accounts.ledger)
            await stack.enter_async_context(serving(app, listener))
        found.append(" and ".join(urls))
    return accounts.issuer, urls[0], urls[1]


async def _start_gateway(
    steps: Steps, stack: contextlib.AsyncExitStack, folder: Path, wanted: int | None, *, edge: bool
) -> tuple[str, str, GatewayProcess]:
    """BASE_URL, where the gateway itself is reached, and its process."""
    with steps.step("Start the gateway") as found:
        front = choose_port(wanted)
        port = choose_port_behind() if edge else front
        base_url, place = f"http://localhost:{front}", f"http://127.0.0.1:{port}"
        settings = {
            "AUTH_ENCRYPTION_SECRET": secrets.token_urlsafe(48),
            "BASE_URL": base_url,
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "CACHE_TYPE": "database",
            "DATABASE_URL": f"sqlite:///./{DATABASE}",
            "OAUTH_ALLOW_PRIVATE_NETWORKS": "true",
            "ADMIN_EMAILS": ADMINISTRATOR,
            "LOG_LEVEL": "DEBUG",
        }
        if edge:
            settings |= {"EDGE_SECRET": secrets.token_urlsafe(32), "EDGE_LISTEN": f"127.0.0.1:{choose_port_behind()}"}
        write_settings(folder, settings)
        process = await stack.enter_async_context(serving_gateway())
        await process.wait_until_healthy(place)
        found.append(place if edge else base_url)
        if wanted is None and front != _CUSTOMARY_PORT:
            found.append(f"(port {_CUSTOMARY_PORT} is in use)")
    return base_url, place, process


async def _start_edge(steps: Steps, stack: contextlib.AsyncExitStack, base_url: str) -> None:
    """nginx, and what tells it of gateways that somebody adds."""
    with steps.step("Start nginx in front") as found:
        listen = base_url.removeprefix("http://").replace("localhost", "127.0.0.1")
        arguments = ("edge", "watch", "nginx", "--output", "nginx.conf", "--listen", listen, "--start")
        edge = await stack.enter_async_context(serving_gateway(*arguments))
        await edge.wait_until_healthy(base_url)
        found.append(f"{base_url}, as nginx.conf says")


async def _add_gateway(application: Application, base_url: str, name: str, mcp_url: str) -> str:
    """Register with nothing but the URL: all else is discovered."""
    bearer = await application.signed_tokens.create_bearer(ADMINISTRATOR, admin=True, lifetime=timedelta(minutes=5))
    body = {"name": name, "url": mcp_url, "auth_type": "oauth"}
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        answer = await client.post(f"{base_url}/gateways", json=body, headers={"Authorization": f"Bearer {bearer}"})
    if answer.status_code != HTTPStatus.CREATED:
        raise RuntimeError(f"POST /gateways answered HTTP {answer.status_code}: {answer.text[:500]}")
    gateway_id: str = answer.json()["id"]
    return gateway_id
