"""Rules of tokens: renewed once, kept through failures, each user's own; and of the addresses that are asked."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager

import pytest
from latchpin.model import Caller

from tests.providers import faults
from tests.rules.conftest import GatewayUnderTest, Rule, demand, keep, miss
from tests.support.gateway_in_process import ALICE, BASE

BOB = "bob@example.com"
HOUR = {"hours": 1.01}


# -- refresh --------------------------------------------------------------------------------------------


async def refreshed_once_at_once(tested: GatewayUnderTest) -> None:
    gateway_id = await tested.authorize()
    tested.gateway.clock.advance(**HOUR)
    arrived, gate = threading.Event(), threading.Event()

    async def not_before_all_have_begun(app, scope, receive, send):
        arrived.set()
        await faults.held(gate)(app, scope, receive, send)

    tested.switch.arm("token", not_before_all_have_begun)
    callers = [asyncio.create_task(tested.outcome(gateway_id)) for _ in range(20)]
    assert await asyncio.to_thread(arrived.wait, 60), "nobody asked the token endpoint"
    gate.set()
    outcomes = set(await asyncio.gather(*callers))
    demand(outcomes == {"token"}, f"callers got {outcomes}")
    demand(len(tested.grants("refresh_token")) == 1, f"{len(tested.grants('refresh_token'))} refreshes")


def without_single_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(self, key, start):
        return await start()

    @asynccontextmanager
    async def nobody_waits(self, *_, **__):
        yield None

    async def unfenced(self, token, *, replacing):
        self.rows[token.gateway_id, token.app_user_email, token.label] = token

    monkeypatch.setattr("latchpin_memory_store.records._Tokens.put", unfenced)
    monkeypatch.setattr("latchpin.workers.shared_tasks.SharedTasks.run", at_once)
    monkeypatch.setattr("latchpin.workers.leases.Leases.hold", nobody_waits)


async def renewed_before_expiry(tested: GatewayUnderTest) -> None:
    gateway_id = await tested.authorize()
    tested.gateway.clock.advance(minutes=59.5)
    await tested.token(gateway_id)
    demand(tested.grants("refresh_token"), "a token with half a minute to live was given out")


def without_early_renewal(monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    monkeypatch.setattr("latchpin.oauth.lifetime.EARLY", timedelta(0))


async def refresh_token_is_kept(tested: GatewayUnderTest) -> None:
    gateway_id = await tested.authorize()
    kept = faults.without("refresh_token")
    tested.switch.arm("token", kept)
    tested.gateway.clock.advance(**HOUR)
    await tested.token(gateway_id)
    tested.gateway.clock.advance(**HOUR)
    await tested.outcome(gateway_id)
    demand(len(tested.grants("refresh_token")) == 2, "the refresh token was lost where the answer named none")


def without_keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    from latchpin.tokens.outcomes import seal_grant

    def forgetful(cipher, token, grant, **_):
        return seal_grant(cipher, token, grant, kept_refresh=None)

    monkeypatch.setattr("latchpin.tokens.outcomes.seal_grant", forgetful)


async def a_5xx_decides_nothing(tested: GatewayUnderTest) -> None:
    gateway_id = await tested.authorize()
    tested.gateway.clock.advance(**HOUR)
    tested.switch.arm("token", faults.oauth_error("invalid_grant", code=503))
    demand(await tested.outcome(gateway_id) == "provider", "a 503 was taken for a decision")
    tested.switch.heal()
    demand(await tested.outcome(gateway_id) == "token", "everything was not kept")


def without_5xx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchpin.oauth.token_reply._overloaded", lambda *_: None)


async def invalid_grant_ends_it(tested: GatewayUnderTest) -> None:
    gateway_id = await tested.authorize()
    tested.gateway.clock.advance(**HOUR)
    tested.switch.arm("token", faults.oauth_error("invalid_grant"))
    outcomes = [await tested.outcome(gateway_id) for _ in range(3)]
    demand(outcomes == ["required"] * 3, f"callers got {outcomes}")
    demand(len(tested.grants("refresh_token")) == 1, "a spent refresh token was sent again")


def without_invalid_grant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchpin.tokens.renewal._OF_NO_USE", frozenset())


async def resource_in_every_request(tested: GatewayUnderTest) -> None:
    gateway_id = await tested.authorize()
    tested.gateway.clock.advance(**HOUR)
    await tested.token(gateway_id)
    sent = [asked.form for asked in tested.switch.asked("token")] + [tested.switch.asked("authorize")[0].query]
    named = [each.get("resource") for each in sent]
    demand(named == [tested.switch.provider.mcp_url] * 3, f"the requests name {named}")


def without_resource_at_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    from latchpin.tokens.endpoint import build_refresh_request

    def bare(**fields):
        return build_refresh_request(**{**fields, "resource": None})

    monkeypatch.setattr("latchpin.tokens.endpoint.build_refresh_request", bare)


# -- the provider's answers -----------------------------------------------------------------------------


async def echoed_secrets(tested: GatewayUnderTest) -> None:
    async def echo(_app, _scope, receive, send):
        body = (await receive()).get("body", b"").decode()

        async def nothing_more():
            return {"type": "http.request"}

        await faults.oauth_error("invalid_grant", f"we got {body}")(_app, _scope, nothing_more, send)

    gateway_id = await tested.add()
    async with tested.gateway.browser() as browser:
        url = await tested.begin(browser, gateway_id)
        tested.switch.arm("token", echo)
        page = await browser.open(url)
    sent = tested.grants("authorization_code")[0]
    demand("we got" in page.text, "the provider's words are not shown at all, so this check sees nothing")
    demand(sent["code"] not in page.text and sent["code_verifier"] not in page.text, "a secret came back on a page")


def without_striking_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchpin.oauth.refusal.plain_words", lambda value, **_: str(value))


async def bearer_only(tested: GatewayUnderTest) -> None:
    gateway_id = await tested.add()
    tested.switch.arm("token", faults.changed(token_type="mac"))
    async with tested.gateway.browser() as browser:
        page = await browser.open(await tested.begin(browser, gateway_id))
    demand(page.status == 502, f"answered {page.status}")


def without_token_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchpin.oauth.token_reply._read_type", lambda *_, **__: "Bearer")


async def a_forgotten_client_heals_once(tested: GatewayUnderTest) -> None:
    gateway_id = await tested.add()
    tested.switch.arm("token", faults.oauth_error("invalid_client", code=401))
    async with tested.gateway.browser() as browser:
        for _ in range(4):
            await browser.open(await tested.begin(browser, gateway_id))
    registered = len(tested.switch.asked("register"))
    demand(registered == 2, f"{registered} clients were registered")


def without_healing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(self, *_):
        return False

    monkeypatch.setattr("latchpin.clients.directory.ClientDirectory.reregister", never)


def without_an_end_of_healing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def always(self, _refused, gateway_id, issuer, client_id):
        return await self.drop(gateway_id, issuer, client_id=client_id)

    monkeypatch.setattr("latchpin.clients.directory.ClientDirectory.reregister", always)


# -- addresses ------------------------------------------------------------------------------------------


async def private_address(tested: GatewayUnderTest) -> None:
    answer = await tested.answer_to(await tested.add())
    demand(answer.status_code == 502 and not tested.switch.asked(), f"a private address was asked: {answer.text}")


def without_address_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchpin.outbound.connections.refusal", lambda _: None)
    monkeypatch.setattr("latchpin.outbound.http._check_url", lambda text, **_: __import__("yarl").URL(text))


async def redirected_metadata(tested: GatewayUnderTest) -> None:
    issuer = tested.switch.provider.issuer
    tested.switch.arm("metadata", faults.redirect(f"{issuer}/.well-known/openid-configuration"))
    tested.switch.arm("openid", faults.status(404), times=1)  # where it is looked for next, without being sent there
    await tested.answer_to(await tested.add())
    places = [asked.path for asked in tested.switch.asked("openid")]
    first = "/.well-known/openid-configuration/accounts"
    demand(places[:1] == [first], f"the redirect was followed: {places}")


def without_refusing_redirects(monkeypatch: pytest.MonkeyPatch) -> None:
    import aiohttp

    request = aiohttp.ClientSession.request

    def following(self, *arguments, **options):
        return request(self, *arguments, **{**options, "allow_redirects": True})

    monkeypatch.setattr(aiohttp.ClientSession, "request", following)


# -- each user's own ------------------------------------------------------------------------------------


async def own_token(tested: GatewayUnderTest) -> None:
    gateway_id = await tested.authorize()
    demand(await tested.outcome(gateway_id, BOB) == "required", "one user was given another's token")


def without_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchpin.tokens.service.TokenService.owner_of", lambda *_: ALICE)


async def own_tools(tested: GatewayUnderTest) -> None:
    gateway_id = await tested.authorize()
    toolbox, entry = tested.gateway.application.toolbox, await tested.entry(gateway_id)
    await toolbox.fetch(entry, Caller(ALICE))
    demand(await toolbox.stored(entry, Caller(ALICE)), "nothing was stored")
    demand(not await toolbox.stored(entry, Caller(BOB)), "one user was shown another's tools")


def without_tool_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    from latchpin.gateways.tools.toolbox import Toolbox

    stored = Toolbox.stored

    async def anybodys(self, gateway, caller):
        return await stored(self, gateway, Caller(ALICE))

    monkeypatch.setattr(Toolbox, "stored", anybodys)


async def sealed_to_its_user(tested: GatewayUnderTest) -> None:
    from dataclasses import replace

    gateway_id = await tested.authorize()
    tokens = tested.gateway.application.services.records.tokens
    alices = await tokens.get(gateway_id, ALICE)
    await tokens.put(replace(alices, id="f" * 32, app_user_email=BOB, revision=1), replacing=None)
    demand(await tested.outcome(gateway_id, BOB) == "required", "a row copied onto another user opened")


def without_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchpin.tokens.sealing.place_of", lambda *_: ("", "", "", ""))
    monkeypatch.setattr("latchpin.tokens.sealing._place", lambda *_: ("", "", "", ""))
    monkeypatch.setattr("latchpin.authorization.callback.place_of", lambda *_: ("", "", "", ""))


async def allowed_users(tested: GatewayUnderTest) -> None:
    gateway_id = await tested.add(allowed_users=[ALICE])
    demand((await tested.answer_to(gateway_id)).status_code == 302, "an allowed user was refused")
    answer = await tested.answer_to(gateway_id, BOB)
    unknown = await tested.answer_to("0" * 32, BOB)
    demand((answer.status_code, unknown.status_code) == (404, 404), f"answered {answer.status_code}")


def without_allowed_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchpin.gateways.registry.may_use", lambda *_: True)


async def administrators_write(tested: GatewayUnderTest) -> None:
    from datetime import timedelta

    token = await tested.gateway.application.signed_tokens.create_bearer(BOB, False, timedelta(hours=1))
    async with tested.gateway.client(None, Authorization=f"Bearer {token}") as bob:
        answer = await bob.post(f"{BASE}/gateways", json={"url": "https://mcp.example/mcp"})
    demand(answer.status_code == 403, f"answered {answer.status_code}")


def without_administrators(monkeypatch: pytest.MonkeyPatch) -> None:
    from latchpin.web.identity import require_caller

    monkeypatch.setattr("latchpin.web.dependencies.require_admin", require_caller)
    monkeypatch.setattr("latchpin.gateways.registry._check_admin", lambda _: None)


RULES = (
    Rule("a token is refreshed once, however many ask", refreshed_once_at_once, without_single_flight),
    Rule("a token is renewed before it ends", renewed_before_expiry, without_early_renewal),
    Rule("a refresh token outlives an answer without one", refresh_token_is_kept, without_keeping),
    Rule("a 5xx at the token endpoint decides nothing", a_5xx_decides_nothing, without_5xx),
    Rule("invalid_grant means authorizing again, and no second try", invalid_grant_ends_it, without_invalid_grant),
    Rule("every request names the resource", resource_in_every_request, without_resource_at_refresh),
    Rule("secrets that a provider echoes are struck out", echoed_secrets, without_striking_out),
    Rule("only Bearer tokens are taken", bearer_only, without_token_type),
    Rule("a client that the server forgot is registered anew", a_forgotten_client_heals_once, without_healing),
    Rule("a client is registered anew only once", a_forgotten_client_heals_once, without_an_end_of_healing),
    Rule(
        "private addresses are not asked",
        private_address,
        without_address_check,
        {"OAUTH_ALLOW_PRIVATE_NETWORKS": "false"},
    ),
    Rule("metadata's redirects are not followed", redirected_metadata, without_refusing_redirects),
    Rule("each user has a token of their own", own_token, without_owner),
    Rule("each user sees tools of their own", own_tools, without_tool_owner),
    Rule("a sealed token opens for its own user alone", sealed_to_its_user, without_place),
    Rule("a gateway is for its allowed users", allowed_users, without_allowed_users),
    Rule("administrators alone write gateways", administrators_write, without_administrators),
)

every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)


@every_rule
async def test_the_rule_is_kept(rule: Rule, environment: pytest.MonkeyPatch):
    await keep(rule, environment)


@every_rule
async def test_without_the_rule_its_check_fails(rule: Rule, environment: pytest.MonkeyPatch):
    await miss(rule, environment)
