"""ContextForge, to measure beside: ``python -m benchmarks.contextforge`` installs it in ``.venv-contextforge``.

It needs CPython 3.12 (on PATH, or where pyenv keeps it) and other versions of what Latchpin needs, so it has a virtual
environment of its own, and speaks with its own client to set itself up. Benchmarks measure it where it is installed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import jwt

from tests.servers import Reservation, ServerProcess

PLACE = Path(__file__).resolve().parents[1] / ".venv-contextforge"
DISTRIBUTION = "mcp-contextforge-gateway"
ADMIN = "admin@example.com"
KEY = "a-key-of-callers-bearer-tokens-with-50-characters0"
PASSWORD = "Xy7-a-long-enough-passw0rd!"
SETTINGS = {
    "JWT_SECRET_KEY": KEY,
    "AUTH_ENCRYPTION_SECRET": "another-key-for-secrets-with-at-least-50-characters",
    "PLATFORM_ADMIN_EMAIL": ADMIN,
    **dict.fromkeys(("PLATFORM_ADMIN_PASSWORD", "DEFAULT_USER_PASSWORD", "BASIC_AUTH_PASSWORD"), PASSWORD),
    **dict.fromkeys(("SSRF_ALLOW_LOCALHOST", "SSRF_ALLOW_PRIVATE_NETWORKS"), "true"),
    **dict.fromkeys(("MCPGATEWAY_UI_ENABLED", "MCPGATEWAY_ADMIN_API_ENABLED", "RATE_LIMITING_ENABLED"), "false"),
    "PLUGINS_ENABLED": "false",
    "LOG_LEVEL": "ERROR",
    "CACHE_TYPE": "memory",
}
"""Its defaults, but for servers on this machine, no limit of calls, and no pages."""


@dataclass(frozen=True)
class VirtualServer:
    """One endpoint of it that has the tools of some MCP servers.

    Attributes:
        url: its MCP endpoint.
        headers: let an administrator in.
        tools: the names that its tools have there, by the number of their server and what it calls them.
        pid: its only process that serves.
    """

    url: str
    headers: dict[str, str]
    tools: dict[tuple[int, str], str]
    pid: int


def program() -> Path | None:
    """Its command; None where it is not installed."""
    found = PLACE / "bin" / "mcpgateway"
    return found if found.exists() else None


def find_python() -> str | None:
    """A CPython 3.12; None where there is none."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    ours = sys.executable if sys.version_info[:2] == (3, 12) else None
    return ours or next(map(str, sorted(versions.glob("3.12*/bin/python"))), None) or shutil.which("python3.12")


def install() -> None:
    """Install it, or its newest version."""
    if (python := find_python()) is None:
        sys.exit("There is no CPython 3.12, on PATH or where pyenv keeps it")
    subprocess.run([python, "-m", "venv", PLACE], check=True)
    subprocess.run([PLACE / "bin" / "python", "-m", "pip", "install", "-q", "-U", DISTRIBUTION], check=True)


@contextlib.contextmanager
def virtual_server(servers: Sequence[str]) -> Iterator[VirtualServer]:
    """Serve one endpoint before the MCP servers of these URLs, on SQLite, by one process."""
    command = program()
    assert command is not None, "python -m benchmarks.contextforge installs it"
    with Reservation() as reservation, tempfile.TemporaryDirectory() as folder:
        origin = f"http://127.0.0.1:{reservation.port}"
        env = {**SETTINGS, "DATABASE_URL": f"sqlite:///{folder}/mcp.db", "HOME": folder, "PATH": os.environ["PATH"]}
        started = [str(command), "--host", "127.0.0.1", "--port", str(reservation.port)]
        with ServerProcess(started, env=env, cwd=Path(folder)) as process:
            process.wait_until(lambda: _answers(origin), tick=0.2, timeout=120)
            with httpx.Client(base_url=origin, headers=_bearer(), trust_env=False, timeout=120) as client:
                path, tools = _set_up(client, servers)
            yield VirtualServer(f"{origin}{path}", _bearer(), tools, process.pid)


def _answers(origin: str) -> str | None:
    with contextlib.suppress(httpx.TransportError):
        return origin if httpx.get(f"{origin}/health", trust_env=False).is_success else None
    return None


def _bearer() -> dict[str, str]:
    now = int(time.time())
    claims = {"sub": ADMIN, "iss": "mcpgateway", "aud": "mcpgateway-api", "iat": now, "exp": now + 86_400, "jti": "b"}
    claims |= {"username": ADMIN, "teams": None, "user": {"email": ADMIN, "is_admin": True, "auth_provider": "local"}}
    return {"Authorization": f"Bearer {jwt.encode(claims, KEY, algorithm='HS256')}"}


def _set_up(client: httpx.Client, servers: Sequence[str]) -> tuple[str, dict[tuple[int, str], str]]:
    """Enter the servers, and make one endpoint of all their tools: its path, and what they are called there."""
    numbers = {}
    for number, url in enumerate(servers):
        entered = {"name": f"server{number}", "url": url, "transport": "STREAMABLEHTTP"}
        numbers[client.post("/gateways", json=entered).raise_for_status().json()["id"]] = number
    tools = client.get("/tools", params={"limit": 0}).raise_for_status().json()
    made = {"server": {"name": "benchmark", "associated_tools": [each["id"] for each in tools]}}
    found = client.post("/servers", json=made).raise_for_status().json()
    return f"/servers/{found['id']}/mcp", {
        (numbers[each["gatewayId"]], each["originalName"]): each["name"] for each in tools
    }


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    install()


if __name__ == "__main__":
    main()
