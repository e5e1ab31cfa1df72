"""Causes that lie with the proof in the state, and with the authorization server."""

from __future__ import annotations

from typing import Any

import httpx
from latchpin.errors.causes.refusals import AUTHORIZATION

from tests.causes.conftest import Deployment, Row, Situation, change_row, rebuilt, rows, spread
from tests.providers import faults
from tests.providers.faults import Fault
from tests.servers import Reservation
from tests.support.gateway_in_process import BASE

# What a callback must prove: its own text, the browser, the user, the gateway, the issuer and the verifier.


NEW = "another-secret-of-the-tests-with-enough-characters"


async def without_state(deployment: Deployment) -> httpx.Response:
    async with deployment.begun(await deployment.gateway()) as begun:
        url = rebuilt(begun.url, lambda query: {name: query[name] for name in query if name != "state"})
        return await begun.finish(url=url)


async def damaged(deployment: Deployment) -> httpx.Response:
    async with deployment.begun(await deployment.gateway()) as begun:
        return await begun.finish(url=rebuilt(begun.url, lambda query: query | {"state": query["state"][:-2]}))


async def altered(deployment: Deployment) -> httpx.Response:
    async with deployment.begun(await deployment.gateway()) as begun, deployment.begun(begun.gateway) as other:
        tail = rebuilt(other.url, lambda query: query).partition("state=")[2].partition("&")[0].partition(".")[2]
        url = rebuilt(begun.url, lambda query: query | {"state": f"{query['state'].partition('.')[0]}.{tail}"})
        return await begun.finish(url=url)


async def secret_changed(deployment: Deployment) -> httpx.Response:
    async with deployment.begun(await deployment.gateway()) as begun:
        return await begun.finish(at=await deployment.gateway(AUTH_ENCRYPTION_SECRET=NEW))


async def another_browser(deployment: Deployment) -> httpx.Response:
    async with deployment.begun(await deployment.gateway()) as begun:
        begun.browser.cookies.clear()
        return await begun.finish()


async def another_user(deployment: Deployment) -> httpx.Response:
    async with deployment.begun(await deployment.gateway()) as begun:
        return await begun.finish(user="bob@example.com")


async def another_gateways_path(deployment: Deployment) -> httpx.Response:
    async with deployment.begun(await deployment.gateway()) as begun:
        return await begun.finish(url=begun.url.replace("/oauth/callback", f"/oauth/callback/{'0' * 32}"))


async def common_redirect_uri(deployment: Deployment) -> httpx.Response:
    own = {"redirect_uri": f"{BASE}/oauth/callback/{{gateway_id}}"}
    async with deployment.begun(await deployment.gateway(), oauth_config=own) as begun:
        return await begun.finish(url=begun.url.replace(f"/oauth/callback/{begun.id}", "/oauth/callback"))


async def another_issuer(deployment: Deployment) -> httpx.Response:
    deployment.provider.arm("consent", faults.callback_with(iss="https://evil.example"))
    async with deployment.begun(await deployment.gateway()) as begun:
        return await begun.finish()


async def no_issuer_in_the_answer(deployment: Deployment) -> httpx.Response:
    deployment.provider.arm("consent", faults.callback_without("iss"))
    async with deployment.begun(await deployment.gateway()) as begun:
        return await begun.finish()


async def verifier_gone(deployment: Deployment) -> httpx.Response:
    async with deployment.begun(await deployment.gateway()) as begun:
        change_row(deployment, begun.gateway, code_verifier="")
        return await begun.finish()


async def verifier_of_another_row(deployment: Deployment) -> httpx.Response:
    gateway = await deployment.gateway()
    async with deployment.begun(gateway) as other:
        (foreign,) = rows(deployment, gateway)
        await other.finish()
    await gateway.application.services.states.purge(everything=True)
    async with deployment.begun(gateway) as begun:
        change_row(deployment, gateway, code_verifier=foreign)
        return await begun.finish()


def refused(code: str) -> Situation:
    """The provider answers with an error instead of a code."""

    async def bring(deployment: Deployment) -> httpx.Response:
        async with deployment.begun(await deployment.gateway()) as begun:

            def change(query: dict[str, str]) -> dict[str, str]:
                return {name: query[name] for name in query if name != "code"} | {"error": code}

            return await begun.finish(url=rebuilt(begun.url, change))

    return bring


_CODES = list(AUTHORIZATION)

PROOF_ROWS = (
    Row("callback-malformed", "the state is missing", without_state, "state-signature"),
    Row("state-signature", "the state is cut", damaged, "state-secret-changed"),
    Row("state-signature", "another state's signature", altered, "state-secret-changed"),
    Row("state-secret-changed", "AUTH_ENCRYPTION_SECRET was changed", secret_changed, "state-signature"),
    Row("browser-changed", "a browser without the cookie", another_browser, "user-changed"),
    Row("user-changed", "another user in the same browser", another_user, "browser-changed"),
    Row(
        "gateway-mismatch",
        "the path of another gateway",
        another_gateways_path,
        "redirect-uri-mismatch",
        "returned to the path of another gateway",
    ),
    Row(
        "redirect-uri-mismatch",
        "the common path, where the gateway's own was asked for",
        common_redirect_uri,
        "gateway-mismatch",
        "was asked for, and the callback came to the path /oauth/callback",
    ),
    Row("issuer-mismatch", "iss is another server", another_issuer, "gateway-mismatch", "names another issuer"),
    Row("issuer-mismatch", "iss is promised and missing", no_issuer_in_the_answer, "gateway-mismatch", "promises"),
    Row("verifier-lost", "the verifier is gone from the row", verifier_gone, "state-removed", "without its verifier"),
    Row("verifier-lost", "the verifier is another row's", verifier_of_another_row, "state-removed"),
)

REFUSAL_ROWS = spread(
    *(
        Row(
            AUTHORIZATION[code].slug,
            f"the server answers {code}",
            refused(code),
            AUTHORIZATION[_CODES[index - 1]].slug,
            f"{code}: ",
        )
        for index, code in enumerate(_CODES)
    ),
    Row("authorization-refused", "the server answers made_up", refused("made_up"), "refused-server-error", "made_up"),
)


# Discovery, registration and tools: what other servers do before and after an authorization.


def start_authorization(endpoint: str, fault: Fault, **settings: str) -> Situation:
    """Somebody begins while ``endpoint`` misbehaves."""

    async def bring(deployment: Deployment) -> httpx.Response:
        gateway = await deployment.gateway(**settings)
        gateway_id = await gateway.add(deployment.provider.provider.mcp_url)
        deployment.provider.arm(endpoint, fault)
        return await deployment.authorize(gateway, gateway_id)

    return bring


async def no_registration_in_time(deployment: Deployment) -> httpx.Response:
    gateway = await deployment.gateway()
    gateway_id = await gateway.add(deployment.provider.provider.mcp_url)
    await gateway.application.servers.find(await gateway.application.gateways.get_any(gateway_id))
    deployment.provider.arm("register", faults.hang())
    gateway.allow(seconds=1)
    return await deployment.authorize(gateway, gateway_id)


async def nothing_published(deployment: Deployment) -> httpx.Response:
    gateway = await deployment.gateway()
    gateway_id = await gateway.add(deployment.provider.provider.mcp_url)
    for endpoint in ("resource-metadata", "metadata", "openid"):
        deployment.provider.arm(endpoint, faults.status(404))
    return await deployment.authorize(gateway, gateway_id)


async def moved(deployment: Deployment) -> httpx.Response:
    gateway = await deployment.gateway()
    async with deployment.begun(gateway) as begun:  # which pins the issuer
        known = await gateway.application.gateways.get_any(begun.id)
        found = await gateway.application.servers.find(known)
        other = f"{known.url.rpartition('/')[0]}/other"
        document: dict[str, Any] = dict(found.metadata.extra) | {"issuer": other}
        deployment.provider.arm("resource-metadata", faults.changed(authorization_servers=[other]))
        deployment.provider.arm("metadata", faults.answer(document))
        gateway.application.servers.forget(begun.id)
        return await deployment.authorize(gateway, begun.id)


def fetching(fault: Fault, **settings: str) -> Situation:
    """Somebody fetches tools while the MCP server misbehaves."""

    async def bring(deployment: Deployment) -> httpx.Response:
        gateway = await deployment.gateway(**settings)
        gateway_id = await gateway.add(deployment.provider.provider.mcp_url, auth_type="none")
        deployment.provider.arm("mcp", fault)
        return await deployment.fetch_tools(gateway, gateway_id)

    return bring


async def nobody_listens(deployment: Deployment) -> httpx.Response:
    gateway = await deployment.gateway()
    with Reservation() as nobody:  # bound, and nobody listens
        gateway_id = await gateway.add(f"http://127.0.0.1:{nobody.port}/mcp", auth_type="none")
        return await deployment.fetch_tools(gateway, gateway_id)


async def private_address(deployment: Deployment) -> httpx.Response:
    gateway = await deployment.gateway(OAUTH_ALLOW_PRIVATE_NETWORKS="false")
    gateway_id = await gateway.add("https://127.0.0.1:1/mcp", auth_type="none")
    return await deployment.fetch_tools(gateway, gateway_id)


_MORE = 'Bearer error="insufficient_scope", scope="files:read"'

SERVER_ROWS = spread(
    Row(
        "discovery-failed",
        "the metadata is not there",
        start_authorization("metadata", faults.status(404)),
        "no-issuer",
        "/.well-known/oauth-authorization-server/accounts: HTTP 404",
    ),
    Row(
        "discovery-failed",
        "the metadata is of another issuer",
        start_authorization("metadata", faults.changed(issuer="https://evil.example")),
        "issuer-moved",
        "not identical",
    ),
    Row("no-issuer", "nothing is published", nothing_published, "discovery-failed"),
    Row("issuer-moved", "the MCP server names another issuer", moved, "discovery-failed", "was pinned"),
    Row(
        "pkce-unsupported",
        "the metadata lists no code challenge methods",
        start_authorization("metadata", faults.without("code_challenge_methods_supported")),
        "discovery-failed",
        "code_challenge_methods_supported",
    ),
    Row(
        "dcr-unsupported",
        "the metadata names no registration endpoint",
        start_authorization("metadata", faults.without("registration_endpoint")),
        "dcr-refused",
        "does not support RFC 7591",
    ),
    Row(
        "dcr-refused",
        "the registration endpoint answers invalid_redirect_uri",
        start_authorization("register", faults.oauth_error("invalid_redirect_uri")),
        "dcr-unsupported",
        "'invalid_redirect_uri'",
    ),
    Row(
        "dcr-failed",
        "the issuer is not in DCR_ALLOWED_ISSUERS",
        start_authorization("authorize", faults.status(500), DCR_ALLOWED_ISSUERS='["https://other.example"]'),
        "dcr-refused",
        "DCR_ALLOWED_ISSUERS",
    ),
    Row(
        "provider-unreachable",
        "the registration endpoint hangs up",
        start_authorization("register", faults.cut()),
        "provider-unreadable",
    ),
    Row(
        "provider-timeout",
        "the registration endpoint hangs",
        no_registration_in_time,
        "provider-unreachable",
        "in time",
    ),
    Row(
        "provider-unreadable",
        "the registration endpoint answers without an end",
        start_authorization("register", faults.bomb(16)),
        "provider-unreachable",
        "larger than",
    ),
    Row("address-refused", "the MCP server is at a loopback address", private_address, "tools-unreachable"),
    Row("tools-unreachable", "nothing listens at the MCP server's URL", nobody_listens, "tools-timeout"),
    Row(
        "tools-timeout",
        "the MCP server hangs",
        fetching(faults.hang(), OAUTH_REQUEST_TIMEOUT="2"),
        "tools-unreachable",
        "in time",
    ),
    Row("tools-unreadable", "the MCP server answers with a page", fetching(faults.html()), "tools-unreachable"),
    Row(
        "access-refused",
        "the MCP server wants more scopes",
        fetching(faults.status(403, www_authenticate=_MORE)),
        "tools-unreadable",
        "files:read",
    ),
)
