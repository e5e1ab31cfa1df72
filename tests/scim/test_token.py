"""Nobody but the directory: its token is looked at first, and opens nothing else."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from latchpin.contracts import CheckContext, Severity
from latchpin.errors import SettingsError
from latchpin.settings import load
from latchpin_offboarding.people import People
from latchpin_scim.settings import ScimSettings

from tests.scim.conftest import OLD, TOKEN
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, InnerGateway, open_gateway

ROUTES = [
    ("GET", "/Users"),
    ("POST", "/Users"),
    ("GET", "/Users/0"),
    ("PUT", "/Users/0"),
    ("PATCH", "/Users/0"),
    ("DELETE", "/Users/0"),
    ("GET", "/ServiceProviderConfig"),
    ("GET", "/ResourceTypes"),
    ("GET", "/ResourceTypes/User"),
    ("GET", "/Schemas"),
    ("GET", "/Schemas/x"),
]
WRONG = [
    {},
    {"Authorization": "Bearer "},
    {"Authorization": f"Bearer {TOKEN[:-1]}"},
    {"Authorization": f"Bearer {TOKEN}x"},
    {"Authorization": f"Bearer {TOKEN} {OLD}"},
    {"Authorization": f"Basic {TOKEN}"},
    {"Authorization": TOKEN},
    {"X-Test-User": ADMIN},
]


async def test_nobody_else_gets_anything(gateway: InnerGateway):
    for headers, (method, path) in itertools.product(WRONG, ROUTES):
        async with gateway.client(None, **headers) as http:
            body = {"userName": ALICE, "active": False}
            answer = await http.request(method, f"{BASE}/scim/v2{path}", json=body if method == "POST" else None)
        assert answer.status_code == 401, (method, path)
        assert answer.json()["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert not await People(gateway.application).is_out(ALICE)


async def test_two_tokens_at_once_are_no_token(gateway: InnerGateway):
    async with gateway.client(None) as http:
        both = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", f"Bearer {OLD}")]
        assert (await http.get(f"{BASE}/scim/v2/Users", headers=both)).status_code == 401


async def test_an_administrator_is_no_directory_and_a_directory_no_administrator(gateway: InnerGateway):
    async with gateway.client(None, **await gateway.bearer(ADMIN, admin=True)) as http:
        assert (await http.get(f"{BASE}/scim/v2/Users")).status_code == 401
    async with gateway.client(None, Authorization=f"Bearer {TOKEN}") as http:
        for path in ("/gateways", "/people/ended", "/oauth/tokens"):
            assert (await http.get(f"{BASE}{path}", headers={"Accept": "application/json"})).status_code == 401


async def test_both_tokens_of_a_change_hold(gateway: InnerGateway):
    for token in (TOKEN, OLD):
        async with gateway.client(None, Authorization=f"bearer {token}") as http:
            assert (await http.get(f"{BASE}/scim/v2/Users")).status_code == 200


async def test_without_a_token_nothing_is_there(environment: pytest.MonkeyPatch):
    environment.delenv("SCIM_TOKEN")
    async with open_gateway() as gateway, gateway.client(None, Authorization="Bearer ") as http:
        assert (await http.get(f"{BASE}/scim/v2/Users")).status_code == 404


@pytest.mark.parametrize("value", ["short", f"{TOKEN} short", "\N{KELVIN SIGN}" * 40])
def test_a_token_that_can_be_guessed_is_refused(environment: pytest.MonkeyPatch, value: str):
    environment.setenv("SCIM_TOKEN", value)
    with pytest.raises(SettingsError, match="SCIM_TOKEN") as refused:
        load(ScimSettings)
    assert value not in refused.value.in_full


def test_a_file_holds_it(environment: pytest.MonkeyPatch, tmp_path: Any):
    environment.delenv("SCIM_TOKEN")
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    environment.setenv("SCIM_TOKEN_FILE", str(tmp_path / "token"))
    assert [each.get_secret_value() for each in load(ScimSettings).scim_token] == [TOKEN]


async def test_doctor_says_how_the_directory_comes(environment: pytest.MonkeyPatch):
    from latchpin_scim.checks import check_directory

    class Context:
        base_url = "http://mcp.example.com"

        def load(self, model: Any) -> Any:
            return load(model)

    context: Any = Context()
    found = await check_directory(context)
    assert [each.severity for each in found] == [Severity.OK, Severity.WARNING]
    assert [each.detail for each in found] == [
        "its address is http://mcp.example.com/scim/v2",
        "Without TLS, everybody on the way to http://mcp.example.com/scim/v2 can read it.",
    ]
    for quiet in ("https://mcp.example.com", "http://localhost:4444", "http://[::1]:4444"):
        context.base_url = quiet
        assert [each.severity for each in await check_directory(context)] == [Severity.OK], quiet
    environment.setenv("SCIM_TOKEN", f"{TOKEN} {OLD} {OLD}2")
    assert [each.severity for each in await check_directory(context)] == [Severity.OK, Severity.WARNING]
    environment.delenv("SCIM_TOKEN")
    assert await check_directory(context) == []
    assert CheckContext
