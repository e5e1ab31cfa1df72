"""The client under test: the browser's part, the MCP session, and what it does in each scenario."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin

import httpx
import httpx2
import jwt
from latchpin.model import JWT_BEARER
from mcp import Client, types
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

# The person in front: an administrator at the API, and a browser that follows redirects with a cookie jar.


MOST_REDIRECTS = 20
_LINK = re.compile(r"https?://[^\s\"]+/oauth/authorize/[0-9a-f]{32}/for/[\w-]+")
"""The link by which the gateway tells a program that its person has to authorize."""


class Person:
    """Somebody who is signed in at the gateway, and nowhere else.

    Args:
        base_url: the gateway's.
        bearer: proves the person to the gateway; it is sent to nobody else.
    """

    def __init__(self, base_url: str, bearer: str) -> None:
        self.base_url = base_url
        self.bearer = bearer
        self._proof = {"Authorization": f"Bearer {bearer}"}
        self.api = httpx.AsyncClient(base_url=base_url, headers=self._proof, trust_env=False, timeout=60)
        self._browser = httpx.AsyncClient(trust_env=False, timeout=60)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.api.aclose()
        await self._browser.aclose()

    async def hand_in(self, gateway_id: str, id_token: str) -> None:
        """Give the gateway one's own ID token, as a program does whose user has signed in at the company.

        Raises:
            Refused: the gateway does not take it.
        """
        answer = await self.api.put(f"/oauth/identity-assertion/{gateway_id}", json={"id_token": id_token})
        if not answer.is_success:
            raise Refused(f"the ID token was not taken: {answer.text}")

    async def authorize(self, authorize_url: str) -> None:
        """Open the gateway's authorize URL and follow it to the end: the suite's server consents by itself.

        Raises:
            Refused: the gateway refused to begin or to complete; the text is its answer.
        """
        url = authorize_url
        for _ in range(MOST_REDIRECTS):
            at_gateway = url.startswith(f"{self.base_url}/")
            headers = {"Accept": "application/json", **(self._proof if at_gateway else {})}
            answer = await self._browser.get(url, headers=headers)
            if not answer.has_redirect_location:
                break
            url = urljoin(url, answer.headers["location"])
        if not answer.is_success:
            raise Refused(f"authorizing ended with HTTP {answer.status_code}: {answer.text[:1000]}")


# An MCP client, the official SDK's, that speaks to one gateway's endpoint and to nothing else.


STATELESS = "2026-07-28"
REFUSALS = frozenset({401, 403})
_PATIENCE = 60.0
"""In seconds, for an answer and for the session's own stream."""


class Refused(Exception):
    """The gateway does not let it happen.

    Args:
        authorize_url: where a browser mends it, None if nothing does.
    """

    def __init__(self, detail: str, authorize_url: str | None = None) -> None:
        super().__init__(detail)
        self.authorize_url = authorize_url


async def converse(
    endpoint: str, bearer: str, version: str, work: Callable[[Client], Awaitable[None]], *, listens: bool = False
) -> None:
    """Open a session at ``endpoint`` in the manner of ``version`` and do ``work`` in it.

    Args:
        endpoint: the gateway's.
        bearer: proves the person to the gateway.
        version: of the protocol.
        work: what to do with the client.
        listens: begin the work only when the session's own stream (GET) stands. The SDK opens it beside the work, and
            a server drops what it says there before.

    Raises:
        Refused: the gateway answered with an error; it carries the authorize URL if there is one.
    """
    refusals: list[Refused] = []
    listening = asyncio.Event()

    async def observe(response: httpx2.Response) -> None:
        if response.request.method == "GET" and response.is_success:
            listening.set()
        if response.request.method != "POST":
            return
        if response.is_error:
            refusals.append(_read_refusal(response.status_code, await response.aread()))
        elif response.headers.get("content-type", "").startswith("application/json"):
            refusals.extend(_read_told(await response.aread()))

    timeout = httpx2.Timeout(_PATIENCE)
    async with httpx2.AsyncClient(
        headers={"Authorization": f"Bearer {bearer}"},
        event_hooks={"response": [observe]},
        timeout=timeout,
        trust_env=False,
    ) as http:
        transport = streamable_http_client(endpoint, http_client=http)
        mode = "auto" if version >= STATELESS else "legacy"
        try:
            async with Client(transport, mode=mode, elicitation_callback=_accept, cache=None) as client:
                if listens:
                    await asyncio.wait_for(listening.wait(), _PATIENCE)
                await work(client)
        except Exception as exc:  # the SDK raises groups and errors of its own; what the gateway said comes first
            raise _best(refusals, exc) from exc
    for refusal in refusals:
        if refusal.authorize_url is not None:  # told within the result of a tool
            raise refusal


def _read_refusal(status: int, body: bytes) -> Refused:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    url = document.get("authorize_url") if isinstance(document, dict) else None
    text = body[:1000].decode(errors="replace")
    return Refused(f"HTTP {status}: {text}", url if status in REFUSALS else None)


def _read_told(body: bytes) -> list[Refused]:
    """What the gateway tells within a message: a link to authorize by, or a problem."""
    text = body.decode(errors="replace")
    link = _LINK.search(text)
    return [Refused(text[:1000], link and link[0])] if link or "/problems/" in text else []


def _best(refusals: list[Refused], exc: Exception) -> Refused:
    mendable = [each for each in refusals if each.authorize_url is not None]
    return (mendable or refusals or [Refused(_said(exc))])[0]


def _said(exc: BaseException) -> str:
    if isinstance(exc, BaseExceptionGroup):
        return "; ".join(_said(part) for part in exc.exceptions)
    data = exc.error.data if isinstance(exc, MCPError) else None
    problem = f" {json.dumps(data)}" if isinstance(data, dict) else ""
    return f"{type(exc).__name__}: {exc}{problem}"


async def _accept(context: Any, params: Any) -> types.ElicitResult:
    """A person who accepts every form as it is filled in beforehand."""
    if getattr(params, "mode", None) == "url":  # the person opens links afterwards
        return types.ElicitResult(action="decline")
    schema: Mapping[str, Any] = getattr(params, "requested_schema", None) or {}
    properties: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
    content = {
        name: each.get("default", True if each.get("type") == "boolean" else None)
        for name, each in properties.items()
        if "default" in each or each.get("type") == "boolean"
    }
    return types.ElicitResult(action="accept", content=content)


# What an MCP client does in each scenario: the tools that the suite's description names, called as it says.


Context = Mapping[str, Any]


async def only_list(client: Client, context: Context) -> None:
    """List the tools."""
    await client.list_tools()


async def list_and_call(client: Client, context: Context) -> None:
    """List the tools, and call the one that the protected servers have."""
    await client.list_tools()
    await client.call_tool("test-tool", {})


async def add_numbers(client: Client, context: Context) -> None:
    """Call a tool with numbers."""
    await client.list_tools()
    await client.call_tool("add_numbers", {"a": 5, "b": 3})


async def call_listed(client: Client, context: Context) -> None:
    """Call each tool that the client believes in, without arguments."""
    for tool in (await client.list_tools()).tools:
        await client.call_tool(tool.name, {"region": "us-west1"})


async def call_given(client: Client, context: Context) -> None:
    """Make the calls that the scenario asks for."""
    await client.list_tools()
    for call in context["toolCalls"]:
        await client.call_tool(call["name"], call["arguments"])


async def call_in_rounds(client: Client, context: Context) -> None:
    """Call the tools that ask back, and one between them that does not."""
    await client.list_tools()
    for name in ("test_mrtr_echo_state", "test_mrtr_unrelated", "test_mrtr_no_state"):
        await client.call_tool(name, {})
    # The SDK does not read a result without resultType; the scenario asks only that nothing is sent after it.
    with contextlib.suppress(ValidationError):
        await client.call_tool("test_mrtr_no_result_type", {})


async def echo_schema(client: Client, context: Context) -> None:
    """Send a tool's schema back as it was received."""
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    schema = tools["json_schema_2020_12_tool"].input_schema
    await client.call_tool("json_schema_echo", {"schema": schema})


def call(name: str) -> Callable[[Client, Context], Awaitable[None]]:
    """Call one tool without arguments."""

    async def work(client: Client, context: Context) -> None:
        await client.list_tools()
        await client.call_tool(name, {})

    return work


WORK: Mapping[str, Callable[[Client, Context], Awaitable[None]]] = {
    "initialize": only_list,
    "tools_call": add_numbers,
    "elicitation-sep1034-client-defaults": call("test_client_elicitation_defaults"),
    "sse-retry": call("test_reconnection"),
    "request-metadata": only_list,
    "sep-2322-client-request-state": call_in_rounds,
    "http-standard-headers": call("test_headers"),
    "http-custom-headers": call_given,
    "http-invalid-tool-headers": call_listed,
    "json-schema-ref-no-deref": only_list,
    "json-schema-2020-12-preservation": echo_schema,
}
"""By scenario; those that are not here list and call."""
LISTENING = frozenset({"elicitation-sep1034-client-defaults"})
"""The scenarios whose server asks the client on the session's own stream."""


# One scenario, and the server that hands them out.


# Where the drivers knock: a local socket behind which each scenario gets a person of its own.


MOST_AT_ONCE = 6
"""The suite starts a part's scenarios all together; a small machine would only switch between them."""


@contextlib.contextmanager
def open_desk(path: Path, base_url: str, bearer_for: Callable[[str | None], str]) -> Iterator[None]:
    """Serve drivers at the socket ``path`` from a thread, until the block ends.

    Args:
        path: of the socket; it must not exist.
        base_url: the gateway's.
        bearer_for: gives what proves the person with that address to the gateway.
    """
    desk = _Desk(base_url, bearer_for)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="desk")
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(asyncio.start_unix_server(desk.serve, path), loop).result()
        yield
        loop.call_soon_threadsafe(server.close)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Desk:
    def __init__(self, base_url: str, bearer_for: Callable[[str | None], str]) -> None:
        self._base_url = base_url
        self._bearer_for = bearer_for
        self._places = asyncio.Semaphore(MOST_AT_ONCE)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one scenario; answer null, or the words of the refusal."""
        scenario = Scenario(**json.loads(await reader.readline()))
        async with self._places, Person(self._base_url, self._bearer_for(scenario.user)) as person:
            refusal = await _refusal(scenario, person)
        writer.write(json.dumps(refusal).encode() + b"\n")
        await writer.drain()
        writer.close()


async def _refusal(scenario: Scenario, person: Person) -> str | None:
    try:
        await drive(scenario, person)
    except Refused as exc:
        return f"{scenario.name}: {exc}"
    except Exception as exc:  # noqa: BLE001  whatever went wrong is the scenario's result, not the end of the run
        return f"{scenario.name}: {type(exc).__name__}: {exc}"
    return None


# One scenario: its MCP server is registered as a gateway, and the work is done through that gateway.
#
# Where an answer says that an authorization is needed, the person authorizes. Everything about OAuth is the
# gateway's doing.


GRANT_OF_SCENARIO = {
    "auth/client-credentials-basic": "client_credentials",
    "auth/client-credentials-jwt": "client_credentials",
    "auth/enterprise-managed-authorization": JWT_BEARER,
    "auth/wif-jwt-bearer": JWT_BEARER,
}
KEY_OF_CONTEXT = {
    "client_id": "client_id",
    "client_secret": "client_secret",
    "issuer": "issuer",
    "idp_issuer": "identity_provider",
    "idp_client_id": "identity_provider_client_id",
    "valid_jwt": "assertion",
}
"""What an administrator enters of what a scenario gives, and under which key."""
# What an administrator has to know of such a server: it publishes nothing, so nothing says that it does PKCE.
OLD_SERVERS = frozenset({"auth/2025-03-26-oauth-endpoint-fallback"})
MOST_AUTHORIZATIONS = 8
"""Far more than the gateway may ask for: the limit that is tested is the gateway's."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What the suite says of a scenario.

    Attributes:
        url: the MCP server under which it plays.
        context: what an administrator would have been told, such as credentials.
        version: of the protocol that the MCP client is to speak.
    """

    url: str
    name: str
    context: Mapping[str, Any]
    version: str

    @property
    def user(self) -> str | None:
        """Whom the scenario's identity provider speaks of, if it has one."""
        token = self.context.get("idp_id_token")
        return None if token is None else str(jwt.decode(token, options={"verify_signature": False})["email"])


async def drive(scenario: Scenario, person: Person) -> None:
    """Do the scenario's work, authorizing as often as the gateway asks for.

    Raises:
        Refused: the gateway does not let it happen.
    """
    work = WORK.get(scenario.name, list_and_call)
    gateway_id = await _register(scenario, person)
    endpoint = f"{person.base_url}/gateways/{gateway_id}/mcp"
    for _ in range(MOST_AUTHORIZATIONS):
        try:
            await converse(
                endpoint,
                person.bearer,
                scenario.version,
                lambda client: work(client, scenario.context),
                listens=scenario.name in LISTENING,
            )
        except Refused as exc:
            if exc.authorize_url is None:
                raise
            await person.authorize(exc.authorize_url)
        else:
            return
    raise Refused(f"the gateway asked for more than {MOST_AUTHORIZATIONS} authorizations")


def build_oauth_config(scenario: Scenario) -> dict[str, Any]:
    """What an administrator enters on the gateway: the credentials that the scenario gives, nothing else."""
    context = scenario.context
    config: dict[str, Any] = {key: context[given] for given, key in KEY_OF_CONTEXT.items() if given in context}
    if "private_key_pem" in context:
        config |= {"client_secret": context["private_key_pem"], "token_endpoint_auth_method": "private_key_jwt"}
    if scenario.name in GRANT_OF_SCENARIO:
        config["grant_type"] = GRANT_OF_SCENARIO[scenario.name]
    if scenario.name in OLD_SERVERS:
        config["assume_pkce"] = True
    return config


async def _register(scenario: Scenario, person: Person) -> str:
    body: dict[str, Any] = {"name": scenario.name, "url": scenario.url, "auth_type": "none"}
    if scenario.name.startswith("auth/"):
        body |= {"auth_type": "oauth", "oauth_config": build_oauth_config(scenario)}
    answer = await person.api.post("/gateways", json=body)
    if answer.status_code != httpx.codes.CREATED:
        raise Refused(f"the gateway was not created: {answer.text}")
    gateway_id = str(answer.json()["id"])
    if "idp_id_token" in scenario.context:
        await person.hand_in(gateway_id, scenario.context["idp_id_token"])
    return gateway_id
