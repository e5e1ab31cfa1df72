"""What the tests of files share: documents in one line, and an apply as the command does it."""

from __future__ import annotations

import textwrap
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from latchpin.activity.logs import tear_down_logging
from latchpin.model import Caller
from latchpin.sdk.gateway import Application
from latchpin_config.applying import Order, Progress, apply
from latchpin_config.exporting import Exported, export
from latchpin_config.files import read_files
from latchpin_config.kinds import installed_kinds, secret_sources
from latchpin_config.planning import Plan, make_plan, read_state
from latchpin_config.positions import Problem
from latchpin_config.wanted import Wanted, read_wanted

from tests.servers import GatewayBackend
from tests.support.gateway_in_process import ADMIN, InnerGateway, open_gateway

NEEDS = (
    "latchpin_aggregator",
    "latchpin_authorization_server",
    "latchpin_config",
    "latchpin_policy",
)
OPERATOR = Caller(ADMIN, is_admin=True, via="local")
CLIENT_SECRET = "a-client-secret-with-forty-characters-!!"
ALL = """
gateways:
  github:
    url: https://mcp.example.com/github
    allowed_users: [group:staff, "*@example.com"]
    oauth_config:
      issuer: https://idp.example.com
      client_id: abc
      client_secret: env:TEST_GATEWAY_SECRET
      scopes: [a, b]
      redirect_uri: http://localhost:4444/oauth/callback/{gateway_id}
  files: {url: https://mcp.example.com/files, auth_type: api_key}
  open: {url: https://mcp.example.com/open, auth_type: none}
sets:
  dev: {name: Development, gateways: [files, github], allowed_users: ["group:staff"]}
groups:
  staff: {members: [ann@example.com, "*@example.org"], note: Everybody}
rules:
  no-deletes: {effect: deny, tools: ["delete_*"], gateway: github}
  few-scopes: {effect: scopes, scopes: [a, b], who: "group:staff"}
oauth_clients:
  report: {name: Report, acts_as: bot@example.com, client_secret: env:TEST_CLIENT_SECRET}
  app: {name: App, redirect_uris: ["http://127.0.0.1/cb"], token_endpoint_auth_method: none}
"""
"""An entry of every kind."""


def wanted_of(text: str, folder: Path) -> Wanted:
    """What a file with this text wants."""
    file = folder / "latchpin.yaml"
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    read = read_files(file)
    wanted = read_wanted(read.documents, {kind.name: kind for kind in installed_kinds()})
    return Wanted(wanted.entries, [*read.problems, *wanted.problems])


def problems_of(text: str, folder: Path) -> list[str]:
    """What is wrong with it, without the folder."""
    return lines(wanted_of(text, folder).problems, folder)


def lines(problems: list[Problem], folder: Path) -> list[str]:
    return [str(each).replace(f"{folder}/", "") for each in problems]


@dataclass
class Filed:
    """A gateway and the files that are applied to it."""

    gateway: InnerGateway
    folder: Path

    @property
    def application(self) -> Application:
        return self.gateway.application

    async def plan(self, text: str, *, source: str = "test", prune: bool = False, take_over: bool = False) -> Plan:
        wanted = wanted_of(text, self.folder)
        assert wanted.problems == []
        state = await read_state(self.application, installed_kinds(), OPERATOR)
        sources = secret_sources(self.application)
        return await make_plan(state, wanted.entries, sources, source=source, prune=prune, take_over=take_over)

    async def apply(
        self,
        text: str,
        *,
        source: str = "test",
        prune: bool = False,
        take_over: bool = False,
        tell: Progress = lambda *_: None,
    ) -> Plan:
        wanted = wanted_of(text, self.folder)
        assert wanted.problems == []
        order = Order(wanted.entries, source, prune, take_over)
        sources = secret_sources(self.application)
        return await apply(self.application, installed_kinds(), order, sources, OPERATOR, tell=tell)

    async def export(self) -> Exported:
        return await export(self.application, installed_kinds(), OPERATOR)


def actions(plan: Plan) -> list[tuple[str, str, str]]:
    return [(step.action, step.kind, step.name) for step in plan.writes]


@pytest.fixture
def secrets(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    environment.setenv("TEST_GATEWAY_SECRET", "the-gateways-secret")
    environment.setenv("TEST_CLIENT_SECRET", CLIENT_SECRET)
    environment.setenv("AUTHORIZATION_SERVER_ENABLED", "true")
    installed_kinds()
    return environment


@pytest.fixture
async def filed(secrets: pytest.MonkeyPatch, on_backend: GatewayBackend, tmp_path: Path) -> AsyncIterator[Filed]:
    """A gateway on each backend."""
    async with open_gateway() as opened:
        yield Filed(opened, tmp_path)
    tear_down_logging()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a file, and the folders that it is in."""

    def to(name: str, text: str) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return file

    return to
