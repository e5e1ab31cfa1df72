"""What the suite runs for each scenario: a person's browser and an MCP client, both working through the gateway.

It registers the scenario's MCP URL as a gateway, speaks MCP to that gateway's own endpoint, and where the answer
says that an authorization is needed, follows the redirects as a browser would. Everything about OAuth is the
gateway's doing. The exit status is 0 if the work was done, 1 if the gateway refused.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

import httpx

from tests.conformance.person import Person
from tests.conformance.work import WORK, list_and_call
from tests.conformance.mcp_session import Refused, converse

GRANT_OF_SCENARIO = {
    "auth/client-credentials-basic": "client_credentials",
    "auth/client-credentials-jwt": "client_credentials",
}
# What an administrator has to know of such a server: it publishes nothing, so nothing says that it does PKCE.
OLD_SERVERS = frozenset({"auth/2025-03-26-oauth-endpoint-fallback"})
MOST_AUTHORIZATIONS = 8
"""Far more than the gateway may ask for: the limit that is tested is the gateway's."""


def build_oauth_config(scenario: str, context: Mapping[str, Any]) -> dict[str, Any]:
    """What an administrator enters on the gateway: the credentials that the scenario gives, nothing else."""
    config: dict[str, Any] = {}
    for key in ("client_id", "client_secret", "issuer"):
        if key in context:
            config[key] = context[key]
    if "private_key_pem" in context:
        config |= {"client_secret": context["private_key_pem"], "token_endpoint_auth_method": "private_key_jwt"}
    if scenario in GRANT_OF_SCENARIO:
        config["grant_type"] = GRANT_OF_SCENARIO[scenario]
    if scenario in OLD_SERVERS:
        config["assume_pkce"] = True
    return config


async def register(person: Person, url: str, scenario: str, context: Mapping[str, Any]) -> str:
    """Register the scenario's MCP server as a gateway; give its id."""
    body: dict[str, Any] = {"name": scenario, "url": url}
    if scenario.startswith("auth/"):
        body |= {"auth_type": "oauth", "oauth_config": build_oauth_config(scenario, context)}
    else:
        body["auth_type"] = "none"
    answer = await person.api.post("/gateways", json=body)
    if answer.status_code != httpx.codes.CREATED:
        raise Refused(f"the gateway was not created: {answer.text}")
    return str(answer.json()["id"])


async def drive(url: str, scenario: str, context: Mapping[str, Any], version: str) -> None:
    """Do the scenario's work, authorizing as often as the gateway asks for."""
    work = WORK.get(scenario, list_and_call)
    async with Person(os.environ["LATCHPIN_URL"], os.environ["LATCHPIN_BEARER"]) as person:
        gateway_id = await register(person, url, scenario, context)
        endpoint = f"{person.base_url}/gateways/{gateway_id}/mcp"
        for _ in range(MOST_AUTHORIZATIONS):
            try:
                await converse(endpoint, person.bearer, version, lambda client: work(client, context))
            except Refused as exc:
                if exc.authorize_url is None:
                    raise
                await person.authorize(exc.authorize_url)
            else:
                return
        raise Refused(f"the gateway asked for more than {MOST_AUTHORIZATIONS} authorizations")


def main() -> int:
    """Run one scenario; the suite gives the URL as the last argument and the rest in the environment."""
    scenario = os.environ["MCP_CONFORMANCE_SCENARIO"]
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))
    version = os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", "2025-11-25")
    try:
        asyncio.run(drive(sys.argv[-1], scenario, context, version))
    except Refused as exc:
        sys.stderr.write(f"{scenario}: {exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
