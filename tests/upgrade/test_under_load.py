"""Workers of the version before serve while the schema is upgraded and workers of this version start: no call fails."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
from alembic import command
from latchpin_sql_store import schema
from latchpin_sql_store.engine import parse_url
from latchpin_sql_store.migrate import alembic_config, upgrade_database

from tests.providers import FaultSwitch, start_fault_switch
from tests.servers import GatewayBackend, latchpin_command, start_latchpin
from tests.support.gateway_process import A_MOMENT, ALICE, BOB, DeployedGateway, settings_of

NEEDS = ("latchpin_proxy", "latchpin_sql_store")

CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2}}}'
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
THREE = '"structuredContent":{"result":3.0}'
CALLERS = 4
PATIENCE = 120
"""Seconds for such a step, far more than it needs."""
ENOUGH = 40
"""Calls between one step of the upgrade and the next."""


class Load:
    """People who call a tool again and again, wherever the load balancer sends them.

    Attributes:
        behind: where it sends them.
        done: how many calls were answered.
        failed: what was answered otherwise.
    """

    def __init__(self, deployed: DeployedGateway, gateway: str) -> None:
        self.behind = [f"http://127.0.0.1:{deployed.process.port}"]
        self.done = 0
        self.failed: list[str] = []
        self._deployed = deployed
        self._gateway = gateway
        self._reached: Callable[[], bool] = bool
        self._told = asyncio.Event()

    async def more(self) -> None:
        """Return when many more have been answered."""
        wanted = self.done + ENOUGH
        await self.until(lambda: self.done >= wanted)

    async def until(self, reached: Callable[[], bool]) -> None:
        """Return when a call has ended after which something is so."""
        self._told.clear()
        self._reached = reached
        await asyncio.wait_for(self._told.wait(), PATIENCE)
        assert self.failed == []

    @contextlib.asynccontextmanager
    async def on(self) -> AsyncIterator[None]:
        """Call for as long as the block lasts."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._call(number)) for number in range(CALLERS)]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()

    async def _call(self, number: int) -> None:
        headers = JSON | {"authorization": f"Bearer {self._deployed.bearer((ALICE, BOB)[number % 2])}"}
        headers["host"] = self._deployed.url.removeprefix("http://")
        async with httpx.AsyncClient(trust_env=False, timeout=60, headers=headers) as client:
            while True:
                where = self.behind[self.done % len(self.behind)]
                answer = await client.post(f"{where}/gateways/{self._gateway}/mcp", content=CALL)
                self.done += 1
                if answer.status_code != 200 or THREE not in answer.text:
                    self.failed.append(f"{where}: {answer.status_code} {answer.text}")
                if self.failed or self._reached():
                    self._told.set()
                await asyncio.sleep(A_MOMENT)


@contextlib.contextmanager
def serving_before(backend: GatewayBackend, folder: Path) -> Iterator[DeployedGateway]:
    """Two workers of the version before, on a database that it made."""
    config = alembic_config()
    config.attributes["url"] = parse_url(backend.environment["DATABASE_URL"])
    command.upgrade(config, BEFORE)
    env = {**settings_of(backend), "PYTHONPATH": str(make_version_before(folder / "before"))}
    with start_latchpin("serve", "--workers", "2", env=env, cwd=folder, executable=latchpin_command()) as process:
        process.wait_for_output("Application startup complete", times=2)
        yield DeployedGateway(process, folder)


async def prove_upgrading(backend: GatewayBackend, folder: Path) -> None:
    """See that no call fails while the schema is upgraded and both versions serve."""
    assert schema.HEAD == HEAD, "write the version before anew"
    short_lived = start_fault_switch(token_lifetime=timedelta(seconds=10))  # tokens are renewed all the time
    with serving_before(backend, folder) as old, short_lived as switch:
        gateway = await old.add(switch.provider.mcp_url)
        for email in (ALICE, BOB):
            async with old.browser(email) as browser:
                await old.authorize(browser, gateway, user=email)
        load = Load(old, gateway)
        async with load.on():
            await load.more()
            before, after = await asyncio.to_thread(upgrade_database, backend.environment["DATABASE_URL"])
            assert (before, after) == (BEFORE, HEAD)
            await load.more()
            await check_writes(old, load, switch)
            await _replace(backend, old, load, switch)
        assert load.done >= 5 * ENOUGH


async def _replace(backend: GatewayBackend, old: DeployedGateway, load: Load, switch: FaultSwitch) -> None:
    """Put a worker of this version beside those of the version before, and stop these."""
    new = {**settings_of(backend), "BASE_URL": old.url}
    with start_latchpin(env=new, cwd=old.folder, executable=latchpin_command()) as process:
        load.behind.append(f"http://127.0.0.1:{process.port}")
        await load.more()
        await check_writes(old, load, switch)
        del load.behind[0]
        await load.more()
        await asyncio.to_thread(old.process.stop)
        await load.more()


async def check_writes(old: DeployedGateway, load: Load, switch: FaultSwitch) -> None:
    """The version before renews tokens, keeps what people authorize, and takes what administrators enter."""
    switch.forget()
    await load.until(lambda: bool(switch.asked("token")))
    other = await old.add(switch.provider.mcp_url)
    async with old.browser(BOB) as browser:
        await old.authorize(browser, other, user=BOB)


HEAD, BEFORE = "0006", "0005"

EDITS = {
    "schema.py": {f'HEAD = "{HEAD}"': f'HEAD = "{BEFORE}"'},
    "tables.py": {
        '    Column("connection", String(16), nullable=False, server_default="own"),\n': "",
        '    Column("api_key", ApiKeyMembers),\n': "",
        '    Column("label", LABEL, nullable=False, server_default=""),\n': "",
        '    Column("chosen_at", UtcTime),\n': "",
        '    Column("connected_by", EMAIL),\n': "",
        '"app_user_email", "label", name="uq_oauth_tokens_account"': '"app_user_email"',
    },
    "tokens.py": {
        '_ACCOUNT = and_(_OWNER, tokens.c.label == bindparam("of_label"))': "_ACCOUNT = _OWNER",
        'owner | {"of_label": label}': "owner",
        "statement = statement.where(tokens.c.label == label)": "pass",
        ', "of_label": label}': "}",
    },
}


def make_version_before(folder: Path) -> Path:
    """Put the SQL store as it was before the newest migration into ``folder``, which goes first on ``PYTHONPATH``.

    A checkout has no earlier version that tests could count on. So what the migration added is taken out of a copy of
    the package, statement by statement; each edit insists on finding what it takes out. With a newer migration these
    edits are written anew.
    """
    spec = find_spec("latchpin_sql_store")
    assert spec is not None
    assert spec.origin is not None
    package = folder / "latchpin_sql_store"
    shutil.copytree(Path(spec.origin).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, edits in EDITS.items():
        text = (package / name).read_text()
        for old, new in edits.items():
            assert text.count(old) == 1, f"{name} has not {old!r} once: write the version before {HEAD} anew"
            text = text.replace(old, new)
        (package / name).write_text(text)
    (migration,) = (package / "migrations" / "versions").glob(f"v{HEAD}_*.py")
    migration.unlink()
    return folder


@pytest.mark.slow
@pytest.mark.backends("sqlite", "postgres")
async def test_no_call_fails_while_the_schema_is_upgraded_and_both_versions_serve(
    backend: GatewayBackend, tmp_path: Path
):
    await prove_upgrading(backend, tmp_path)
