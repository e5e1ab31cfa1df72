"""One scenario, and the server that hands them out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
from latchpin.model import JWT_BEARER

from tests.conformance.client import WORK, Person, Refused, converse, list_and_call

__all__ = ["Scenario", "drive", "open_desk"]

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
            await converse(endpoint, person.bearer, scenario.version, lambda client: work(client, scenario.context))
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
