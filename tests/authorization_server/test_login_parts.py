"""The parts of ``latchpin login``: the port that the browser comes back to, the files, and where tokens may go."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from latchpin.errors import SignInFailed
from latchpin_authorization_server.login.answers import Tokens
from latchpin_authorization_server.login.keeping import Keeper, Login, find_folder
from latchpin_authorization_server.login.loopback import listening
from latchpin_authorization_server.login.place import Place, check_place_url, discover
from latchpin_authorization_server.login.protocol import begin_code, redeem_code, wait_for_device

from tests.servers import serve_asgi

NEEDS = ("latchpin_authorization_server",)
ISSUER = "https://mcp.example.com"
URL = f"{ISSUER}/gateways/a/mcp"
PLACE = Place(URL, ISSUER, f"{ISSUER}/authorize", f"{ISSUER}/token", f"{ISSUER}/revoke")
NOW = datetime(2026, 11, 1, tzinfo=UTC)
LOGIN = Login(URL, ISSUER, PLACE.token, PLACE.revocation, "c", "ann@example.com", Tokens("secret-1", NOW, "secret-2"))


# -- the browser's answer ------------------------------------------------------------------------------------


def test_only_the_answer_that_was_asked_for_is_taken():
    with listening() as loopback, httpx.Client(trust_env=False) as http:
        here = f"http://127.0.0.1:{loopback.port}/signed-in"
        assert http.get(here, params={"state": ""}).status_code == 404  # nothing was begun
        loopback.expect("s" * 43)
        for query in ({"code": "theirs"}, {"code": "theirs", "state": "guessed"}, {"error": "x", "state": "ß"}):
            assert http.get(here, params=query).status_code == 400
        assert http.get(f"http://127.0.0.1:{loopback.port}/", params={"state": "s" * 43}).status_code == 404
        assert http.get(here, params={"code": "ours", "state": "s" * 43}).status_code == 200
        assert http.get(here, params={"code": "again", "state": "s" * 43}).status_code == 404
        assert loopback.wait(timedelta(minutes=1))["code"] == "ours"


def test_who_never_comes_back_is_not_waited_for_without_end():
    with listening() as loopback, pytest.raises(SignInFailed, match="in time"):
        loopback.wait(timedelta())


@pytest.mark.parametrize("issuer", [{}, {"iss": "https://other.example.com"}])
def test_an_answer_of_another_server_is_not_redeemed(issuer):
    request = begin_code(PLACE, "c", port=1)
    with httpx.Client() as http, pytest.raises(SignInFailed, match="another server"):
        redeem_code(http, PLACE, "c", request, {"code": "x"} | issuer, now=NOW)


# -- where tokens may go -------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["nonsense", "ftp://x/", "http://mcp.example.com/x", "https://a:b@mcp.example.com/"])
def test_what_is_no_url_to_sign_in_at(url):
    with pytest.raises(SignInFailed):
        check_place_url(url)


@pytest.mark.parametrize("url", ["https://mcp.example.com/x/", "http://localhost:4444/x", "http://[::1]:4444/x"])
def test_what_is_one(url):
    assert check_place_url(f" {url} ") == url.rstrip("/")


def documents(app_url: str, changes: dict[str, Any]) -> dict[str, Any]:
    """What a Latchpin at this address publishes."""
    resource = {"resource": f"{app_url}/mcp", "authorization_servers": [app_url]}
    metadata = {"issuer": app_url, "code_challenge_methods_supported": ["S256"]} | {
        f"{name}_endpoint": f"{app_url}/{name}" for name in ("authorization", "token", "revocation", "registration")
    }
    return {
        "/.well-known/oauth-protected-resource/mcp": resource | changes.get("resource", {}),
        "/.well-known/oauth-authorization-server": metadata | changes.get("metadata", {}),
    }


def publishing(changes: dict[str, Any]) -> Callable[..., Any]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        host = dict(scope["headers"])[b"host"].decode()
        found = documents(f"http://{host}", changes).get(scope["path"])
        status = 404 if found is None else 200
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"a/b")]})
        await send({"type": "http.response.body", "body": json.dumps(found).encode()})

    return app


def test_a_latchpins_own_url_leads_to_its_endpoint_of_all_servers():
    with serve_asgi(publishing({})) as url, httpx.Client(trust_env=False) as http:
        place = discover(http, url)
        assert place == discover(http, f"{url}/mcp")
    assert (place.url, place.issuer, place.token, place.device_authorization) == (f"{url}/mcp", url, f"{url}/token", "")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"resource": {"resource": "https://other.example.com/mcp"}}, "no MCP endpoint"),
        ({"resource": {"authorization_servers": ["https://other.example.com"]}}, "gives out no tokens itself"),
        ({"resource": {"authorization_servers": "x"}}, "gives out no tokens itself"),
        ({"metadata": {"issuer": "https://other.example.com"}}, "publishes no metadata of its own"),
        ({"metadata": {"token_endpoint": "https://other.example.com/token"}}, "names no token_endpoint of its own"),
        ({"metadata": {"code_challenge_methods_supported": ["plain"]}}, "does not support PKCE"),
    ],
)
def test_tokens_go_to_nobody_of_another_origin(changes, words):
    with (
        serve_asgi(publishing(changes)) as url,
        httpx.Client(trust_env=False) as http,
        pytest.raises(SignInFailed, match=words),
    ):
        discover(http, f"{url}/mcp")


def test_a_server_that_is_not_there():
    with httpx.Client(trust_env=False) as http, pytest.raises(SignInFailed, match="gave no answer"):
        discover(http, "http://127.0.0.1:1/mcp")


# -- a device's patience -------------------------------------------------------------------------------------


def test_a_device_waits_as_long_as_it_is_told(monkeypatch):
    answers = [
        {"device_code": "d", "user_code": "u", "verification_uri": "v", "expires_in": 60, "interval": 7},
        {"error": "authorization_pending"},
        {"error": "slow_down"},
        {"access_token": "t", "token_type": "Bearer", "expires_in": 60},
    ]

    def answer(request: httpx.Request) -> httpx.Response:
        said = answers.pop(0)
        return httpx.Response(400 if "error" in said else 200, json=said)

    place, waited = Place(URL, ISSUER, "", PLACE.token, "", "", f"{ISSUER}/device_authorization"), []
    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        tokens = wait_for_device(http, place, "c", tell=lambda *_: None, pause=waited.append, clock=lambda: NOW)
    assert waited == [7, 7, 12]
    assert (tokens.access_token, tokens.refresh_token) == ("t", "")


# -- the files -----------------------------------------------------------------------------------------------


def test_a_file_is_its_owners_alone(tmp_path: Path):
    keeper = Keeper(tmp_path / "logins", None)
    assert "only you can read" in keeper.save(LOGIN)
    [file] = (tmp_path / "logins").iterdir()
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o700)
    assert keeper.get(URL) == LOGIN
    assert "secret" not in repr(keeper.get(URL))
    file.chmod(0o640)
    with pytest.raises(SignInFailed, match="others can read"):
        keeper.get(URL)
    assert keeper.client_at(ISSUER) == ""
    keeper.save(LOGIN)  # signing in again mends it
    assert keeper.get(URL) == LOGIN
    assert keeper.client_at(ISSUER) == "c"
    keeper.forget(URL)
    assert (keeper.get(URL), keeper.urls()) == (None, [])


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"url": 1}', '{"url": "u", "issuer": "i", "client_id": "c"}'])
def test_a_file_that_is_not_ours_is_said_to_be_so(tmp_path: Path, content):
    keeper = Keeper(tmp_path, None)
    keeper.save(LOGIN)
    [file] = tmp_path.iterdir()
    file.write_text(content)
    with pytest.raises(SignInFailed):
        keeper.get(URL)


def test_a_relative_folder_for_settings_does_not_count(monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", "here")
    assert find_folder() == Path.home() / ".config" / "latchpin" / "logins"
