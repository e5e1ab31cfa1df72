"""What a callback must prove: its own text, the browser, the user, the gateway, the issuer and the verifier."""

from __future__ import annotations

import httpx
from latchpin.errors.causes.refusals import AUTHORIZATION

from tests.callback.gateway import BASE
from tests.causes.row import Row, Situation
from tests.causes.stores import change_row, rows
from tests.causes.world import World, rebuilt
from tests.providers import faults

__all__ = ["PROOF_ROWS"]

NEW = "another-secret-of-the-tests-with-enough-characters"


async def without_state(world: World) -> httpx.Response:
    async with world.begun(await world.gateway()) as begun:
        url = rebuilt(begun.url, lambda query: {name: query[name] for name in query if name != "state"})
        return await begun.finish(url=url)


async def damaged(world: World) -> httpx.Response:
    async with world.begun(await world.gateway()) as begun:
        return await begun.finish(url=rebuilt(begun.url, lambda query: query | {"state": query["state"][:-2]}))


async def altered(world: World) -> httpx.Response:
    async with world.begun(await world.gateway()) as begun, world.begun(begun.gateway) as other:
        tail = rebuilt(other.url, lambda query: query).partition("state=")[2].partition("&")[0].partition(".")[2]
        url = rebuilt(begun.url, lambda query: query | {"state": f"{query['state'].partition('.')[0]}.{tail}"})
        return await begun.finish(url=url)


async def secret_changed(world: World) -> httpx.Response:
    async with world.begun(await world.gateway()) as begun:
        return await begun.finish(at=await world.gateway(AUTH_ENCRYPTION_SECRET=NEW))


async def another_browser(world: World) -> httpx.Response:
    async with world.begun(await world.gateway()) as begun:
        begun.browser.cookies.clear()
        return await begun.finish()


async def another_user(world: World) -> httpx.Response:
    async with world.begun(await world.gateway()) as begun:
        return await begun.finish(user="bob@example.com")


async def another_gateways_path(world: World) -> httpx.Response:
    async with world.begun(await world.gateway()) as begun:
        return await begun.finish(url=begun.url.replace("/oauth/callback", f"/oauth/callback/{'0' * 32}"))


async def common_redirect_uri(world: World) -> httpx.Response:
    own = {"redirect_uri": f"{BASE}/oauth/callback/{{gateway_id}}"}
    async with world.begun(await world.gateway(), oauth_config=own) as begun:
        return await begun.finish(url=begun.url.replace(f"/oauth/callback/{begun.id}", "/oauth/callback"))


async def another_issuer(world: World) -> httpx.Response:
    world.provider.arm("consent", faults.callback_with(iss="https://evil.example"))
    async with world.begun(await world.gateway()) as begun:
        return await begun.finish()


async def no_issuer_in_the_answer(world: World) -> httpx.Response:
    world.provider.arm("consent", faults.callback_without("iss"))
    async with world.begun(await world.gateway()) as begun:
        return await begun.finish()


async def verifier_gone(world: World) -> httpx.Response:
    async with world.begun(await world.gateway()) as begun:
        change_row(world, begun.gateway, code_verifier="")
        return await begun.finish()


async def verifier_of_another_row(world: World) -> httpx.Response:
    gateway = await world.gateway()
    async with world.begun(gateway) as other:
        (foreign,) = rows(world, gateway)
        await other.finish()
    await gateway.application.services.states.purge(everything=True)
    async with world.begun(gateway) as begun:
        change_row(world, gateway, code_verifier=foreign)
        return await begun.finish()


def refused(code: str) -> Situation:
    """The provider answers with an error instead of a code."""

    async def bring(world: World) -> httpx.Response:
        async with world.begun(await world.gateway()) as begun:

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
    *(
        Row(
            AUTHORIZATION[code].slug,
            f"the provider answers {code}",
            refused(code),
            AUTHORIZATION[_CODES[index - 1]].slug,
            f"{code}: ",
        )
        for index, code in enumerate(_CODES)
    ),
    Row("authorization-refused", "the provider answers made_up", refused("made_up"), "refused-server-error", "made_up"),
)
