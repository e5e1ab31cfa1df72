"""The ``latchpin`` command as a deployer runs it: a process with an environment and nothing of ours in it."""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.servers.forking import run_forked
from tests.servers.processes import DEADLINE, HOST, Reservation, ServerProcess

__all__ = ["LatchpinProcess", "latchpin_command", "run_latchpin", "start_latchpin"]

# What a program needs of our environment; no setting of a developer's shell gets into a test.
_INHERITED = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "VIRTUAL_ENV",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SYSTEMROOT",
    "PYTHONPYCACHEPREFIX",
)
_INHERITED_PREFIXES = ("COV_", "COVERAGE_")


class LatchpinProcess(ServerProcess):
    """A running ``latchpin serve`` or ``latchpin demo``.

    Attributes:
        base_url: where it is reached.
        port: its port on 127.0.0.1.
    """

    base_url: str
    port: int

    def wait_until_healthy(self, *, timeout: float = DEADLINE) -> None:
        """Return when ``GET /health`` answers 200.

        Raises:
            NotReady: it ended, or ``timeout`` seconds passed; the text has the end of its output.
        """
        self.wait_until(self._health, timeout=timeout, tick=0.05)

    def _health(self) -> str | None:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        try:
            connection.request("GET", "/health")
            return "healthy" if connection.getresponse().status == http.HTTPStatus.OK else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


def latchpin_command() -> str:
    """The installed command beside the running interpreter."""
    return str(Path(sys.executable).with_name("latchpin"))


def clean_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """``settings`` on top of the little that any program needs of our own environment."""
    inherited = {
        name: value for name, value in os.environ.items() if name in _INHERITED or name.startswith(_INHERITED_PREFIXES)
    }
    return inherited | {"PYTHONUNBUFFERED": "1"} | dict(settings)


def run_latchpin(
    *arguments: str,
    env: Mapping[str, str],
    cwd: Path,
    timeout: float = 180,
    stdin: str = "",
    executable: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; output and error apart, nothing raised for its exit status.

    A gateway starts as it does for its deployer, and so does what another installation runs or other modules change.
    All others are done by a process that has imported everything.
    """
    if executable is None and "PYTHONPATH" not in env and arguments[:1] not in [("serve",), ("demo",)]:
        return run_forked(arguments, env=clean_environment(env), cwd=cwd, timeout=timeout, stdin=stdin)
    return subprocess.run(
        [executable or latchpin_command(), *arguments],
        env=clean_environment(env),
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@contextlib.contextmanager
def start_latchpin(
    *arguments: str,
    env: Mapping[str, str],
    cwd: Path,
    ready: bool = True,
    timeout: float = DEADLINE,
    executable: str | None = None,
) -> Iterator[LatchpinProcess]:
    """Run ``latchpin serve`` (or what ``arguments`` say) on a free port until the block ends.

    PORT and BASE_URL are set to that port unless ``env`` has them (a gateway restarted on its port).

    Args:
        arguments: the command line; none means ``serve``.
        env: settings.
        cwd: the working folder, where ``.env``, the SQLite file and logs are.
        ready: wait for ``/health`` first; without, the caller watches ``output`` or ``wait``.
        timeout: seconds until it must be ready.
        executable: another installation's ``latchpin``.
    """
    with Reservation() as reservation:
        port = int(env.get("PORT", reservation.port))
        settings = {"PORT": str(port), "BASE_URL": f"http://{HOST}:{port}", **env}
        command = [executable or latchpin_command(), *(arguments or ("serve",))]
        with LatchpinProcess(command, env=clean_environment(settings), cwd=cwd) as process:
            process.port, process.base_url = port, settings["BASE_URL"]
            if ready:
                process.wait_until_healthy(timeout=timeout)
            yield process
