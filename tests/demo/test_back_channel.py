"""The demo authorization server keeps to the RFCs, so that what works with it works elsewhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from latchpin_demo.browser import Browser

from tests.providers import PlainClient, start_demo_provider
from tests.providers.servers import DemoProvider


async def test_metadata_is_below_the_issuers_path(caller: PlainClient, demo: DemoProvider) -> None:
    assert demo.issuer.endswith("/accounts")
    assert caller.metadata["issuer"] == demo.issuer
    assert caller.metadata["code_challenge_methods_supported"] == ["S256"]
    assert caller.metadata["authorization_response_iss_parameter_supported"] is True


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
async def test_every_registered_method_gets_a_token(caller: PlainClient, browser: Browser, method: str) -> None:
    registered = (await caller.register(method)).json()
    assert registered["token_endpoint_auth_method"] == method
    answer = await caller.authorize(browser)
    secret = caller.client.get("client_secret", "") if method != "client_secret_basic" else ""
    if method == "client_secret_post":
        caller.client.pop("client_secret")
    fields = {"client_secret": secret} if secret else {}
    tokens = (await caller.redeem(answer["code"], **fields)).json()
    assert (tokens["token_type"], tokens["scope"], tokens["expires_in"]) == ("Bearer", "mcp:read", 3600)


@pytest.mark.parametrize(
    ("wishes", "error"),
    [
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://elsewhere.example/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://elsewhere.example/cb#part"]}, "invalid_redirect_uri"),
        ({"redirect_uris": "https://elsewhere.example/cb"}, "invalid_redirect_uri"),
        ({"client_name": 7}, "invalid_client_metadata"),
    ],
)
async def test_bad_wishes_are_not_registered(caller: PlainClient, wishes: dict[str, Any], error: str) -> None:
    answer = await caller.register(**wishes)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_an_unknown_method_is_not_registered(caller: PlainClient) -> None:
    answer = await caller.register("tls_client_auth")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")


async def test_registration_wants_a_json_object(caller: PlainClient) -> None:
    for body in (b"{", b"[]", b"\xff"):
        answer = await caller.http.post(caller.metadata["registration_endpoint"], content=body)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")


async def test_a_deleted_client_and_its_tokens_are_gone(
    caller: PlainClient, demo: DemoProvider, browser: Browser
) -> None:
    answer = await caller.authorize(browser)
    tokens = (await caller.redeem(answer["code"])).json()
    url, bearer = caller.client["registration_client_uri"], caller.client["registration_access_token"]
    assert (await caller.http.delete(url, headers={"Authorization": "Bearer wrong"})).status_code == 401
    headers = {"Authorization": f"Bearer {bearer}"}
    assert (await caller.http.get(url, headers=headers)).json()["client_id"] == caller.client["client_id"]
    assert (await caller.http.delete(url, headers=headers)).status_code == 204
    assert (await caller.http.get(url, headers=headers)).status_code == 401
    assert demo.accounts.ledger.introspect(tokens["access_token"]) is None
    assert (await caller.refresh(tokens["refresh_token"])).json()["error"] == "invalid_client"


async def test_a_code_works_once_and_its_copy_ends_the_grant(
    caller: PlainClient, demo: DemoProvider, browser: Browser
) -> None:
    answer = await caller.authorize(browser)
    tokens = (await caller.redeem(answer["code"])).raise_for_status().json()
    assert demo.accounts.ledger.introspect(tokens["access_token"]) is not None
    again = await caller.redeem(answer["code"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert demo.accounts.ledger.introspect(tokens["access_token"]) is None


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": "x" * 43}, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:9/other"}, "invalid_grant"),
        ({"resource": "http://127.0.0.1:9/mcp"}, "invalid_target"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"code_verifier": ""}, "invalid_request"),
        ({"client_id": "another"}, "invalid_request"),
    ],
)
async def test_a_code_is_bound_to_its_request(
    caller: PlainClient, browser: Browser, changes: dict[str, str], error: str
) -> None:
    answer = await caller.authorize(browser)
    refused = await caller.redeem(answer["code"], **changes)
    assert (refused.status_code, refused.json()["error"]) == (400, error)


async def test_another_client_cannot_use_the_code_and_does_not_spend_it(caller: PlainClient, browser: Browser) -> None:
    answer = await caller.authorize(browser)
    ours = caller.client
    await caller.register()
    assert (await caller.redeem(answer["code"])).json()["error"] == "invalid_grant"
    caller.client = ours
    assert (await caller.redeem(answer["code"])).status_code == 200


async def test_a_wrong_secret_is_invalid_client(caller: PlainClient) -> None:
    for secret in ("wrong", ""):
        caller.client["client_secret"] = secret
        refused = await caller.redeem("anything")
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
        assert refused.headers["www-authenticate"] == "Basic"


async def test_unreadable_basic_credentials_are_refused(caller: PlainClient) -> None:
    for encoded in ("%%%", "/////w=="):
        headers = {"Authorization": f"Basic {encoded}"}
        refused = await caller.http.post(caller.metadata["token_endpoint"], headers=headers, data={"a": "b"})
        assert refused.json()["error"] == "invalid_client"


async def test_a_refresh_token_rotates_and_its_copy_ends_the_grant(
    caller: PlainClient, demo: DemoProvider, browser: Browser
) -> None:
    answer = await caller.authorize(browser)
    first = (await caller.redeem(answer["code"])).json()
    second = (await caller.refresh(first["refresh_token"])).raise_for_status().json()
    assert demo.accounts.ledger.introspect(second["access_token"]) is not None
    assert (await caller.refresh(second["refresh_token"], scope="mcp:write")).json()["error"] == "invalid_scope"
    assert (await caller.refresh(first["refresh_token"])).json()["error"] == "invalid_grant"
    assert demo.accounts.ledger.introspect(second["access_token"]) is None
    assert (await caller.refresh(second["refresh_token"])).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_revocation_ends_the_grant(caller: PlainClient, demo: DemoProvider, browser: Browser, which: str) -> None:
    answer = await caller.authorize(browser)
    tokens = (await caller.redeem(answer["code"])).json()
    url, auth = (
        caller.metadata["revocation_endpoint"],
        (caller.client["client_id"], caller.client["client_secret"]),
    )
    assert (await caller.http.post(url, auth=auth, data={"token": "unknown"})).status_code == 200
    assert demo.accounts.ledger.introspect(tokens["access_token"]) is not None
    assert (await caller.http.post(url, auth=auth, data={"token": tokens[which]})).status_code == 200
    assert demo.accounts.ledger.introspect(tokens["access_token"]) is None
    assert (await caller.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_repeated_parameter_is_refused(caller: PlainClient) -> None:
    body = b"grant_type=refresh_token&grant_type=refresh_token"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    refused = await caller.http.post(caller.metadata["token_endpoint"], content=body, headers=headers)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


async def test_an_expired_token_is_refused_by_the_mcp_server(browser: Browser) -> None:
    with start_demo_provider(token_lifetime=timedelta(0)) as demo:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            tokens = await PlainClient(http, demo.mcp_url).obtain(browser)
            bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
            assert tokens["expires_in"] == 0
            assert (await http.post(demo.mcp_url, json={}, headers=bearer)).status_code == 401
