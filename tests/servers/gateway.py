"""The ``latchpin`` command as a deployer runs it: a process with an environment and nothing of ours in it."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.servers.forking import ForkedLatchpin
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
_GUNICORN = "--no-control-socket"  # it would take the place of a developer's own in their home, and remove it


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
    return inherited | {"PYTHONUNBUFFERED": "1", "GUNICORN_CMD_ARGS": _GUNICORN} | dict(settings)


def run_latchpin(
    *arguments: str,
    env: Mapping[str, str],
    cwd: Path,
    timeout: float = 180,
    stdin: str = "",
    executable: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; output and error apart, nothing raised for its exit status.

    What it takes is as in ``start_latchpin``. A gateway that is to be refused meets no other on its port: it has any.
    """
    port = {"PORT": "0"} if arguments[:1] == ("serve",) else {}
    with (
        tempfile.TemporaryFile("w+") as given,
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
    ):
        given.write(stdin)
        given.seek(0)
        command = [executable or latchpin_command(), *arguments]
        streams = {"stdin": given, "stdout": out, "stderr": err}
        start: Callable[..., Any] = subprocess.Popen if executable else ForkedLatchpin
        process = start(command, env=clean_environment(port | dict(env)), cwd=cwd, **streams)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            raise
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(command, status, out.read(), err.read())


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
        executable: another installation's ``latchpin``, or this one's, to start it as its deployer does.
    """
    with Reservation() as reservation:
        port = int(env.get("PORT", reservation.port))
        settings = {"PORT": str(port), "BASE_URL": f"http://{HOST}:{port}", **env}
        command = [executable or latchpin_command(), *(arguments or ("serve",))]
        start = subprocess.Popen if executable else ForkedLatchpin
        with LatchpinProcess(command, env=clean_environment(settings), cwd=cwd, start=start) as process:
            process.port, process.base_url = port, settings["BASE_URL"]
            if ready:
                process.wait_until_healthy(timeout=timeout)
            yield process
