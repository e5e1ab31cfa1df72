"""Each provider of the table: the whole flow against an imitation of it, and what happens without each of its rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from latchpin.activity.logs import tear_down_logging
from latchpin.errors import AuthorizationRequired
from latchpin.model import Caller
from latchpin.model.server_profile import ServerProfile
from latchpin_profiles.plugin import latchpin_server_profiles

from tests.known_providers.imitations import IMITATIONS, Imitation, serve_imitation
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway, open_gateway

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_memory_store")
TABLE = {each.name: each for each in latchpin_server_profiles()}
STANDARD = ServerProfile("standard", "Standard", ())
TAKEN_OUT: dict[str, Any] = {
    "audience": "",
    "token_lifetime": 3600,
    "token_endpoint_auth_method": "client_secret_basic",
}


def rules_of(provider: ServerProfile) -> list[tuple[str, dict[str, Any]]]:
    """Each rule of an entry by its name, with what takes it out of an entry that is ``like`` it."""
    rules: list[tuple[str, dict[str, Any]]] = []
    for each in fields(ServerProfile):
        value = getattr(provider, each.name)
        if each.name in {"name", "label", "servers", "documentation", "rank"} or value == getattr(STANDARD, each.name):
            continue
        if isinstance(value, dict):
            rules += [(f"{each.name}.{key}", {each.name: value | {key: ""}}) for key in value]
        elif isinstance(value, tuple):
            rules.append((each.name, {each.name: []}))
        else:
            rules.append((each.name, {each.name: TAKEN_OUT.get(each.name, getattr(STANDARD, each.name))}))
    return rules


def write_file(folder: Path, name: str, **changes: Any) -> str:
    """A deployer's file in which this machine is ``like`` that provider, with some keys changed."""
    lines = ["[[provider]]", 'name = "here"', 'servers = ["127.0.0.1"]', f'like = "{name}"']
    for key, value in changes.items():
        if isinstance(value, dict):
            text = "{" + ", ".join(f"{name} = {json.dumps(held)}" for name, held in value.items()) + "}"
        else:
            text = json.dumps(value)
        lines.append(f"{key} = {text}")
    path = folder / "profiles.toml"
    path.write_text("\n".join(lines))
    return str(path)


async def authorize(gateway: InnerGateway, imitation: Imitation, **entry: Any) -> str:
    gateway_id = await gateway.add(imitation.mcp_url, oauth_config={**imitation.entry, **entry})
    async with gateway.browser() as browser:
        page = await browser.open(f"{BASE}/oauth/authorize/{gateway_id}")
    assert page.title.startswith("OAuth Authorization Successful"), page.text
    return gateway_id


async def access_token(gateway: InnerGateway, gateway_id: str) -> str:
    application = gateway.application
    found = await application.gateways.get_any(gateway_id)
    return (await application.tokens.token_for(found, Caller(ALICE))).access_token


async def check_whole_flow(gateway: InnerGateway, imitation: Imitation) -> None:
    """Authorize, use the token, use it a day later, and be told when the user has taken it back."""
    gateway_id = await authorize(gateway, imitation)
    assert await access_token(gateway, gateway_id) in imitation.good, "the API does not take the token"
    gateway.clock.advance(days=2)
    imitation.end_access()
    assert await access_token(gateway, gateway_id) in imitation.good, "two days later the token serves no more"
    if imitation.expires:
        gateway.clock.advance(days=2)
        imitation.revoke()
        with pytest.raises(AuthorizationRequired):
            await access_token(gateway, gateway_id)


@contextmanager
def closing_logs() -> Iterator[None]:
    try:
        yield
    finally:
        tear_down_logging()


def test_every_provider_of_the_table_is_imitated():
    assert {kind.name for kind in IMITATIONS} == set(TABLE)


@pytest.mark.parametrize("kind", IMITATIONS, ids=lambda kind: kind.__name__)
async def test_the_whole_flow(kind: type[Imitation], environment: pytest.MonkeyPatch, tmp_path: Path):
    environment.setenv("SERVER_PROFILES_FILE", write_file(tmp_path, kind.name))
    with closing_logs(), serve_imitation(kind) as imitation:
        async with open_gateway() as gateway:
            await check_whole_flow(gateway, imitation)


CASES = [
    pytest.param(kind, changes, id=f"{kind.__name__}-{rule}")
    for kind in IMITATIONS
    for rule, changes in rules_of(TABLE[kind.name])
]


@pytest.mark.parametrize(("kind", "changes"), CASES)
async def test_the_flow_fails_without_each_rule(
    kind: type[Imitation], changes: dict[str, Any], environment: pytest.MonkeyPatch, tmp_path: Path
):
    environment.setenv("SERVER_PROFILES_FILE", write_file(tmp_path, kind.name, **changes))
    with closing_logs(), serve_imitation(kind) as imitation:
        async with open_gateway() as gateway:
            with pytest.raises((AssertionError, AuthorizationRequired)):
                await check_whole_flow(gateway, imitation)


@pytest.mark.parametrize("kind", IMITATIONS, ids=lambda kind: kind.__name__)
async def test_the_flow_fails_without_the_entry(kind: type[Imitation], environment: pytest.MonkeyPatch):
    with closing_logs(), serve_imitation(kind) as imitation:
        async with open_gateway() as gateway:
            with pytest.raises((AssertionError, AuthorizationRequired)):
                await check_whole_flow(gateway, imitation)
