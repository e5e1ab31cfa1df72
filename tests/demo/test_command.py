"""``latchpin demo`` as a newcomer runs it: a process in an empty folder."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from latchpin.errors import SettingsError
from latchpin_demo import environment
from latchpin_demo.browser import Browser
from latchpin_demo.folder import claim, write_settings

from tests.providers.servers import sign_in
from tests.servers import Reservation, ServerProcess, latchpin_command
from tests.servers.forking import ForkedLatchpin
from tests.servers.gateway import clean_environment

pytestmark = pytest.mark.slow

STEPS = [
    "Prepare the demo's folder",
    "Start the authorization server",
    "Start two MCP servers",
    "Start the gateway",
    "Register the MCP servers as gateways",
    "Ask the endpoint as a client",
    "Discover who gives tokens",
    "Register the client",
    "Sign in at the gateway",
    "Open the client's request",
    "Allow the client",
    "Connect Demo tools",
    "Sign in at the authorization server",
    "Allow, and come back",
    "Skip Demo library",
    "Exchange the code for a token",
    "List the tools",
    "Call the tool who_am_i",
    "Ask which server waits",
]
BREAK = """
import sys
{fault}
from latchpin.commands.main import main
sys.argv = ["latchpin", "demo", "--once", "--port", "{port}"]
main()
"""

BACK_CHANNEL = """
async def gone(self, request): raise RuntimeError
from latchpin_demo.back_channel import BackChannel
BackChannel"""
MCP_SERVER = """
import latchpin_demo.mcp_server as m
from starlette.responses import PlainTextResponse
def who_am_i() -> str: return "mallory@example.com"
"""


def start_demo(folder: Path, *arguments: str, start: Callable[..., Any] = ForkedLatchpin, **env: str) -> ServerProcess:
    command = [latchpin_command(), "demo", *arguments]
    return ServerProcess(command, env=clean_environment(env), cwd=folder, start=start)


def run_demo(folder: Path, *arguments: str, **env: str) -> tuple[int, str]:
    with Reservation() as reserved, start_demo(folder, "--port", str(reserved.port), *arguments, **env) as process:
        return process.wait(timeout=180), process.output


def steps_in(output: str) -> list[str]:
    return [match.strip() for match in re.findall(r"^ok (.{38})", output, re.MULTILINE)]


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def children_of(pid: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.needs("latchpin_dcr", "latchpin_sql_store")
def test_once_goes_through_every_step_beside_another_whose_gateways_end_is_noticed(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=none of the demo's business\n")
    elsewhere = tmp_path / "another"
    elsewhere.mkdir()
    with Reservation() as reserved, start_demo(elsewhere, "--port", str(reserved.port)) as another:
        another.wait_for_output("Ctrl-C stops it.", timeout=180)
        status, output = run_demo(tmp_path, "--once", DATABASE_URL="sqlite:////nowhere/else.db", WORKERS="7")
        [gateway] = children_of(another.pid)
        os.kill(gateway, signal.SIGKILL)
        assert another.wait(timeout=60) == 1
    assert "failed Keep the gateway running" in another.output
    assert "exit code -9" in another.output

    assert status == 0, output
    assert steps_in(output) == STEPS
    assert re.search(
        r"List the tools +\d+ ms  demo-tools__add, demo-tools__search, demo-tools__who_am_i, latchpin_connect\n", output
    )
    assert re.search(r"Call the tool who_am_i +\d+ ms  alice@example.com\n", output)
    assert "The demo works. A client that knew one URL got in, and reached 4 tools with the user's own token." in output
    assert {path.name for path in tmp_path.iterdir()} == {".env", ".latchpin-demo", "another"}
    with sqlite3.connect(tmp_path / ".latchpin-demo" / "mcp.db") as database:
        users = database.execute("SELECT app_user_email FROM oauth_tokens").fetchall()
    database.close()
    assert users == [("alice@example.com",)]


@pytest.mark.needs("latchpin_dcr", "latchpin_sql_store")
@pytest.mark.parametrize(
    ("fault", "step", "reason"),
    [
        (f"{BACK_CHANNEL}._token = gone", "Allow, and come back", "HTTP 502"),
        (
            f"{MCP_SERVER}\nm.build_mcp_app = lambda *a, **k: PlainTextResponse('broken', 500)",
            "Connect Demo tools",
            "HTTP 502",
        ),
        (f"{MCP_SERVER}\nm.who_am_i = who_am_i", "Call the tool who_am_i", "mallory@example.com"),
    ],
    ids=["token", "mcp", "somebody-else"],
)
def test_once_names_the_step_that_failed(tmp_path: Path, fault: str, step: str, reason: str) -> None:
    with Reservation() as reserved:
        command = [sys.executable, "-c", BREAK.format(fault=fault, port=reserved.port)]
        with ServerProcess(command, env=clean_environment({}), cwd=tmp_path) as process:
            assert process.wait(timeout=180) == 1, process.output
            output = process.output
    assert steps_in(output) == STEPS[: STEPS.index(step)]
    assert f"failed {step}\n" in output
    assert reason in output.partition("failed ")[2]
    assert "Traceback" not in output


@pytest.mark.needs("latchpin_dcr", "latchpin_sql_store")
async def test_a_person_clicks_through_alone_in_the_folder_of_an_earlier_demo_and_presses_ctrl_c(
    tmp_path: Path, browser: Browser
) -> None:
    with claim(tmp_path / ".latchpin-demo") as earlier:
        write_settings(earlier, {"PORT": "1"})
        (earlier / "mcp.db").write_text("left there")
    with (
        Reservation() as reserved,
        start_demo(tmp_path, "--port", str(reserved.port), start=subprocess.Popen) as process,
    ):
        process.wait_for_output("Ctrl-C stops it.", timeout=180)
        link = re.search(r"http://localhost:\d+/login\?token=\S+", process.output)
        assert link is not None
        page = await browser.open(link[0])
        page = await browser.submit(page.form(action="/login"))
        assert "Demo tools" in page.text
        authorize = re.search(r'href="(/oauth/authorize/\w+)"', page.text)
        assert authorize is not None
        origin = link[0].partition("/login")[0]
        await browser.open(origin + authorize[1])
        page = await sign_in(browser)
        assert "OAuth Authorization Successful" in page.text
        assert f"{origin}/mcp\n" in process.output
        assert f"{origin}{authorize[1].replace('/oauth/authorize', '/gateways')}/mcp" in page.text
        page = await browser.submit(page.form(action="/oauth/fetch-tools/"))
        assert "Successfully fetched and created 3 tools" in page.text

        status, output = await asyncio.to_thread(run_demo, tmp_path, "--once")
        assert (status, "failed Prepare the demo's folder" in output) == (1, True)
        assert "Another demo is running in" in output

        children = children_of(process.pid)
        assert children
        process.send(signal.SIGINT)
        assert process.wait(timeout=60) == 0
        assert process.output.endswith("Stopped.\n")
        assert not [pid for pid in children if is_running(pid)]
        with socket.create_server(("127.0.0.1", reserved.port)):  # nobody listens there any more
            pass


def test_somebody_elses_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mcp.db").write_text("precious")
    status, output = run_demo(tmp_path, "--once", "--folder", ".")
    assert (status, "is not empty and no earlier demo made it" in output) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["mcp.db"]
    assert (tmp_path / "mcp.db").read_text() == "precious"


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, output = run_demo(tmp_path, "--once", "--port", port)
    assert (status, "failed Start the gateway" in output) == (1, True)
    assert f"Port {port} cannot be taken: Address already in use" in output
    assert "--port" in output


def test_the_customary_port_is_taken_if_it_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with Reservation() as customary:
        monkeypatch.setattr(environment, "_CUSTOMARY_PORT", customary.port)
        assert environment.choose_port(None) == customary.port
        with socket.create_server(("127.0.0.1", customary.port)):
            assert environment.choose_port(None) not in {0, customary.port}
            with pytest.raises(SettingsError, match="in use"):
                environment.choose_port(customary.port)


def test_a_port_is_not_free_if_localhosts_other_address_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], **_: object) -> socket.socket:
        asked.append(address)
        return socket.socket()

    with Reservation() as wanted:
        monkeypatch.setattr(socket, "create_connection", connect)
        with pytest.raises(SettingsError, match="is taken on ::1"):
            environment.choose_port(wanted.port)
        assert asked == [("::1", wanted.port)]
