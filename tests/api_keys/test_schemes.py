"""An ``auth_type`` is whose plugin offers it: one as a stranger would write it, and one whose plugin is gone."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import latchpin
import pytest
from latchpin.contracts import AuthScheme
from latchpin.errors import InvalidRequest, KeyRefused, PluginError
from latchpin.gateways.registry import parse_gateway_body
from latchpin.model import ApiKeyConfig, Caller, Gateway, StoredToken
from latchpin_testing import AuthSchemeContract

from tests.api_keys.keyed_server import KeyedServer, start_keyed
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway, open_gateway


class Basic:
    name = "basic"
    label = "User name and password"
    page = "/acme/{gateway_id}/password"

    def change_place(self, earlier: ApiKeyConfig | None, given: Mapping[str, str | None] | None) -> None:
        if any(value is not None for value in (given or {}).values()):
            raise InvalidRequest("api_key is given, and a password always goes in Authorization")

    def explain_key(self, key: str) -> str | None:
        return None if ":" in key and key.isprintable() else "a user name and a password have a colon between them"

    def headers(self, place: ApiKeyConfig | None) -> Sequence[str]:
        return ("authorization",)

    async def fields(self, key: str, place: ApiKeyConfig | None, *, method: str, url: str) -> Sequence[tuple[str, str]]:
        return (("Authorization", f"Basic {b64encode(key.encode()).decode()}"),)


@latchpin.hookimpl
def latchpin_auth_schemes() -> Sequence[AuthScheme]:
    return [Basic()]


KEY = "sk-kept-0123456789"
PASSWORD = "ann:correct horse"
BASIC = f"Basic {b64encode(PASSWORD.encode()).decode()}"
ADMIN = Caller("admin@example.com", is_admin=True)


class TestBasic(AuthSchemeContract):
    @pytest.fixture
    def scheme(self) -> Basic:
        return Basic()


class Leaky(Basic):
    """Says in an error what was entered."""

    def change_place(self, earlier: ApiKeyConfig | None, given: Mapping[str, str | None] | None) -> None:
        if given:
            raise InvalidRequest(f"that is no place: {given}")


class Drifting(Basic):
    """Gives another place each time."""

    def change_place(self, earlier: Any, given: Any) -> Any:
        return ApiKeyConfig("X-Key", "" if earlier is None else f"{earlier.prefix}x")


class Careless(Basic):
    """Takes any text."""

    def explain_key(self, key: str) -> str | None:
        return None


class Aside(Basic):
    """Writes a field that it does not name."""

    def headers(self, place: ApiKeyConfig | None) -> Sequence[str]:
        return ("x-password",)


class Elsewhere(Basic):
    """Has a page of somebody else's."""

    page = "//acme.example/{gateway_id}"


@pytest.mark.parametrize(
    ("scheme", "rule", "told"),
    [
        (Leaky(), "test_it_repeats_nothing_of_an_entry_that_does_not_hold", "repeats no value"),
        (Drifting(), "test_an_entry_that_says_nothing_of_a_place_stays", "a place stays"),
        (Careless(), "test_what_cannot_be_sent_is_no_key", "is no key"),
        (Aside(), "test_it_shows_the_key_in_fields_of_its_own", "one that it names"),
        (Elsewhere(), "test_it_has_a_name_a_label_and_a_page", "a page is a path"),
    ],
)
async def test_the_suite_finds_what_is_wrong(scheme: Basic, rule: str, told: str):
    arguments = (scheme, PASSWORD) if rule.startswith(("test_what", "test_it_shows")) else (scheme,)
    with pytest.raises(pytest.fail.Exception, match=f"contract broken: .*{told}"):
        await getattr(AuthSchemeContract(), rule)(*arguments)


@pytest.fixture
async def inner(environment: pytest.MonkeyPatch) -> AsyncIterator[InnerGateway]:
    async with open_gateway() as opened:
        yield opened


@pytest.fixture
def server() -> Iterator[KeyedServer]:
    with start_keyed(("authorization", f"Bearer {KEY}"), ("authorization", BASIC)) as started:
        yield started


async def test_a_scheme_of_somebody_else_serves(
    inner: InnerGateway, server: KeyedServer, monkeypatch: pytest.MonkeyPatch
):
    application, alice = inner.application, Caller(ALICE)
    monkeypatch.setitem(application.services.auth_schemes, "basic", Basic())
    gateway = await application.gateways.get_any(await inner.add(server.url, auth_type="basic"))
    assert gateway.api_key is None
    async with inner.client(ALICE) as client:
        led = await client.get(f"{BASE}/oauth/authorize/{gateway.id}", params={"account": "work"})
        assert led.headers["location"] == f"{BASE}/acme/{gateway.id}/password?account=work"
    with pytest.raises(InvalidRequest, match="a colon between them"):
        await application.api_keys.keep(gateway, "correct horse", alice)
    server.refusal = 403
    with pytest.raises(KeyRefused):
        await application.api_keys.keep(gateway, "ann:wrong", alice)
    assert (await application.api_keys.keep(gateway, PASSWORD, alice)).tools == 2
    server.arrived.clear()
    assert len((await application.toolbox.fetch(gateway, alice)).tools) == 2
    assert server.shown("authorization") == {BASIC}
    with pytest.raises(InvalidRequest, match="always goes in Authorization"):
        await application.gateways.change(gateway.id, parse_gateway_body({"api_key": {"header": "X-Key"}}), ADMIN)
    other = await application.gateways.change(gateway.id, parse_gateway_body({"auth_type": "api_key"}), ADMIN)
    assert (other.api_key, await application.tokens.stored_for(other, alice)) == (ApiKeyConfig(), None)


async def test_what_a_server_repeats_of_a_password_is_not_told(
    inner: InnerGateway, server: KeyedServer, monkeypatch: pytest.MonkeyPatch
):
    """Nor of what is made of it: Basic only writes it otherwise."""
    application = inner.application
    monkeypatch.setitem(application.services.auth_schemes, "basic", Basic())
    gateway = await application.gateways.get_any(await inner.add(server.url, auth_type="basic"))
    await application.api_keys.keep(gateway, PASSWORD, Caller(ALICE))
    async with inner.client(ALICE) as client:
        server.instead = (307, ((b"location", f"/{BASIC[6:]}".encode()),))
        told = await client.post(f"{BASE}/oauth/fetch-tools/{gateway.id}", headers=await inner.bearer(ALICE))
    assert told.status_code >= 400
    assert BASIC[6:14] not in told.text


async def test_without_its_plugin_a_gateway_serves_nobody_and_says_what_to_install(
    inner: InnerGateway, server: KeyedServer, monkeypatch: pytest.MonkeyPatch
):
    application, alice = inner.application, Caller(ALICE)
    gateway = await application.gateways.get_any(await inner.add(server.url, auth_type="api_key"))
    await application.api_keys.keep(gateway, KEY, alice)
    server.arrived.clear()
    with monkeypatch.context() as without:
        without.delitem(application.services.auth_schemes, "api_key")
        async with inner.client(None, **await inner.bearer(ALICE)) as client:
            status = (await client.get(f"{BASE}/oauth/status/{gateway.id}")).json()
            fetched = await client.post(f"{BASE}/oauth/fetch-tools/{gateway.id}")
            authorized = await client.get(f"{BASE}/oauth/authorize/{gateway.id}")
        for told in (status["message"], fetched.text, authorized.text):
            assert "no installed plugin offers the auth_type 'api_key'" in told
            assert "Install latchpin-api-keys with pip" in told
        assert fetched.status_code == authorized.status_code == 500
        assert (await application.access.read(gateway.id, alice)).token is None
        with pytest.raises(PluginError, match="auth_type 'api_key'"):
            await application.api_keys.keep(gateway, "sk-another-one", alice)
        for body in ({"url": server.url, "auth_type": "api_key"}, {"url": server.url, "auth_type": "basic"}):
            with pytest.raises(InvalidRequest, match="must be one of oauth, none"):
                await application.gateways.create(parse_gateway_body(body), ADMIN)
        with pytest.raises(InvalidRequest) as caught:
            await application.gateways.change(gateway.id, parse_gateway_body({"api_key": {"header": "Host"}}), ADMIN)
        assert "Install latchpin-api-keys with pip" in caught.value.remedy
        narrowed = await application.gateways.change(gateway.id, parse_gateway_body({"allowed_users": [ALICE]}), ADMIN)
        assert (narrowed.allowed_users, narrowed.api_key) == ((ALICE,), gateway.api_key)
        assert not server.arrived
    assert len((await application.toolbox.fetch(narrowed, alice)).tools) == 2


async def test_entries_and_keys_of_earlier_versions_go_on(inner: InnerGateway, server: KeyedServer):
    """As they were written before keys were a plugin's."""
    services, now, id_ = inner.application.services, inner.clock(), "0123456789abcdef" * 2
    gateway = Gateway(
        id_,
        "Kept",
        server.url,
        auth_type="api_key",
        allowed_users=(),
        oauth=None,
        pinned_issuer=None,
        revision=1,
        created_at=now,
        updated_at=now,
        api_key=ApiKeyConfig("Authorization", "Bearer "),
    )
    sealed = services.cipher.seal(KEY, associated_data=(id_, ALICE, "", "access_token"))
    token = StoredToken(
        id="a" * 32,
        gateway_id=id_,
        user_id=ALICE,
        app_user_email=ALICE,
        issuer=None,
        resource=server.url,
        client_id="",
        access_token=sealed,
        refresh_token=None,
        token_type="api_key",
        scopes=(),
        expires_at=now + timedelta(days=3650),
        revision=1,
        needs_reauth=False,
        refresh_begun_at=None,
        created_at=now,
        updated_at=now,
    )
    await services.records.gateways.put(gateway)
    await services.records.tokens.put(token, replacing=None)
    application, alice = inner.application, Caller(ALICE)
    assert len((await application.toolbox.fetch(gateway, alice)).tools) == 2
    assert server.shown("authorization") == {f"Bearer {KEY}"}
    assert await application.tokens.disconnect(gateway, ALICE) is not None
    again = await application.api_keys.keep(gateway, KEY, alice)
    kept = await services.records.tokens.get(id_, ALICE, "")
    assert again.tools == 2
    assert kept is not None
    new = {name: getattr(kept, name) for name in ("id", "access_token", "expires_at", "created_at", "updated_at")}
    assert kept == replace(token, **new)
    assert services.cipher.unseal(kept.access_token, associated_data=(id_, ALICE, "", "access_token")) == KEY
