"""The gateway of the guide and a shell beside it, as the guide's reader has them, and what the gateway's lines say.

The shell takes the same command text, with the real programs or our stand-ins. Three things differ from a reader's
machine. Because tests take free ports, redis-cli is pointed at the test's server, and curl's ``localhost:4444`` leads
to the test's gateway. And sqlite3 waits for the lock of a gateway that writes just now, where a reader would type the
command again. None changes the command's text.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from latchpin.activity.logs import tear_down_logging
from latchpin_demo.browser import Browser, Page

from tests.guide.commands import (
    BAD_SIGNATURE,
    DCR_FAILED,
    DISCOVERY_FAILED,
    HEALTHY_FLOW,
    MISMATCH,
    NO_ISSUER,
    OPAQUE,
    SUCCESS_TITLE,
    Entry,
)
from tests.providers import FaultSwitch, start_fault_switch
from tests.servers import GatewayBackend, LatchpinProcess, Reservation, latchpin_command
from tests.servers.gateway import clean_environment
from tests.servers.processes import HOST
from tests.support.gateway_in_process import BASE, InnerGateway, open_gateway
from tests.support.gateway_process import DeployedGateway, create_schema, deploy_gateway, settings_of

STAND_INS = ("redis-cli", "sqlite3", "psql", "jq", "curl", "ps")
_SCRIPT = Path(__file__).with_name("stand_ins.py")
_DIRECTED = {
    "redis-cli": '-p "$GUIDE_REDIS_PORT"',
    "sqlite3": '-cmd ".timeout 60000"',
    "curl": '--connect-to "localhost:4444:127.0.0.1:$GUIDE_GATEWAY_PORT"',
}


def ways(*programs: str) -> list[str]:
    """How these programs can be had here: the stand-ins always, the real ones if all are installed."""
    return ["stand-in", *(["installed"] if all(map(shutil.which, programs)) else [])]


@dataclass(frozen=True, slots=True)
class Shell:
    """A shell in a folder.

    Attributes:
        folder: where commands run.
        environment: the whole environment of a command.
    """

    folder: Path
    environment: Mapping[str, str]

    def run(self, command: Entry | str, *, stdin: str = "") -> str:
        """Run a command to its end and return its output; it must succeed."""
        return self._run(command, {0}, stdin).stdout

    def lines(self, command: Entry | str) -> list[str]:
        """The lines that a command puts out; it must succeed, so a ``grep`` must have found something."""
        return self.run(command).splitlines()

    def found(self, command: Entry) -> list[str]:
        """The lines that a ``grep`` finds, which may be none."""
        return self._run(command, {0, 1}, "").stdout.splitlines()

    def _run(self, command: Entry | str, allowed: set[int], stdin: str) -> subprocess.CompletedProcess[str]:
        text = command.text if isinstance(command, Entry) else command
        done = subprocess.run(
            ["/bin/sh", "-c", text],
            cwd=self.folder,
            env=dict(self.environment),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode in allowed, f"{text}\nexit status {done.returncode}\n{done.stdout}{done.stderr}"
        return done


def open_shell(folder: Path, settings: Mapping[str, str], *, way: str, port: int = 0) -> Shell:
    """A shell in ``folder`` whose programs are had in the given ``way``.

    Args:
        folder: the gateway's working folder.
        settings: the gateway's; they also say where Redis and PostgreSQL are.
        way: ``stand-in`` or ``installed``.
        port: the gateway's, for curl.
    """
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    for name in STAND_INS:
        real = shutil.which(name) if way == "installed" else None
        command = f"{real} {_DIRECTED.get(name, '')}" if real else f"{sys.executable} -P {_SCRIPT} {name}"
        (programs / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (programs / name).chmod(0o755)
    environment = clean_environment({**settings, **_places(settings), "GUIDE_GATEWAY_PORT": str(port)})
    environment["PATH"] = os.pathsep.join([str(programs), str(Path(sys.executable).parent), environment["PATH"]])
    return Shell(folder, environment)


def processes_in(folder: Path, listed: list[str]) -> list[str]:
    """The lines of ``ps aux`` whose process has ``folder`` as its working folder: other tests run here too."""
    found: list[str] = []
    for line in listed:
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if Path(f"/proc/{line.split()[1]}/cwd").readlink() == folder:
                found.append(line)
    return found


def _places(settings: Mapping[str, str]) -> dict[str, str]:
    """Where psql and redis-cli find their servers, from the gateway's own settings."""
    database, redis = urlsplit(settings.get("DATABASE_URL", "")), urlsplit(settings.get("REDIS_URL", ""))
    places = {"GUIDE_REDIS_PORT": str(redis.port)} if redis.port else {}
    if database.scheme.startswith("postgres"):
        places |= {"PGHOST": str(database.hostname), "PGPORT": str(database.port), "PGUSER": str(database.username)}
        places |= {"PGPASSWORD": str(database.password), "PGDATABASE": database.path.strip("/"), "PSQLRC": os.devnull}
    return places


class Terminal:
    """A terminal of its own for a command that does not end by itself, until the block ends.

    Not a pipe, because ``grep`` keeps its lines back when it writes into a pipe.
    """

    def __init__(self, shell: Shell, command: Entry) -> None:
        self._text = b""
        self._screen, theirs = pty.openpty()
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", command.text],
            cwd=shell.folder,
            env=dict(shell.environment),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def wait_for(self, text: str, *, timeout: float = 60) -> str:
        """Wait until ``text`` is on the screen, and return all of it."""
        deadline = time.monotonic() + timeout
        while text.encode() not in self._text:
            ready, _, _ = select.select([self._screen], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{text!r} did not come within {timeout:g} s:\n{self._text.decode()}"
            self._text += os.read(self._screen, 65536)
        return self._text.decode()

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(60)
        os.close(self._screen)


# Which of the guide's lines a piece of log holds.


STORED, VALIDATED, COMPLETED = (
    "Stored OAuth state in",
    "Successfully validated OAuth state from",
    "Completed OAuth flow for",
)
NOT_FOUND, EXPIRED, USED = "State not found in", "State has expired for", "State was already used for"
FAILED = "OAuth callback failed: "
_PUBLIC = (OPAQUE.text, BAD_SIGNATURE.text, MISMATCH.text)

MESSAGES = (
    STORED,
    VALIDATED,
    COMPLETED,
    NOT_FOUND,
    EXPIRED,
    USED,
    *(f"WARNING - {text}" for text in (BAD_SIGNATURE.text, MISMATCH.text)),
    *(FAILED + text for text in _PUBLIC),
    DCR_FAILED.text,
    NO_ISSUER.text,
    DISCOVERY_FAILED.text,
)
"""What the guide tells people to look for. Each may appear only when its cause holds."""

assert all(any(message in line for message in MESSAGES) for line in HEALTHY_FLOW.text.splitlines())


def named(log: str) -> set[str]:
    """Which messages are in ``log``."""
    return {message for message in MESSAGES if message in log}


def without_times(lines: list[str]) -> list[str]:
    """Each line from its level on: ``DEBUG - Stored ...``."""
    return [f"{line.partition(' - ')[0].rsplit(' ', 1)[-1]} - {line.partition(' - ')[2]}" for line in lines]


# The repository as ``make`` sees it, in a folder of its own, set up with the distributions that this run has.
#
# ``make dev`` in a bare clone would first install everything, which ``tests/workspace`` tests; here it really serves.


ROOT = Path(__file__).parents[2]
_FILES = ("Makefile", ".env.example", "pyproject.toml", "*/pyproject.toml", "*/*/pyproject.toml")


def prepare_checkout(folder: Path) -> Path:
    """Copy what ``make`` looks at, beside a ``.venv`` that is complete."""
    for pattern in _FILES:
        for file in ROOT.glob(pattern):
            if not file.relative_to(ROOT).parts[0].startswith(".") or file.name == ".env.example":
                target = folder / file.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, target)
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, program in (("python", sys.executable), ("latchpin", latchpin_command())):
        (programs / name).write_text(f'#!/bin/sh\nexec {program} "$@"\n')
        (programs / name).chmod(0o755)
    for stamp in (".created", ".installed"):
        (folder / ".venv" / stamp).touch()
    return folder


@contextlib.contextmanager
def serve_by(command: Entry | str, folder: Path, settings: Mapping[str, str]) -> Iterator[LatchpinProcess]:
    """Let a command of the guide start a gateway, on a free port, until the block ends.

    ``0.0.0.0:4444`` in the command becomes that port on loopback.
    """
    with Reservation() as place:
        url = f"http://{HOST}:{place.port}"
        env = {"PORT": str(place.port), "BASE_URL": url} | dict(settings)
        text = (command.text if isinstance(command, Entry) else command).replace("0.0.0.0:4444", f"{HOST}:{place.port}")
        shell = open_shell(folder, env, way="installed", port=place.port)
        with LatchpinProcess(["/bin/sh", "-c", text], env=shell.environment, cwd=folder) as process:
            process.port, process.base_url = place.port, env["BASE_URL"]
            process.wait_until_healthy(timeout=60)
            yield process


# A gateway that runs, a provider, a client registered by hand, and a shell in the gateway's folder.


def in_guides_place(backend: GatewayBackend) -> Mapping[str, str]:
    """The backend's settings, with the SQLite file where the guide looks for it: ``mcp.db`` in the working folder."""
    place = {"DATABASE_URL": "sqlite:///./mcp.db"} if backend.name == "sqlite" else {}
    return settings_of(backend) | place


def hand_made_client(provider: FaultSwitch, base_url: str) -> dict[str, Any]:
    """Register a client as a person would, so that runs without DCR have one too; gives an ``oauth_config``."""
    body = {"redirect_uris": [f"{base_url}/oauth/callback"], "token_endpoint_auth_method": "client_secret_basic"}
    answer = httpx.post(f"{provider.provider.issuer}/register", json=body, trust_env=False, timeout=60)
    client = answer.raise_for_status().json()
    return {"client_id": client["client_id"], "client_secret": client["client_secret"]}


def state_of(callback_url: str) -> str:
    """The state in a callback's URL."""
    return parse_qs(urlsplit(callback_url).query)["state"][0]


def payload_of(state: str) -> dict[str, Any]:
    """What a state says, read without any key."""
    payload: dict[str, Any] = json.loads(base64.urlsafe_b64decode(state.partition(".")[0] + "=="))
    return payload


@dataclass
class GuidedGateway:
    """What a test of the guide acts with.

    Attributes:
        seen: how much of the log ``new_log`` has given out.
    """

    deployed: DeployedGateway
    provider: FaultSwitch
    backend: GatewayBackend
    shell: Shell
    seen: int = 0

    async def add_gateway(self) -> str:
        """A gateway of the provider's MCP server, with a client that was registered by hand."""
        client = hand_made_client(self.provider, self.deployed.url)
        return await self.deployed.add(self.provider.provider.mcp_url, name="Notes", oauth_config=client)

    async def finish(self, browser: Browser, callback_url: str) -> Page:
        """Go on from the provider's redirect, to success."""
        page = await browser.open(callback_url)
        assert page.title == SUCCESS_TITLE.text, page.text
        return page

    def new_log(self) -> str:
        """What was logged since the last call."""
        text = self.deployed.log
        fresh, self.seen = text[self.seen :], len(text)
        return fresh


@contextlib.contextmanager
def open_guided(
    backend: GatewayBackend, folder: Path, provider: FaultSwitch, *, way: str = "installed", **settings: str
) -> Iterator[GuidedGateway]:
    """Serve a gateway; ``settings`` come on top of the backend's."""
    env = dict(in_guides_place(backend)) | settings
    with deploy_gateway(backend, folder, **(env)) as deployed:
        yield GuidedGateway(deployed, provider, backend, open_shell(folder, env, way=way, port=deployed.process.port))


# A gateway in the test's process, whose clock can be moved, with a shell in its folder.


@dataclass(frozen=True, slots=True)
class GuidedInProcess:
    """What a test acts with.

    Attributes:
        id: of the gateway entry that every test here needs.
    """

    gateway: InnerGateway
    backend: GatewayBackend
    shell: Shell
    id: str

    async def finish(self, browser: Browser, callback_url: str) -> Page:
        """Go on from the provider's redirect, to success."""
        page = await browser.open(callback_url)
        assert page.title == SUCCESS_TITLE.text, page.text
        return page


@contextlib.asynccontextmanager
async def open_guided_in_process(
    backend: GatewayBackend, folder: Path, provider: FaultSwitch, monkeypatch: pytest.MonkeyPatch, way: str
) -> AsyncIterator[GuidedInProcess]:
    """Open a gateway on ``backend`` in ``folder``, which is the working folder."""
    settings = in_guides_place(backend)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    create_schema(settings)
    try:
        async with open_gateway() as gateway:
            gateway_id = await gateway.add(provider.provider.mcp_url, oauth_config=hand_made_client(provider, BASE))
            yield GuidedInProcess(gateway, backend, open_shell(folder, settings, way=way), gateway_id)
    finally:
        tear_down_logging()


# A provider, and a gateway with a shell in its folder.


@pytest.fixture
def provider() -> Iterator[FaultSwitch]:
    with start_fault_switch() as switch:
        yield switch


@pytest.fixture
def way() -> str:
    """The real programs where the machine has them; a test that tries both is parametrized."""
    return "installed"


@pytest.fixture
def guided(backend: GatewayBackend, tmp_path: Path, provider: FaultSwitch, way: str) -> Iterator[GuidedGateway]:
    with open_guided(backend, tmp_path, provider, way=way) as opened:
        yield opened


@pytest.fixture
async def inner(
    backend: GatewayBackend, tmp_path: Path, provider: FaultSwitch, monkeypatch: pytest.MonkeyPatch, way: str
) -> AsyncIterator[GuidedInProcess]:
    async with open_guided_in_process(backend, tmp_path, provider, monkeypatch, way) as opened:
        yield opened
