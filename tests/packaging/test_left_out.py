"""Each distribution can be left out: the rest starts and serves the flow, no page leads to what is missing, and who
asks for it is told what to install."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import httpx
import pytest
from latchpin.plugins.elsewhere import ELSEWHERE

from tests.providers.servers import DemoProvider, start_demo_provider
from tests.servers import GatewayBackend, run_latchpin
from tests.servers.selection import Distribution, plugins
from tests.support.gateway_process import (
    ADMIN,
    ALICE,
    BOB,
    SECRET,
    USER_HEADER,
    DeployedGateway,
    dead_links,
    deploy_gateway,
    enter_client,
    settings_of,
    walk_whole_flow,
)

PLUGINS = [each for each in plugins() if each.entry_points]
ADDRESSES = {
    "latchpin-admin-ui": "/admin/settings",
    "latchpin-aggregator": "/mcp",
    "latchpin-api-docs": "/docs",
    "latchpin-api-keys": "/gateways/0123456789abcdef0123456789abcdef/key",
    "latchpin-attention": "/attention",
    "latchpin-authorization-server": "/oauth2/jwks.json",
    "latchpin-cimd": "/oauth/client-metadata.json",
    "latchpin-config": "/configuration",
    "latchpin-connect": "/connect",
    "latchpin-doctor": "/admin/doctor",
    "latchpin-edge": "/edge/token/0123456789abcdef0123456789abcdef",
    "latchpin-enterprise": "/oauth/identity-assertion/0123456789abcdef0123456789abcdef",
    "latchpin-flows": "/flows",
    "latchpin-inspection": "/gateways/0123456789abcdef0123456789abcdef/discovery",
    "latchpin-mail": "/admin/mail",
    "latchpin-metrics": "/metrics",
    "latchpin-offboarding": "/people/ended",
    "latchpin-oidc-login": "/login/oidc",
    "latchpin-policy": "/rules",
    "latchpin-proxy": "/gateways/0123456789abcdef0123456789abcdef/mcp",
    "latchpin-registry": "/v0.1/servers",
    "latchpin-scim": "/scim/v2/Users",
    "latchpin-webhook": "/admin/undelivered/webhooks",
}
"""An address that each of these brings."""
MEMORY = {"CACHE_TYPE": "memory", "RECORD_STORE": "memory"}
SQLITE = {"CACHE_TYPE": "database", "RECORD_STORE": "database", "DATABASE_URL": "sqlite:///./left-out.db"}


def with_dependents(left_out: Sequence[Distribution]) -> set[str]:
    """The names of distributions and of those that need them."""
    hidden = {each.name for each in left_out}
    for _ in PLUGINS:
        needing = [each for each in PLUGINS if any(name_of(need) in hidden for need in each.project["dependencies"])]
        hidden |= {each.name for each in needing}
    return hidden


def name_of(requirement: str) -> str:
    return re.split(r"[\[=<>! ]", requirement)[0]


ALONE = [[each] for each in PLUGINS if each.name == "latchpin-admin-ui" or len(with_dependents([each])) > 1]
"""What others need, and the UI, whose pages lead to most others' pages."""
SHARED = [each for each in PLUGINS if [each] not in ALONE]
WIDTH = math.isqrt(len(SHARED))
ROWS = [SHARED[start : start + WIDTH] for start in range(0, len(SHARED), WIDTH)]
COLUMNS = [SHARED[start::WIDTH] for start in range(WIDTH)]
"""The others are left out by rows and by columns: two that share a row are in different columns."""


def by_names(left_out: Sequence[Distribution]) -> str:
    return " ".join(each.name.removeprefix("latchpin-") for each in left_out)


def environment(*left_out: Distribution) -> Mapping[str, str]:
    packages = sorted(name.replace("-", "_") for name in with_dependents(left_out))
    return {"HIDDEN_PACKAGES": " ".join(packages)}


@pytest.fixture(scope="module")
def provider() -> Iterator[DemoProvider]:
    with start_demo_provider() as started:
        yield started


def test_of_any_two_each_is_missing_where_the_other_is_there():
    """So what one does for another is missed, although several are left out at once."""
    runs = [(left_out, with_dependents(left_out)) for left_out in (*ROWS, *COLUMNS, *ALONE)]
    for one, other in itertools.permutations(PLUGINS, 2):
        apart = any(one in left_out and other.name not in missing for left_out, missing in runs)
        assert apart or other.name in with_dependents([one]), f"{other.name} is never there without {one.name}"


@pytest.mark.parametrize("left_out", [*ROWS, *COLUMNS, *ALONE], ids=by_names)
async def test_the_rest_serves_the_flow_and_names_what_is_missing(
    left_out: Sequence[Distribution], provider: DemoProvider, tmp_path: Path
):
    brings = {each.name: ELSEWHERE[each.name] for each in left_out}
    without_sql = any(each.store == "database" for each in brings.values())
    name, stores = ("memory", MEMORY) if without_sql else ("sqlite", SQLITE)
    wishes = {wish: distribution for distribution, each in brings.items() for wish in each.settings}
    registrars = {distribution: each.registrar for distribution, each in brings.items() if each.registrar}
    settings = dict.fromkeys(wishes, "https://wish.example") | ({"DCR_ENABLED": "false"} if registrars else {})
    backend = GatewayBackend(name, stores, shared=name == "sqlite", label="")
    with deploy_gateway(backend, tmp_path, **environment(*left_out), **settings) as deployed:
        await walk_whole_flow(deployed, provider)
        assert await broken_links(deployed) == {}
        async with deployed.api() as api:
            for distribution in sorted(brings.keys() & ADDRESSES.keys()):
                answer = await api.get(ADDRESSES[distribution])
                assert answer.status_code == 404
                told = f"this address comes with {distribution}, which is not installed"
                assert answer.json()["detail"].endswith(told)
        for wish, distribution in wishes.items():
            assert f"{wish} is set, and {distribution}, which reads it, is not installed" in deployed.log
        if registrars:
            refused = await refusal(deployed, provider)
            for distribution, registrar in registrars.items():
                assert f"{registrar}: {distribution} is not installed" in refused


async def broken_links(deployed: DeployedGateway) -> dict[str, str]:
    headers = {USER_HEADER: ADMIN}
    async with httpx.AsyncClient(base_url=deployed.url, headers=headers, trust_env=False, timeout=60) as client:
        return await dead_links(client)


async def refusal(deployed: DeployedGateway, provider: DemoProvider) -> str:
    """What is said where a gateway has no client and may register none."""
    gateway = await deployed.add(provider.mcp_url, auth_type="oauth")
    async with deployed.api() as api:
        answer = await api.get(f"/oauth/authorize/{gateway}")
    return str(answer.json()["detail"])


@pytest.mark.parametrize("left_out", [*ROWS, *ALONE], ids=by_names)
def test_their_commands_and_their_stores_are_asked_for(left_out: Sequence[Distribution], tmp_path: Path):
    env = {**environment(*left_out), "AUTH_ENCRYPTION_SECRET": SECRET}
    listed = run_latchpin("plugins", "--json", env=env | MEMORY, cwd=tmp_path)
    names = {each["distribution"] for each in json.loads(listed.stdout)}
    assert names & {each.name for each in PLUGINS}
    assert not names & {each.name for each in left_out}
    for distribution in left_out:
        brings = ELSEWHERE[distribution.name]
        asked = [run_latchpin(command, "--once", env=env, cwd=tmp_path) for command in brings.commands]
        if brings.store:
            asked.append(run_latchpin("serve", env=env | {"CACHE_TYPE": brings.store}, cwd=tmp_path))
        if brings.key_service:
            asked.append(run_latchpin("serve", env=env | {"KEY_WRAPPER": brings.key_service}, cwd=tmp_path))
        for ended in asked:
            assert ended.returncode == 1, ended
            assert distribution.name in ended.stderr
            assert "Traceback" not in ended.stderr


async def test_who_is_out_stays_out_where_what_ended_them_is_left_out(tmp_path: Path):
    """Whose tokens are still valid at their servers is said, too: nobody has them revoked."""
    (offboarding,) = [each for each in PLUGINS if each.name == "latchpin-offboarding"]
    backend, hidden = GatewayBackend("sqlite", SQLITE, shared=True, label=""), environment(offboarding)
    with deploy_gateway(backend, tmp_path) as deployed:
        with start_demo_provider() as provider:
            gateway = await enter_client(deployed, provider)
            async with deployed.browser() as browser:
                await deployed.authorize(browser, gateway)
        async with deployed.api() as api:  # the server is away now
            assert (await api.put("/people/ended", params={"user": ALICE})).status_code == 200
    with deploy_gateway(backend, tmp_path, **hidden) as deployed:
        async with deployed.api(ALICE) as alice, deployed.api(BOB) as bob:
            statuses = [(await each.get("/oauth/tokens")).status_code for each in (alice, bob)]
        looked = run_latchpin("doctor", "--offline", env=settings_of(backend) | hidden, cwd=tmp_path)
    assert statuses == [401, 200]
    assert "Tokens of people who left are still to be revoked" in looked.stdout, looked
    told = run_latchpin("doctor", "--offline", env=settings_of(backend), cwd=tmp_path)
    assert "still to be revoked" not in told.stdout, "with the plugin it is done"


def test_each_is_missed_somewhere():
    assert {each.name for each in PLUGINS} == set(ELSEWHERE)
    assert {name for name, brings in ELSEWHERE.items() if brings.paths} == set(ADDRESSES)
