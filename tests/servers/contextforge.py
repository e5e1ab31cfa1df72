"""A real ContextForge, another gateway for MCP servers: what is moved from it, and measured beside it.

    python -m tests.servers.contextforge RESULT -- pytest tests/contextforge

installs it in ``.venv-contextforge`` and runs tests that need it. It needs CPython 3.12 (on PATH, or where pyenv keeps
it) and other versions of what Latchpin needs, so it has a virtual environment of its own. Where it cannot be installed,
``RESULT.notrun`` holds the reason, which the summary of ``make test`` repeats.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import jwt

from tests.servers.processes import Reservation, ServerProcess
from tests.servers.programs import say_not_run

PLACE = Path(__file__).resolve().parents[2] / ".venv-contextforge"
VERSION = "1.1.0"
REQUIREMENTS = (f"mcp-contextforge-gateway=={VERSION}", "psycopg[binary]")
INSTALLED = (f"mcp_contextforge_gateway-{VERSION}.dist-info", "psycopg", "psycopg_binary")
ADMIN = "admin@example.com"
KEY = "a-key-of-callers-bearer-tokens-with-50-characters0"
SECRET = "another-key-for-secrets-with-at-least-50-characters"
PASSWORD = "Xy7-a-long-enough-passw0rd!"
SETTINGS = {
    "JWT_SECRET_KEY": KEY,
    "AUTH_ENCRYPTION_SECRET": SECRET,
    "PLATFORM_ADMIN_EMAIL": ADMIN,
    **dict.fromkeys(("PLATFORM_ADMIN_PASSWORD", "DEFAULT_USER_PASSWORD", "BASIC_AUTH_PASSWORD"), PASSWORD),
    **dict.fromkeys(("SSRF_ALLOW_LOCALHOST", "SSRF_ALLOW_PRIVATE_NETWORKS"), "true"),
    **dict.fromkeys(("MCPGATEWAY_UI_ENABLED", "MCPGATEWAY_ADMIN_API_ENABLED", "RATE_LIMITING_ENABLED"), "false"),
    "PLUGINS_ENABLED": "false",
    "LOG_LEVEL": "ERROR",
    "CACHE_TYPE": "memory",
}
"""Its defaults, but for servers on this machine, no limit of calls, and no pages."""


@dataclass(frozen=True, slots=True)
class ContextForge:
    """One that serves.

    Attributes:
        url: its origin.
        pid: its only process that serves.
    """

    url: str
    pid: int

    def client(self, email: str = ADMIN) -> httpx.Client:
        """A client that an administrator, or somebody else who has an account, calls it with."""
        return httpx.Client(base_url=self.url, headers=bearer(email), trust_env=False, timeout=120)


def program() -> Path | None:
    """Its command; None where it is not installed."""
    found = PLACE / "bin" / "mcpgateway"
    return found if found.exists() else None


def find_python() -> str | None:
    """A CPython 3.12; None where there is none."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    ours = sys.executable if sys.version_info[:2] == (3, 12) else None
    return ours or next(map(str, sorted(versions.glob("3.12*/bin/python"))), None) or shutil.which("python3.12")


def install() -> str | None:
    """Install it unless it is there; why it is not there afterwards, or None."""
    if program() is not None and all(any(PLACE.glob(f"lib/*/site-packages/{name}")) for name in INSTALLED):
        return None
    if (python := find_python()) is None:
        return "there is no CPython 3.12, on PATH or where pyenv keeps it"
    for command in (
        [python, "-m", "venv", str(PLACE)],
        [str(PLACE / "bin" / "python"), "-m", "pip", "install", "-q", *REQUIREMENTS],
    ):
        if subprocess.run(command, check=False).returncode:
            return f"ContextForge {VERSION} does not install here"
    return None


@contextlib.contextmanager
def serve_contextforge(folder: Path, **settings: str) -> Iterator[ContextForge]:
    """Serve it by one process, on ``mcp.db`` in ``folder`` unless ``settings`` have another DATABASE_URL."""
    command = program()
    assert command is not None, "it is not installed: see this module's text"
    with Reservation() as reservation:
        origin = f"http://127.0.0.1:{reservation.port}"
        env = {**SETTINGS, "DATABASE_URL": f"sqlite:///{folder}/mcp.db", "APP_DOMAIN": origin}
        env |= {"HOME": str(folder), "PATH": os.environ["PATH"]} | settings
        started = [str(command), "--host", "127.0.0.1", "--port", str(reservation.port)]
        with ServerProcess(started, env=env, cwd=folder) as process:
            # Its migrations make some hundred indexes, one by one: minutes where other work shares the cores.
            process.wait_until(lambda: _answers(origin), tick=0.2, timeout=600)
            yield ContextForge(origin, process.pid)


def bearer(email: str = ADMIN) -> dict[str, str]:
    """The header of somebody who has an account there; the administrator's has no limit."""
    now, admin = int(time.time()), email == ADMIN
    claims = {"sub": email, "iss": "mcpgateway", "aud": "mcpgateway-api", "iat": now, "exp": now + 86_400, "jti": email}
    claims |= {"username": email, "teams": None if admin else []}
    claims |= {"user": {"email": email, "is_admin": admin, "auth_provider": "local"}}
    return {"Authorization": f"Bearer {jwt.encode(claims, KEY, algorithm='HS256')}"}


def _answers(origin: str) -> str | None:
    with contextlib.suppress(httpx.TransportError):
        return origin if httpx.get(f"{origin}/health", trust_env=False).is_success else None
    return None


def main(arguments: list[str]) -> int:
    """See the module's text."""
    result, dashes, *command = arguments
    if dashes != "--" or not command:
        raise SystemExit(__doc__)
    if (reason := install()) is None:
        return subprocess.run(command, check=False).returncode
    say_not_run(result, " ".join(command), reason)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
