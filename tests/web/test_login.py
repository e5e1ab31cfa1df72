"""Login links, sessions and signing out (threats 1, 9 and 19)."""

import asyncio
import json
import re
from datetime import timedelta

import pytest
from latchpin.contracts import SignIn
from latchpin.identity.login import create_first_link, create_link, get_link
from latchpin.web.targets import parse_target
from latchpin.workers.instance_names import new_instance_name
from latchpin_testing import samples

from tests.web.conftest import BASE, HTML, SAME_ORIGIN, open_gateway, services_with

SESSION = "__Host-latchpin-session"


def token_of(url):
    return url.partition("?token=")[2]


async def sign_in(client, gateway, email, *, admin=False, target="/"):
    token = token_of(await create_link(gateway.services, email, admin=admin))
    return await client.post("/login", data={"token": token, "next": target}, headers={**HTML, **SAME_ORIGIN})


async def test_a_link_shows_whom_it_signs_in_and_a_button_does_it(gateway, client):
    url = await create_link(gateway.services, "Ada@Example.com", admin=True)
    assert url.startswith(f"{BASE}/login?token=")
    for _ in range(3):  # a mail scanner's looks use nothing up
        page = await client.get(url, headers=HTML)
        assert "Sign in as ada@example.com" in page.text
        assert "an administrator" in page.text
    answer = await client.post("/login", data={"token": token_of(url)}, headers=SAME_ORIGIN)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{BASE}/"
    assert (await client.get("/me")).json() == {"email": "ada@example.com", "is_admin": True, "via": "session"}


async def test_the_session_cookie_is_kept_from_scripts_and_neighbours(gateway, client):
    cookie = (await sign_in(client, gateway, "ada@example.com")).headers["set-cookie"]
    assert cookie.startswith(f"{SESSION}=")
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "secure", "samesite=lax", "path=/"} <= attributes
    assert not any(part.startswith("domain") for part in attributes)


async def test_over_loopback_http_the_cookie_names_its_port():
    local = open_gateway(base_url="http://localhost:4477", host="127.0.0.1")
    async with local as gateway, gateway.client(peer="127.0.0.1") as client:
        cookie = (await sign_in(client, gateway, "ada@example.com")).headers["set-cookie"]
        assert cookie.startswith("latchpin-session-4477=")
        assert "secure" not in cookie.lower()
        assert (await client.get("/me")).status_code == 200


async def test_of_many_uses_of_a_link_one_wins(gateway):
    token = token_of(await create_link(gateway.services, "ada@example.com"))

    async def use():
        async with gateway.client() as client:
            return (await client.post("/login", data={"token": token}, headers=SAME_ORIGIN)).status_code

    assert sorted(await asyncio.gather(*(use() for _ in range(10)))) == [303, *[400] * 9]


async def test_a_link_ends_after_ten_minutes(gateway, client):
    url = await create_link(gateway.services, "ada@example.com")
    gateway.clock.advance(timedelta(minutes=9, seconds=59))
    assert (await client.get(url, headers=HTML)).status_code == 200
    gateway.clock.advance(timedelta(seconds=1))
    assert (await client.get(url, headers=HTML)).status_code == 400
    answer = await client.post("/login", data={"token": token_of(url)}, headers={**HTML, **SAME_ORIGIN})
    assert answer.status_code == 400
    assert "latchpin login-link" in answer.text


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "é" * 43, "x" * 5000])
async def test_an_invented_link_signs_nobody_in(client, token):
    answer = await client.post("/login", data={"token": token}, headers=SAME_ORIGIN)
    assert answer.status_code == 400
    assert "set-cookie" not in answer.headers


async def test_the_store_holds_no_link_that_works(gateway):
    token = token_of(await create_link(gateway.services, "ada@example.com"))
    assert token not in repr(gateway.services.records.held())


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
        {"sec-fetch-site": "same-site", "origin": "https://sibling.example.com"},
        {"sec-fetch-site": "cross-site", "origin": "null"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "same-origin", "origin": "https://evil.example"},
        {"origin": "https://evil.example"},
        {"origin": "http://gateway.example.com"},
        {"origin": "https://gateway.example.com:8443"},
        {"origin": "null"},
        {},
    ],
)
async def test_another_sites_form_signs_nobody_in_and_uses_nothing_up(gateway, client, headers):
    token = token_of(await create_link(gateway.services, "attacker@example.com"))
    answer = await client.post("/login", data={"token": token}, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["cause"] == "csrf-refused"
    assert "set-cookie" not in answer.headers
    assert await get_link(gateway.services, token) is not None


async def test_an_old_browser_proves_itself_by_origin(gateway, client):
    token = token_of(await create_link(gateway.services, "ada@example.com"))
    assert (await client.post("/login", data={"token": token}, headers={"origin": BASE})).status_code == 303


async def test_who_follows_anothers_link_is_told_about_both_users(gateway, client):
    await sign_in(client, gateway, "victim@example.com")
    page = await client.get(await create_link(gateway.services, "attacker@example.com"), headers=HTML)
    assert "Sign in as attacker@example.com" in page.text
    assert "You are signed in as victim@example.com now" in page.text


async def test_signing_in_as_another_ends_the_earlier_session(gateway, client):
    await sign_in(client, gateway, "ada@example.com")
    earlier = client.cookies[SESSION]
    await sign_in(client, gateway, "bob@example.com")
    assert (await client.get("/me")).json()["email"] == "bob@example.com"
    async with gateway.client(cookies={SESSION: earlier}) as other:
        assert (await other.get("/me")).status_code == 401


# -- after signing in ---------------------------------------------------------------------------------


async def test_the_way_back_is_kept(gateway, client):
    answer = await sign_in(client, gateway, "ada@example.com", target="/admin/gateways?a=1&b=2")
    assert answer.headers["location"] == f"{BASE}/admin/gateways?a=1&b=2"


async def test_the_way_to_a_provider_goes_over_a_page_that_names_the_user(gateway, client):
    answer = await sign_in(client, gateway, "ada@example.com", target="/oauth/authorize/abc")
    assert answer.status_code == 200
    assert 'href="/oauth/authorize/abc"' in answer.text
    assert "ada@example.com" in answer.text


FOREIGN = [
    "https://evil.example",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/%5cevil.example",
    "/%255cevil.example",
    "/%2fevil.example",
    "%2f%2fevil.example",
    "/%252fevil.example",
    "/%25252fevil.example",
    "/\tevil.example",
    "/%09/evil.example",
    "/\n/evil.example",
    "/%0d%0aset-cookie:a=b",
    "/\x00",
    "\t//evil.example",
    " //evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    ".evil.example",
    "@evil.example",
    "http:evil.example",
    "/%" + "25" * 30 + "2fevil.example",
    "/" + "x" * 5000,
    "",
    None,
    "/login",
    "/login?token=abc",
    "/login/company?next=/",
    "/%6cogin/company",
    "/logout",
]


@pytest.mark.parametrize("target", FOREIGN)
def test_a_target_elsewhere_becomes_home(target):
    assert parse_target(target) == "/"


@pytest.mark.parametrize("target", ["/", "/admin/gateways", "/oauth/authorize/abc?x=1&y=a%20b", "/a?u=http%3A%2F%2Fx"])
def test_a_target_of_ours_is_kept_as_it_is(target):
    assert parse_target(target) == target


@pytest.mark.parametrize("target", [text for text in FOREIGN if text])
async def test_no_redirect_after_login_leaves_the_gateway(gateway, client, target):
    answer = await sign_in(client, gateway, "ada@example.com", target=target)
    assert answer.headers["location"] == f"{BASE}/"


# -- signing out and expiry ---------------------------------------------------------------------------


async def test_signing_out_ends_the_session_for_copies_too(gateway, client):
    await sign_in(client, gateway, "ada@example.com")
    copy = client.cookies[SESSION]
    page = (await client.get("/logout", headers=HTML)).text
    form = {"csrf_token": re.search(r'name="csrf_token" value="([^"]+)"', page)[1]}
    assert (await client.post("/logout", data=form, headers=SAME_ORIGIN)).status_code == 303
    assert SESSION not in client.cookies
    async with gateway.client(cookies={SESSION: copy}) as other:
        assert (await other.get("/me")).status_code == 401


async def test_another_site_cannot_sign_a_user_out(gateway, client):
    await sign_in(client, gateway, "ada@example.com")
    assert (await client.get("/logout")).status_code == 200
    assert (await client.post("/logout", headers={"sec-fetch-site": "cross-site"})).status_code == 403
    assert (await client.get("/me")).status_code == 200


PROXY = {"trusted_user_header": "X-User", "trusted_proxies": "203.0.113.7"}


async def test_who_the_proxy_contradicts_can_still_sign_out():
    async with open_gateway(**PROXY) as gateway, gateway.client() as client:
        await sign_in(client, gateway, "admin@localhost", admin=True)
        copy = client.cookies[SESSION]
        client.headers["x-user"] = "ann@example.com"
        refused = await client.get("/admin/gateways", headers=HTML)
        assert refused.status_code == 401
        assert f"{BASE}/logout" in refused.text
        assert (await client.get("/login", headers=HTML)).status_code == 200
        page = (await client.get("/logout", headers=HTML)).text
        assert "signed in as <strong>admin@localhost</strong>" in page
        assert ">Sign out</button>" in page
        assert (await client.post("/logout", headers={"sec-fetch-site": "cross-site"})).status_code == 403
        assert (await client.post("/logout", headers=SAME_ORIGIN)).status_code == 303
        assert (await client.get("/me")).json()["email"] == "ann@example.com"
        del client.headers["x-user"]
        async with gateway.client(cookies={SESSION: copy}) as other:
            assert (await other.get("/me")).status_code == 401


async def test_a_link_works_in_a_browser_whose_session_the_proxy_contradicts():
    async with open_gateway(**PROXY) as gateway, gateway.client() as client:
        await sign_in(client, gateway, "admin@localhost", admin=True)
        client.headers["x-user"] = "ann@example.com"
        assert (await sign_in(client, gateway, "ann@example.com", admin=True)).status_code == 303
        assert (await client.get("/me")).json()["is_admin"]


async def test_a_session_ends_by_itself(gateway, client):
    await sign_in(client, gateway, "ada@example.com")
    gateway.clock.advance(timedelta(hours=12))
    assert (await client.get("/me", headers=HTML)).status_code == 303


async def test_the_lifetime_of_a_session_is_a_setting():
    async with open_gateway(session_lifetime_seconds=600) as gateway, gateway.client() as client:
        cookie = (await sign_in(client, gateway, "ada@example.com")).headers["set-cookie"]
        assert "Max-Age=600" in cookie
        gateway.clock.advance(timedelta(seconds=599))
        assert (await client.get("/me")).status_code == 200
        gateway.clock.advance(timedelta(seconds=1))
        assert (await client.get("/me")).status_code == 401


async def test_an_ended_session_stays_ended_when_the_setting_is_lowered():
    async with open_gateway() as before, before.client() as client:
        await sign_in(client, before, "ada@example.com")
        copy = client.cookies[SESSION]
        records, clock = before.services.records, before.clock
        async with open_gateway(session_lifetime_seconds=60, records=records, clock=clock) as after:
            async with after.client(cookies={SESSION: copy}) as signing_out:
                page = (await signing_out.get("/logout", headers=HTML)).text
                form = {"csrf_token": re.search(r'name="csrf_token" value="([^"]+)"', page)[1]}
                assert (await signing_out.post("/logout", data=form, headers=SAME_ORIGIN)).status_code == 303
            clock.advance(timedelta(hours=1))
            async with after.client(cookies={SESSION: copy}) as thief:
                assert (await thief.get("/me")).status_code == 401


# -- other ways to sign in ------------------------------------------------------------------------------

COMPANY = SignIn("Example & <Co>", "/login/company", sign_out_path="/login/company/sign-out")


async def test_the_login_page_links_to_each_way_and_carries_the_target():
    async with open_gateway(sign_ins=[COMPANY]) as gateway, gateway.client() as client:
        page = (await client.get("/login", params={"next": "/oauth/authorize/a?b=c&d=e"}, headers=HTML)).text
        assert 'href="/login/company?next=/oauth/authorize/a%3Fb%3Dc%26d%3De"' in page
        assert "Sign in with Example &amp; &lt;Co&gt;</a>" in page
        foreign = (await client.get("/login", params={"next": "https://evil.example"}, headers=HTML)).text
        assert 'href="/login/company?next=/"' in foreign


async def test_who_signed_out_is_told_where_else_to_sign_out():
    async def no(*_: object) -> bool:
        return False

    quiet = SignIn("Other", "/login/other")
    without = SignIn("Nowhere", "/login/nowhere", sign_out_path="/login/nowhere/sign-out", signs_out=no)
    async with open_gateway(sign_ins=[COMPANY, quiet, without]) as gateway, gateway.client() as client:
        assert "sign-out" not in (await client.get("/login", headers=HTML)).text
        page = (await client.get("/logout", headers=HTML)).text
        assert 'href="/login/company/sign-out"' in page
        assert "Other" not in page
        assert "Nowhere" not in page


# -- the first start ----------------------------------------------------------------------------------


async def test_of_many_workers_one_prints_the_first_link(gateway):
    made = await asyncio.gather(*(create_first_link(gateway.services) for _ in range(8)))
    assert len([each for each in made if each]) == 1


async def test_the_first_link_is_for_the_first_administrator():
    async with open_gateway(admin_emails="Root@Example.com,b@example.com") as gateway:
        url, email = await create_first_link(gateway.services)
        assert email == "root@example.com"
        assert (await get_link(gateway.services, token_of(url))).is_admin


async def test_an_unused_first_link_makes_room_for_another_until_somebody_signs_in(gateway, client):
    assert await create_first_link(gateway.services)
    assert await create_first_link(gateway.services) is None
    gateway.clock.advance(timedelta(minutes=10))
    url, _ = await create_first_link(gateway.services)
    await client.post("/login", data={"token": token_of(url)}, headers=SAME_ORIGIN)
    gateway.clock.advance(timedelta(days=300))
    assert await create_first_link(gateway.services) is None


def as_process(services, instance):
    """The same services in another process."""
    values = {name: getattr(services, name) for name in type(services).__slots__ if hasattr(services, name)}
    return services_with(**values | {"instance_id": instance})


def process(*, machine="", pid=None, start=None, random="00000001"):
    own, own_pid, own_start, _ = new_instance_name().split("-")
    return "-".join((machine or own, pid or own_pid, start or own_start, random))


HOLDERS = [
    # who printed the last link, seconds since then, whether the next start prints one, why
    (process(random="0000000a"), 1, False, "it runs: another worker of the same start"),
    (process(start="1"), 1, True, "it has ended, and its number was given to another"),
    (process(pid="fffffff"), 1, True, "it has ended"),
    (process(machine="00000000"), 1, False, "on another machine, and it may just be starting"),
    (process(machine="00000000"), 31, True, "on another machine, and it never said that it is there"),
    ("not-a-name", 599, False, "an earlier version's, of which nobody can tell"),
]


@pytest.mark.parametrize(("holder", "seconds", "made", "why"), HOLDERS, ids=[why for *_, why in HOLDERS])
async def test_a_second_start_prints_a_link_if_the_first_has_ended(gateway, holder, seconds, made, why):
    assert await create_first_link(as_process(gateway.services, holder))
    gateway.clock.advance(timedelta(seconds=seconds))
    starting = [as_process(gateway.services, process(random=f"000000f{n}")) for n in range(5)]
    links = await asyncio.gather(*map(create_first_link, starting))
    assert len([link for link in links if link]) == made, why
    assert not [link for link in await asyncio.gather(*map(create_first_link, starting)) if link]


async def test_a_start_elsewhere_that_says_it_is_there_keeps_its_link(gateway):
    there = as_process(gateway.services, process(machine="00000000"))
    assert await create_first_link(there)
    entry = {"host": "there", "seen_at": gateway.clock().isoformat(), "facts": {}}
    await gateway.services.kept.put(f"instance:{there.instance_id}", json.dumps(entry))
    gateway.clock.advance(timedelta(seconds=100))
    assert await create_first_link(as_process(gateway.services, process())) is None


async def test_no_first_link_is_made_once_a_gateway_exists(gateway):
    await gateway.services.records.gateways.put(samples.gateway(gateway.clock()))
    assert await create_first_link(gateway.services) is None


JWKS = {"jwt_jwks_url": "https://idp.example/keys", "jwt_issuer": "https://idp.example", "jwt_audience": "latchpin"}


@pytest.mark.parametrize(
    ("way", "settings", "made"),
    [
        (SignIn("Example", "/login/x"), {}, True),  # nobody would be an administrator
        (SignIn("Example", "/login/x"), {"admin_emails": "ann@example.com"}, False),
        (SignIn("Example", "/login/x", names_administrators=True), {}, False),
    ],
)
async def test_no_first_link_is_made_where_administrators_sign_in_otherwise(way, settings, made):
    async with open_gateway(sign_ins=[way], **settings) as gateway:
        assert bool(await create_first_link(gateway.services)) is made


@pytest.mark.parametrize(("settings", "made"), [(PROXY, False), (JWKS, False), ({"jwt_secret_key": "k" * 64}, True)])
async def test_no_first_link_is_made_where_people_sign_in_elsewhere(settings, made):
    async with open_gateway(**settings) as gateway:
        assert bool(await create_first_link(gateway.services)) is made
