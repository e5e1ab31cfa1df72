"""Forms of other sites, and identities that disagree (threats 1, 11 and 14)."""

import re
from datetime import timedelta

import pytest
from latchpin.model import Caller
from latchpin_testing import samples

from tests.web.conftest import HTML, SAME_ORIGIN, open_gateway
from tests.web.test_login import sign_in


async def form_token(client):
    page = (await client.get("/", headers=HTML)).text
    return re.search(r'name="csrf_token" value="([^"]+)"', page)[1]


async def test_a_form_of_our_own_page_is_taken(gateway, client):
    await sign_in(client, gateway, "ada@example.com")
    form = {"csrf_token": await form_token(client)}
    assert (await client.post("/act", data=form, headers=SAME_ORIGIN)).status_code == 200
    header = {"x-csrf-token": form["csrf_token"], **SAME_ORIGIN}
    assert (await client.post("/act", json={}, headers=header)).status_code == 200


@pytest.mark.parametrize(
    ("token", "headers"),
    [
        (None, SAME_ORIGIN),
        ("", SAME_ORIGIN),
        ("nonsense", SAME_ORIGIN),
        ("good", {}),
        ("good", {"sec-fetch-site": "cross-site"}),
        ("good", {"sec-fetch-site": "same-site"}),
        ("good", {"origin": "https://evil.example"}),
    ],
)
async def test_a_form_without_full_proof_is_refused(gateway, client, token, headers):
    await sign_in(client, gateway, "ada@example.com")
    form = {"csrf_token": await form_token(client) if token == "good" else token} if token is not None else {}
    answer = await client.post("/act", data=form, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["cause"] == "csrf-refused"


async def test_a_form_token_is_good_for_its_own_session_only(gateway, client):
    await sign_in(client, gateway, "attacker@example.com")
    stolen = await form_token(client)
    async with gateway.client() as victim:
        await sign_in(victim, gateway, "victim@example.com")
        assert (await victim.post("/act", data={"csrf_token": stolen}, headers=SAME_ORIGIN)).status_code == 403
    await sign_in(client, gateway, "attacker@example.com")  # the same user, another session
    assert (await client.post("/act", data={"csrf_token": stolen}, headers=SAME_ORIGIN)).status_code == 403


async def test_a_form_token_ends(gateway, client):
    await sign_in(client, gateway, "ada@example.com")
    token = await gateway.signed_tokens.sign("csrf", {"sub": "whoever"}, lifetime=timedelta(seconds=5))
    gateway.clock.advance(timedelta(seconds=6))
    assert (await client.post("/act", data={"csrf_token": token}, headers=SAME_ORIGIN)).status_code == 403


async def test_a_session_ticket_is_no_form_token(gateway, client):
    await sign_in(client, gateway, "ada@example.com")
    form = {"csrf_token": client.cookies["__Host-latchpin-session"]}
    assert (await client.post("/act", data=form, headers=SAME_ORIGIN)).status_code == 403


async def test_a_bearer_token_needs_no_form_token_unless_a_browser_says_foreign(gateway, client):
    bearer = await gateway.bearer("ada@example.com")
    assert (await client.post("/act", headers=bearer)).status_code == 200
    assert (await client.post("/act", headers={**bearer, "sec-fetch-site": "cross-site"})).status_code == 403


class KeyIdentity:
    """A stranger's way to know callers: a key in a header of its own, or a cookie."""

    def __init__(self, proves_intent):
        self.proves_intent = proves_intent

    async def identify(self, evidence):
        known = evidence.headers.get("x-acme-key") == ("ada",)
        return Caller("ada@example.com", via="acme-key", proves_intent=self.proves_intent) if known else None


@pytest.mark.parametrize(
    ("proves_intent", "headers", "status"),
    [
        (True, {}, 200),  # a program added the header: it meant it
        (True, {"sec-fetch-site": "cross-site"}, 403),  # a browser says that another site's page sent it
        (False, {}, 403),  # what a browser sends by itself proves nothing
        (False, SAME_ORIGIN, 403),
    ],
)
async def test_a_plugins_identity_says_itself_whether_it_proves_intent(proves_intent, headers, status):
    async with open_gateway(identities=[KeyIdentity(proves_intent)]) as gateway, gateway.client() as client:
        answer = await client.post("/act", headers={"x-acme-key": "ada", **headers})
        assert answer.status_code == status
        assert (await client.get("/me", headers={"x-acme-key": "ada"})).json()["via"] == "acme-key"


async def test_intent_is_proven_by_any_of_the_identities_that_agree():
    async with open_gateway(identities=[KeyIdentity(False)]) as gateway, gateway.client() as client:
        headers = {"x-acme-key": "ada", **await gateway.bearer("ada@example.com")}
        assert (await client.post("/act", headers=headers)).status_code == 200


# -- who is asking ------------------------------------------------------------------------------------


async def test_identities_that_agree_count_once(gateway, client):
    await sign_in(client, gateway, "ada@example.com", admin=True)
    answer = await client.get("/me", headers=await gateway.bearer("ADA@example.com"))
    assert answer.json() == {"email": "ada@example.com", "is_admin": True, "via": "bearer"}


async def test_identities_that_disagree_are_refused(gateway, client):
    await sign_in(client, gateway, "ada@example.com")
    answer = await client.get("/me", headers=await gateway.bearer("bob@example.com"))
    assert answer.status_code == 401
    assert "disagree" in answer.json()["detail"]


PROXY = {"trusted_user_header": "X-Forwarded-User", "trusted_proxies": "10.0.0.0/8"}


async def test_a_proxys_user_and_a_session_of_another_are_refused():
    async with open_gateway(**PROXY) as gateway, gateway.client(peer="10.1.2.3") as client:
        assert (await client.get("/me", headers={"x-forwarded-user": "ada@example.com"})).status_code == 200
        await sign_in(client, gateway, "bob@example.com")
        assert (await client.get("/me", headers={"x-forwarded-user": "ada@example.com"})).status_code == 401


async def test_the_proxys_header_is_nothing_from_anybody_else():
    async with open_gateway(**PROXY) as gateway:
        for peer in ("203.0.113.7", "127.0.0.1", "11.0.0.1", ""):
            async with gateway.client(peer=peer) as client:
                headers = {"x-forwarded-user": "root@example.com", "x-forwarded-for": "10.0.0.1"}
                assert (await client.get("/me", headers=headers)).status_code == 401


async def test_a_header_that_a_caller_slipped_in_is_refused():
    async with open_gateway(**PROXY) as gateway, gateway.client(peer="10.1.2.3") as client:
        twice = [("x-forwarded-user", "ada@example.com"), ("x-forwarded-user", "ada@example.com")]
        assert (await client.get("/me", headers=twice)).status_code == 401


async def test_listed_administrators_are_so_from_every_source():
    listed = open_gateway(admin_emails="Ada@Example.com", **PROXY)
    async with listed as gateway, gateway.client(peer="10.1.2.3") as client:
        by_proxy = await client.get("/me", headers={"x-forwarded-user": "ada@example.com"})
        by_token = await client.get("/me", headers=await gateway.bearer("ada@example.com"))
        assert by_proxy.json()["is_admin"]
        assert by_token.json()["is_admin"]


# -- outsiders learn nothing (threat 16) --------------------------------------------------------------


@pytest.mark.parametrize("path", ["/admin/gateways", "/", "/oauth/registered-clients"])
async def test_outsiders_are_asked_who_they_are_first(client, path):
    assert (await client.get(path)).status_code == 401


async def test_users_are_no_administrators(gateway, client):
    headers = await gateway.bearer("ada@example.com")
    assert (await client.get("/oauth/registered-clients", headers=headers)).status_code == 403


async def test_a_user_does_not_see_gateways_of_others(gateway, client):
    now = gateway.clock()
    theirs = samples.gateway(now, name="Hidden one", allowed_users=("bob@example.com",))
    await gateway.services.records.gateways.put(theirs)
    await sign_in(client, gateway, "ada@example.com")
    page = (await client.get("/admin/gateways", headers=HTML)).text
    assert "Hidden one" not in page
    assert theirs.id not in page
