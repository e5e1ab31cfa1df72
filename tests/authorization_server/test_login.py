"""``latchpin login``: a person's programs get tokens for an endpoint elsewhere. No terminal is there."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from latchpin_demo.browser import Browser, Page

from tests.authorization_server.conftest import INITIALIZE
from tests.providers import FaultSwitch, sign_in
from tests.servers import GatewayBackend, latchpin_command, run_latchpin
from tests.servers.forking import ForkedLatchpin
from tests.servers.processes import ServerProcess
from tests.support.gateway_process import ALICE, DeployedGateway, deploy_gateway

NEEDS = ("latchpin_authorization_server", "latchpin_proxy", "latchpin_dcr")
pytestmark = pytest.mark.backends("sqlite")
TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+\n")
USER_CODE = re.compile(r"^[A-Z]{4}-[A-Z]{4}$", re.MULTILINE)


@dataclass
class Laptop:
    """Another machine: its folder for settings, and no gateway."""

    folder: Path
    url: str
    keyring: str = "keyring.backends.fail.Keyring"

    @property
    def env(self) -> dict[str, str]:
        """A browser that opens nothing, as on a machine without a screen."""
        return {
            "XDG_CONFIG_HOME": str(self.folder),
            "PYTHONPATH": str(self.folder),
            "BROWSER": "false %s",
            "NO_PROXY": "*",
            "PYTHON_KEYRING_BACKEND": self.keyring,
        }

    @property
    def files(self) -> list[Path]:
        return sorted((self.folder / "latchpin" / "logins").glob("*"))

    @contextmanager
    def begin(self, *arguments: str, start: Callable[..., Any] = ForkedLatchpin) -> Iterator[ServerProcess]:
        """Type the command; it waits for its person."""
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **self.env}
        command = [latchpin_command(), "login", *arguments]
        with ServerProcess(command, env=env, cwd=self.folder, start=start) as process:
            yield process

    def run(self, *arguments: str, fails: bool = False) -> tuple[str, str]:
        """Type a command that asks nobody; its standard output and error."""
        ended = run_latchpin(*arguments, env=self.env, cwd=self.folder)
        assert (ended.returncode == 1) is fails, ended.stderr
        assert "Traceback" not in ended.stderr
        return ended.stdout, ended.stderr

    def change(self, **members: str) -> None:
        [file] = self.files
        file.write_text(json.dumps(json.loads(file.read_text()) | members))

    def kept(self, name: str) -> str:
        [file] = self.files
        return str(json.loads(file.read_text())[name])


async def new_laptop(deployed: DeployedGateway, provider: FaultSwitch, folder: Path) -> Laptop:
    gateway_id = await deployed.add(provider.provider.mcp_url, name="Files")
    folder /= "laptop"
    folder.mkdir()
    return Laptop(folder, f"{deployed.url}/gateways/{gateway_id}/mcp")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedGateway]:
    """One gateway for all tests: each has a server behind it, and a laptop, of its own."""
    folder = tmp_path_factory.mktemp("served")
    settings = {"CACHE_TYPE": "database", "RECORD_STORE": "database", "DATABASE_URL": f"sqlite:///{folder}/x.db"}
    with deploy_gateway(GatewayBackend("sqlite", settings, shared=True, label="database"), folder) as started:
        yield started


@pytest.fixture
def shared(served: DeployedGateway, backend: GatewayBackend) -> DeployedGateway:
    """That gateway. ``backend`` is empty: asking for it puts the test into the runs with SQLite."""
    return served


@pytest.fixture
async def laptop(shared: DeployedGateway, provider: FaultSwitch, tmp_path: Path) -> Laptop:
    return await new_laptop(shared, provider, tmp_path)


def url_shown(process: ServerProcess) -> str:
    return process.wait_for_output("/oauth2/authorize?").strip()


async def allow(browser: Browser, page: Page) -> Page:
    if any("/oauth2/decision" in form.action for form in page.forms):
        await browser.submit(page.form(action="/oauth2/decision"), press="allow")
    return await sign_in(browser)


async def log_in(laptop: Laptop, deployed: DeployedGateway) -> str:
    """By a browser on the same machine; what was said."""
    with laptop.begin(laptop.url) as process:
        async with deployed.browser() as browser:
            page = await allow(browser, await browser.open(url_shown(process)))
        assert page.title == "Signed in", page.text
        assert process.wait() == 0, process.output
        return process.output


async def calls(laptop: Laptop, token: str) -> int:
    headers = {"authorization": f"Bearer {token.strip()}", "accept": "application/json, text/event-stream"}
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        return (await http.post(laptop.url, json=INITIALIZE, headers=headers)).status_code


async def test_by_a_browser_on_the_same_machine(laptop: Laptop, shared: DeployedGateway):
    said = await log_in(laptop, shared)
    assert f"Signed in to {laptop.url} as alice@example.com" in said
    token, words = laptop.run("login", "--print-token", laptop.url)
    assert TOKEN.fullmatch(token), token
    assert words == ""
    assert token.strip() not in said
    assert await calls(laptop, token) == 200

    laptop.change(expires_at="2026-01-01T00:00:00+00:00")
    renewed, _ = laptop.run("login", "--print-token")
    assert renewed != token
    assert await calls(laptop, renewed) == 200


@pytest.mark.needs("latchpin_aggregator")
async def test_for_all_servers_the_gateways_own_address_is_enough(
    deployed: DeployedGateway, provider: FaultSwitch, tmp_path: Path
):
    laptop = await new_laptop(deployed, provider, tmp_path)
    async with deployed.api() as admin:
        (await admin.post("/sets", json={"slug": "dev"})).raise_for_status()
    for given, meant in (("", "/mcp"), ("/mcp/dev", "/mcp/dev")):
        with laptop.begin(deployed.url + given) as process:
            async with deployed.browser() as browser:
                page = await allow(browser, await browser.open(url_shown(process)))
            assert page.title == "Signed in", page.text
            assert process.wait() == 0, process.output
        assert f"Signed in to {deployed.url}{meant} as alice@example.com" in process.output
        laptop.url = f"{deployed.url}{meant}"
        token, _ = laptop.run("login", "--print-token", deployed.url + given)
        assert await calls(laptop, token) == 200


async def test_by_a_code_and_a_browser_elsewhere(laptop: Laptop, shared: DeployedGateway):
    with laptop.begin(laptop.url, "--device", start=subprocess.Popen) as process:  # as a program is really started
        process.wait_for_output(f"{shared.url}/device in any browser")
        code = process.wait_until(lambda: next(iter(USER_CODE.findall(process.output)), None))
        async with shared.browser() as browser:
            page = await browser.open(f"{shared.url}/device")
            page = await browser.submit(page.form(action="/device"), user_code=code)
            assert "latchpin login on" in page.text
            assert "latchpin-login" in page.text
            assert (await allow(browser, page)).title == "Done"
        assert process.wait() == 0, process.output
    assert await calls(laptop, laptop.run("login", "--print-token")[0]) == 200


async def test_a_person_who_says_no(laptop: Laptop, shared: DeployedGateway):
    with laptop.begin(laptop.url) as process:
        async with shared.browser() as browser:
            page = await browser.open(url_shown(process))
            page = await browser.submit(page.form(action="/oauth2/decision"), press="deny")
        assert page.title == "Not signed in"
        assert process.wait() == 1
        assert "access_denied" in process.output
    assert laptop.files == []


async def test_signing_out_ends_it_there_too(laptop: Laptop, shared: DeployedGateway):
    await log_in(laptop, shared)
    token, _ = laptop.run("login", "--print-token")
    [file] = laptop.files
    held = file.read_text()
    assert laptop.run("logout")[1] == f"Signed out of {laptop.url}.\n"
    assert laptop.files == []
    assert await calls(laptop, token) == 401

    file.write_text(held)
    file.chmod(0o600)
    laptop.change(expires_at="2026-01-01T00:00:00+00:00")
    _, words = laptop.run("login", "--print-token", fails=True)
    assert "has ended" in words
    assert f"latchpin login {laptop.url}" in words


async def test_no_token_is_printed_that_is_not_taken_any_more_and_a_server_that_is_away_ends_none(
    deployed: DeployedGateway, provider: FaultSwitch, tmp_path: Path
):
    laptop = await new_laptop(deployed, provider, tmp_path)
    await log_in(laptop, deployed)
    token, _ = laptop.run("login", "--print-token")
    async with deployed.api() as administrator:
        (await administrator.delete("/oauth/tokens", params={"user": ALICE})).raise_for_status()
    while await calls(laptop, token) != 401:  # another worker may remember it for a second
        pass
    printed, words = laptop.run("login", "--print-token", fails=True)
    assert printed == ""
    assert "has ended" in words
    deployed.process.stop()
    assert laptop.run("login", "--print-token")[0] == token  # nobody is there to say otherwise
    assert "the server was not told" in laptop.run("logout", fails=True)[1]
    assert laptop.files == []


async def test_the_same_client_signs_in_again_unless_it_was_forgotten_there(laptop: Laptop, shared: DeployedGateway):
    await log_in(laptop, shared)
    first = laptop.kept("client_id")
    await log_in(laptop, shared)
    assert laptop.kept("client_id") == first
    laptop.change(client_id="forgotten")
    await log_in(laptop, shared)
    assert laptop.kept("client_id") not in {first, "forgotten"}


async def test_where_to_is_said_in_words(laptop: Laptop, shared: DeployedGateway):
    assert f"{shared.url}/gateways/<id>/mcp" in laptop.run("login", f"{shared.url}/elsewhere", fails=True)[1]
    assert "latchpin login URL" in laptop.run("login", "--print-token", fails=True)[1]


@pytest.mark.needs("keyring")
async def test_tokens_are_in_the_keyring_where_there_is_one(laptop: Laptop, shared: DeployedGateway):
    (laptop.folder / "file_of_the_keyring.py").write_text(KEYRING)
    laptop.keyring = "file_of_the_keyring.Keyring"
    assert "in the system's keyring" in await log_in(laptop, shared)
    [(name, secret)] = json.loads((laptop.folder / "keyring.json").read_text()).items()
    assert name == f"latchpin {laptop.url}"
    [file] = laptop.files
    assert not any(text in file.read_text() for text in json.loads(secret).values())
    assert await calls(laptop, laptop.run("login", "--print-token")[0]) == 200
    laptop.run("logout")
    assert json.loads((laptop.folder / "keyring.json").read_text()) == {}


KEYRING = """
import json
from pathlib import Path
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

FILE = Path(__file__).with_name("keyring.json")


class Keyring(KeyringBackend):
    priority = 9

    def _held(self):
        return json.loads(FILE.read_text()) if FILE.exists() else {}

    def get_password(self, service, username):
        return self._held().get(f"{service} {username}")

    def set_password(self, service, username, password):
        FILE.write_text(json.dumps(self._held() | {f"{service} {username}": password}))

    def delete_password(self, service, username):
        held = self._held()
        if held.pop(f"{service} {username}", None) is None:
            raise PasswordDeleteError
        FILE.write_text(json.dumps(held))
"""
