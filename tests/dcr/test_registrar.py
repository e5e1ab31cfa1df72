"""What is asked of a server, what of its reply is believed, and how a refusal reads."""

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points

import pytest
from latchpin.contracts import Keeps, RegistrationRequest
from latchpin.errors import IssuerMissing, RegistrationFailed, UpstreamUnreachable
from latchpin.model import ClientCredentials, RegisteredClient, Reply
from latchpin.settings import load
from latchpin_dcr.plugin import latchpin_client_registrar
from latchpin_dcr.settings import DcrSettings
from latchpin_testing.clock import START
from latchpin_testing.context import SuiteContext

from tests.dcr.conftest import CALLBACK, a_gateway


@pytest.fixture
def request_for(metadata):
    def make(*, server=None, redirect_uri=CALLBACK, scopes=("a", "b"), auth_method=None, configured=None, **config):
        return RegistrationRequest(
            gateway=a_gateway(**config),
            server=replace(metadata, **(server or {})),
            redirect_uri=redirect_uri,
            scopes=scopes,
            configured=configured,
            auth_method=auth_method,
        )

    return make


async def test_a_registration_says_what_the_client_is(dcr, request_for, server, caplog):
    caplog.set_level(logging.INFO)
    registration = await dcr().register(request_for())
    assert server.asked == [
        {
            "redirect_uris": [CALLBACK],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "application_type": "native",
            "token_endpoint_auth_method": "client_secret_basic",
            "client_name": "Latchpin (Files)",
            "scope": "a b",
        }
    ]
    assert registration.credentials == ClientCredentials("client-1", "secret-1", "client_secret_basic")
    assert registration.registration_access_token == "manage-1"
    assert registration.secret_expires_at is None
    assert "DCR: Dynamic Client Registration gave gateway" in caplog.text
    assert "secret-1" not in caplog.text + repr(registration.credentials)
    assert "manage-1" not in caplog.text


@pytest.mark.parametrize(
    ("redirect_uri", "kind"),
    [
        ("http://127.0.0.1:4444/oauth/callback", "native"),
        ("http://[::1]/oauth/callback", "native"),
        ("https://gw.example/oauth/callback", "web"),
    ],
)
async def test_the_application_type_follows_the_redirect_uri(dcr, request_for, server, redirect_uri, kind):
    await dcr().register(request_for(redirect_uri=redirect_uri))
    assert server.asked[0]["application_type"] == kind


@pytest.mark.parametrize(
    ("supported", "setting", "entry", "asked"),
    [
        (None, "client_secret_post", None, "client_secret_post"),
        (("client_secret_post", "none"), "client_secret_basic", None, "client_secret_post"),
        (("none",), "client_secret_basic", None, "none"),
        (("none", "client_secret_basic"), "none", None, "none"),
        (("client_secret_basic",), "client_secret_basic", "client_secret_post", "client_secret_post"),
    ],
)
async def test_the_method_is_one_the_server_has(*, dcr, request_for, server, supported, setting, entry, asked):
    registrar = dcr(dcr_token_endpoint_auth_method=setting)
    about = {"token_endpoint_auth_methods_supported": supported}
    registration = await registrar.register(request_for(server=about, auth_method=entry))
    assert server.asked[0]["token_endpoint_auth_method"] == asked
    assert registration.credentials.auth_method == asked


@pytest.mark.parametrize(
    ("about", "entry"),
    [({"token_endpoint_auth_methods_supported": ("private_key_jwt",)}, None), ({}, "private_key_jwt")],
)
async def test_a_method_that_needs_a_key_cannot_be_registered(dcr, request_for, server, about, entry):
    with pytest.raises(RegistrationFailed):
        await dcr().register(request_for(server=about, auth_method=entry))
    assert server.asked == []


async def test_grants_and_default_scopes_are_those_the_server_has(dcr, request_for, server):
    about = {"grant_types_supported": ("authorization_code",), "scopes_supported": ("x",)}
    await dcr(dcr_default_scopes=("mcp:read", "x")).register(request_for(server=about, scopes=()))
    assert server.asked[0]["grant_types"] == ["authorization_code"]
    assert server.asked[0]["scope"] == "x"
    await dcr().register(request_for(scopes=()))
    assert server.asked[1]["scope"] == "mcp:read"
    await dcr(dcr_default_scopes=()).register(request_for(scopes=()))
    assert "scope" not in server.asked[2]


async def test_a_client_for_itself_has_no_redirect_uri(dcr, request_for, server):
    registration = await dcr().register(request_for(grant_type="client_credentials"))
    assert server.asked[0]["grant_types"] == ["client_credentials"]
    assert not {"redirect_uris", "response_types"} & set(server.asked[0])
    assert registration.grant_types == ("client_credentials",)
    about = {"token_endpoint_auth_methods_supported": ("none",)}
    with pytest.raises(RegistrationFailed):
        await dcr().register(request_for(server=about, grant_type="client_credentials"))


async def test_the_client_name_is_one_clean_line(dcr, request_for, server):
    request = request_for()
    name = "A\x1b[31m\n{0.__class__}\u202e" + "x" * 300
    await dcr(dcr_client_name_template="GW {gateway_name}").register(
        replace(request, gateway=replace(request.gateway, name=name))
    )
    sent = server.asked[0]["client_name"]
    assert sent.startswith("GW A [31m {0.__class__}")
    assert sent.isprintable()
    assert len(sent) == 120


@pytest.mark.parametrize("settings", [{"dcr_enabled": False}, {"dcr_auto_register_on_missing_credentials": False}])
async def test_switched_off_it_does_not_apply(dcr, request_for, server, settings):
    assert await dcr(**settings).register(request_for()) is None
    assert await dcr().register(request_for(configured=ClientCredentials("mine"))) is None
    assert server.asked == []


# -- the reply counts ---------------------------------------------------------------------------------


async def test_the_reply_is_believed_not_the_request(dcr, request_for, server):
    ends = int((START + timedelta(days=30)).timestamp())

    def other(wishes):
        return 200, {
            "client_id": "c",
            "client_secret": "s",
            "client_secret_expires_at": str(ends),
            "token_endpoint_auth_method": "client_secret_post",
            "redirect_uris": [CALLBACK, "https://also.example", 7],
            "grant_types": ["authorization_code"],
            "scope": "a",
            "registration_client_uri": "javascript:alert(1)",
            "registration_access_token": "t\n",
        }

    server.answer = other
    registration = await dcr().register(request_for())
    assert registration.credentials == ClientCredentials("c", "s", "client_secret_post")
    assert registration.redirect_uris == (CALLBACK, "https://also.example")
    assert registration.grant_types == ("authorization_code",)
    assert registration.scope == "a"
    assert registration.secret_expires_at == datetime.fromtimestamp(ends, UTC)
    assert (registration.registration_client_uri, registration.registration_access_token) == (None, None)


@pytest.mark.parametrize(
    ("uri", "kept"),
    [
        ("{base}/register/client-1?key=1", True),
        ("https://AS.example:443/clients/1", True),
        ("https://victim.example/admin/users/1", False),
        ("https://as.example.victim.example/1", False),
        ("https://as.example@victim.example/1", False),
        ("https://as.example\\@victim.example/1", False),
        ("https://as.example:8443/1", False),
        ("http://as.example/1", False),
        ("https://as.example/a b", False),
        ("https://as.example:99999/1", False),
        ("https:///1", False),
        ("/register/client-1", False),
        (7, False),
    ],
)
async def test_a_client_is_managed_only_where_it_was_registered(*, dcr, request_for, server, uri, kept):
    uri = uri.replace("{base}", server.base) if isinstance(uri, str) else uri
    server.answer = lambda wishes: (201, server.reply_to(wishes) | {"registration_client_uri": uri})
    registration = await dcr().register(request_for(server={"issuer": "https://as.example"}))
    held = (registration.registration_client_uri, registration.registration_access_token)
    assert held == ((uri, "manage-1") if kept else (None, None))


async def test_what_the_reply_leaves_out_is_as_asked(dcr, request_for, server):
    server.answer = lambda _: (201, {"client_id": "c"})
    registration = await dcr().register(request_for())
    assert registration.credentials == ClientCredentials("c", None, "none")  # no secret: nothing else is left
    assert registration.redirect_uris == (CALLBACK,)
    assert registration.grant_types == ("authorization_code", "refresh_token")
    assert registration.scope == "a b"


async def test_a_public_client_has_no_secret(dcr, request_for, server):
    server.answer = lambda _: (
        201,
        {
            "client_id": "c",
            "client_secret": "unused",
            "token_endpoint_auth_method": "none",
            "client_secret_expires_at": 1,
            "scope": "",
        },
    )
    registration = await dcr().register(request_for())
    assert registration.credentials == ClientCredentials("c", None, "none")
    assert (registration.secret_expires_at, registration.scope) == (None, "")


@pytest.mark.parametrize("end", [0, None, "0", -5, True, "soon", 10**18, 1e400, []])
async def test_an_end_that_is_no_time_is_none(dcr, request_for, server, end):
    import json

    reply = json.dumps({"client_id": "c", "client_secret": "s", "client_secret_expires_at": end})
    server.answer = lambda _: (201, reply.replace("Infinity", "1e400").encode())
    assert (await dcr().register(request_for())).secret_expires_at is None


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html>", "not a JSON object"),
        (b"", "not a JSON object"),
        (["c"], "not a JSON object"),
        (b"[" * 100_000, "not a JSON object"),
        (b" " * 300_000, "not a JSON object"),
        ({}, "no client_id"),
        ({"client_id": True}, "no client_id"),
        ({"client_id": ["c"]}, "no client_id"),
        ({"client_id": "a\nb"}, "no client_id"),
        ({"client_id": "c", "token_endpoint_auth_method": "tls_client_auth"}, "'tls_client_auth'"),
        ({"client_id": "c", "redirect_uris": ["https://evil.example"]}, "redirect URIs without"),
        ({"client_id": "c", "redirect_uris": ["https://localhost:4444/oauth/callback"]}, "redirect URIs without"),
        ({"client_id": "c", "redirect_uris": ["http://localhost:4444/oauth/callback/x"]}, "redirect URIs without"),
        (
            {"client_id": "c", "redirect_uris": ["http://localhost.evil.example/oauth/callback"]},
            "redirect URIs without",
        ),
        ({"client_id": "c", "redirect_uris": [None]}, "redirect URIs without"),
        ({"client_id": "c", "grant_types": ["implicit"]}, "no authorization_code grant"),
        ({"client_id": "c", "client_secret": "s", "client_secret_expires_at": 1_500_000_000}, "expired already"),
    ],
)
async def test_a_registration_that_cannot_be_used_is_refused(*, dcr, request_for, server, body, why, caplog):
    server.answer = lambda _: (201, body)
    with pytest.raises(RegistrationFailed, match=why) as caught:
        await dcr().register(request_for())
    assert caught.value.public == "DCR failed"
    assert "DCR failed for gateway" in caplog.text


SECRETLESS = {"client_id": "c"}
WITH_SECRET = {"client_id": "c", "client_secret": "s"}
ODD_REPLIES = [
    # status, the reply, what is said of it, why
    (201, SECRETLESS | {"redirect_uris": []}, "", "nothing listed is nothing said"),
    (201, SECRETLESS | {"redirect_uris": None, "grant_types": None}, "", "null is nothing said"),
    (201, SECRETLESS | {"grant_types": []}, "", "nothing listed is nothing said"),
    (201, SECRETLESS | {"grant_types": "authorization_code"}, "grant_types", "one in the place of a list"),
    (201, SECRETLESS | {"grant_types": ["AUTHORIZATION_CODE"]}, "", "in upper case"),
    (201, {"client_id": 7}, "client_id as a number", "a row's number"),
    (201, WITH_SECRET | {"client_secret": 12345678}, "client_secret as a number", "digits"),
    (201, WITH_SECRET | {"token_endpoint_auth_method": "CLIENT_SECRET_BASIC"}, "upper case", "upper case"),
    (200, SECRETLESS, "", "as servers answer that update"),
    (202, SECRETLESS, "", "it has registered, whatever it calls it"),
    (201, SECRETLESS | {"redirect_uris": [f"{CALLBACK}/"]}, "redirect_uris", "a last slash"),
    (201, SECRETLESS | {"redirect_uris": ["http://localhost/oauth/callback"]}, "redirect_uris", "RFC 8252: any port"),
    (
        201,
        SECRETLESS | {"redirect_uris": ["http://127.0.0.1:4444/oauth/callback"]},
        "redirect_uris",
        "the same machine",
    ),
    (201, SECRETLESS | {"redirect_uris": [CALLBACK.upper()]}, "redirect_uris", "upper case"),
    (201, SECRETLESS | {"redirect_uris": ["HTTP://LOCALHOST:4444/oauth/callback"]}, "redirect_uris", "upper case"),
    (201, SECRETLESS | {"redirect_uris": [CALLBACK.replace("/oauth/", "%2Foauth%2F")]}, "redirect_uris", "encoded"),
    (
        201,
        SECRETLESS | {"redirect_uris": ["http%3A%2F%2Flocalhost%3A4444%2Foauth%2Fcallback"]},
        "redirect_uris",
        "all of it",
    ),
    (201, SECRETLESS | {"redirect_uris": CALLBACK}, "redirect_uris", "one in the place of a list"),
]


@pytest.mark.parametrize(("status", "reply", "said", "why"), ODD_REPLIES)
async def test_an_odd_registration_is_a_registration(*, dcr, request_for, server, status, reply, said, why, caplog):
    server.answer = lambda _: (status, reply)
    registration = await dcr().register(request_for())
    assert registration.credentials.client_id == str(reply["client_id"]), why
    assert registration.redirect_uris == (CALLBACK,), why
    assert "authorization_code" in registration.grant_types, why
    passed_over = [record.getMessage() for record in caplog.records if "registered with" in record.getMessage()]
    assert [said in text for text in passed_over] == [True] * bool(said), why
    assert "12345678" not in caplog.text


async def test_a_port_counts_where_the_host_is_no_loopback(dcr, request_for, server):
    public = "https://gw.example/oauth/callback"
    server.answer = lambda _: (201, SECRETLESS | {"redirect_uris": ["https://GW.example:443/oauth/callback"]})
    assert (await dcr().register(request_for(redirect_uri=public))).redirect_uris == (public,)
    server.answer = lambda _: (201, SECRETLESS | {"redirect_uris": ["https://gw.example:8443/oauth/callback"]})
    with pytest.raises(RegistrationFailed, match="redirect URIs without"):
        await dcr().register(request_for(redirect_uri=public))


async def test_an_end_in_seconds_from_now_is_one(dcr, request_for, server, caplog):
    server.answer = lambda _: (201, WITH_SECRET | {"client_secret_expires_at": 3600})
    assert (await dcr().register(request_for())).secret_expires_at == START + timedelta(hours=1)
    assert "in seconds from now" in caplog.text


UNUSABLE = [
    {"redirect_uris": ["https://evil.example"]},
    {"grant_types": ["implicit"]},
    {"token_endpoint_auth_method": "tls_client_auth"},
    {"client_secret_expires_at": 1_500_000_000},
    {"client_id": None},
    {"error": "odd"},
]


@pytest.mark.parametrize("member", UNUSABLE, ids=lambda member: next(iter(member)))
@pytest.mark.parametrize("status", [204, 500])
async def test_a_client_that_cannot_be_used_is_given_back(*, dcr, request_for, server, member, status, caplog):
    caplog.set_level(logging.INFO)
    server.forget_status = status
    server.answer = lambda wishes: (201, server.reply_to(wishes) | member)
    with pytest.raises(RegistrationFailed):
        await dcr().register(request_for())
    assert server.forgotten[0] == ("client-1", "Bearer manage-1")
    assert f"answered HTTP {status} to forgetting an unusable client" in caplog.text
    assert "manage-1" not in caplog.text


@pytest.mark.parametrize(
    "member",
    [{"registration_client_uri": None}, {"registration_client_uri": "https://victim.example/1"}, {"error": "x"}],
    ids=["not managed", "managed elsewhere", "refused"],
)
async def test_nobody_else_is_asked_to_forget(*, dcr, request_for, server, member):
    status = 400 if "error" in member else 201
    server.answer = lambda wishes: (status, server.reply_to(wishes) | {"grant_types": ["implicit"]} | member)
    with pytest.raises(RegistrationFailed):
        await dcr().register(request_for())
    assert server.forgotten == []


async def test_what_it_would_forget_and_cannot_is_logged(dcr, request_for, server, free_port, caplog):
    gone = f"http://127.0.0.1:{free_port}"
    server.answer = lambda wishes: (
        201,
        server.reply_to(wishes) | {"grant_types": [""], "registration_client_uri": f"{gone}/c"},
    )
    with pytest.raises(RegistrationFailed):
        await dcr().register(request_for(server={"issuer": gone}))
    assert f"{gone} keeps a client that cannot be used" in caplog.text


# -- refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "code", "remedy"),
    [
        (400, {"error": "invalid_redirect_uri"}, "'invalid_redirect_uri'", "redirect URI"),
        (400, {"error": "invalid_client_metadata"}, "'invalid_client_metadata'", "DCR_DEFAULT_SCOPES"),
        (400, {"error": "unapproved_software_statement"}, "software_statement'", "software statement"),
        (200, {"error": "new_one"}, "'new_one'", "by hand"),
        (400, {"error": ["x"]}, "'unnamed_error'", "by hand"),
        (401, b"", "HTTP 401", "initial access token"),
        (403, b"<html>", "HTTP 403", "everybody"),
        (404, b"x", "HTTP 404", "does not exist"),
        (429, b"x", "HTTP 429", "later"),
        (500, b"x", "HTTP 500", "later"),
        (302, b"x", "HTTP 302", "by hand"),
    ],
)
async def test_a_refusal_names_code_and_remedy(*, dcr, request_for, server, status, body, code, remedy):
    server.answer = lambda _: (status, body)
    with pytest.raises(RegistrationFailed, match=code) as caught:
        await dcr().register(request_for())
    assert remedy in caught.value.remedy
    assert (caught.value.public, caught.value.code) == ("DCR failed", "dcr-refused")


async def test_a_redirect_names_its_target(dcr, request_for, server, monkeypatch):
    answered = Reply("https://as.example/register", 307, {"location": "https://as.example/register/?key=1"}, b"")

    async def send(*_args, **_kwargs):
        return answered

    registrar = dcr()
    monkeypatch.setattr(registrar.upstream, "send", send)
    with pytest.raises(RegistrationFailed, match=r"HTTP 307, a redirect to 'https://as\.example/register/'"):
        await registrar.register(request_for())


async def test_a_servers_words_are_only_plain_text(dcr, request_for, server):
    server.answer = lambda _: (400, {"error": "x\x1b[2J<i>", "error_description": "no\r\nway \u202e" + "y" * 9000})
    with pytest.raises(RegistrationFailed) as caught:
        await dcr().register(request_for())
    assert caught.value.detail.isprintable()
    assert caught.value.detail.isascii()
    assert 'It adds: "no way (hidden)"' in caught.value.detail


async def test_a_server_without_the_endpoint_is_named(dcr, request_for):
    with pytest.raises(RegistrationFailed, match="does not support RFC 7591"):
        await dcr().register(request_for(server={"registration_endpoint": None}))


async def test_without_an_issuer_nothing_is_registered(dcr, request_for, server, caplog):
    with pytest.raises(IssuerMissing):
        await dcr().register(request_for(server={"issuer": None}))
    assert server.asked == []
    assert "DCR failed, no issuer configured" in caplog.text


async def test_only_allowed_issuers(dcr, request_for, server, metadata):
    with pytest.raises(RegistrationFailed, match="DCR_ALLOWED_ISSUERS") as caught:
        await dcr(dcr_allowed_issuers=("https://other.example",)).register(request_for())
    assert "DCR_ALLOWED_ISSUERS" in caught.value.remedy
    assert server.asked == []
    assert await dcr(dcr_allowed_issuers=("https://other.example", metadata.issuer)).register(request_for())


async def test_a_server_that_is_not_there_is_logged_as_dcr(dcr, request_for, free_port, caplog):
    gone = f"http://127.0.0.1:{free_port}/register"
    with pytest.raises(UpstreamUnreachable):
        await dcr().register(request_for(server={"registration_endpoint": gone}))
    assert "DCR failed" in caplog.text


# -- forgetting ---------------------------------------------------------------------------------------


def registered(uri):
    return RegisteredClient(
        id="r",
        gateway_id="0" * 32,
        issuer="https://as.example",
        client_id="client-1",
        client_secret=None,
        redirect_uris=(CALLBACK,),
        grant_types=("authorization_code",),
        scope="",
        token_endpoint_auth_method="none",
        registration_client_uri=uri,
        registration_access_token=None,
        created_at=START,
        expires_at=None,
    )


@pytest.mark.parametrize(
    ("status", "said"), [(204, "has forgotten"), (404, "any more"), (401, "any more"), (405, "did not forget")]
)
async def test_forgetting_reports_the_answer(dcr, server, status, said, caplog):
    caplog.set_level(logging.INFO)
    server.forget_status = status
    answer = await dcr().forget(registered(f"{server.base}/register/client-1"), "manage-1")
    assert said in answer
    assert server.forgotten == [("client-1", "Bearer manage-1")]
    assert "manage-1" not in caplog.text


async def test_forgetting_where_it_cannot_be_asked(dcr, server, free_port):
    assert "RFC 7592" in await dcr().forget(registered(None), "t")
    assert "RFC 7592" in await dcr().forget(registered(f"{server.base}/register/x"), None)
    said = await dcr().forget(registered(f"http://127.0.0.1:{free_port}/register/x"), "t")
    assert "could not be asked" in said
    assert server.forgotten == []


# -- settings -----------------------------------------------------------------------------------------


def test_both_names_of_a_variable_are_read(monkeypatch):
    monkeypatch.setenv("MCPGATEWAY_DCR_ENABLED", "false")
    monkeypatch.setenv("DCR_DEFAULT_SCOPES", '["a", "b"]')
    monkeypatch.setenv("DCR_ALLOWED_ISSUERS", "https://a.example, https://b.example")
    settings = load(DcrSettings)
    assert settings.dcr_enabled is False
    assert settings.dcr_default_scopes == ("a", "b")
    assert settings.dcr_allowed_issuers == ("https://a.example", "https://b.example")


def test_a_method_that_cannot_be_registered_stops_the_start(monkeypatch):
    from latchpin.errors import SettingsError

    monkeypatch.setenv("DCR_TOKEN_ENDPOINT_AUTH_METHOD", "private_key_jwt")
    with pytest.raises(SettingsError, match=r"DCR_TOKEN_ENDPOINT_AUTH_METHOD.*private_key_jwt.*must be one of"):
        load(DcrSettings)


def test_the_plugin_is_found_by_its_entry_point():
    (point,) = [one for one in entry_points(group="latchpin") if one.name == "dcr"]
    offer = point.load().latchpin_client_registrar()
    assert (offer.name, offer.settings, offer.rank) == ("dcr", DcrSettings, 200)


async def test_what_the_plugin_opens_registers(upstream, request_for, server):
    offer = latchpin_client_registrar()
    async with SuiteContext(upstream=upstream) as context, offer.open(DcrSettings(), context) as registrar:
        assert registrar.keeps is Keeps.REGISTERED
        assert (await registrar.register(request_for())).credentials.client_id == "client-1"
