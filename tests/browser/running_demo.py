"""A `latchpin demo` that waits for a person, and what its output tells that person."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.servers import Reservation, ServerProcess, latchpin_command, run_latchpin
from tests.servers.gateway import clean_environment

__all__ = ["RunningDemo", "running_demo"]


@dataclass(frozen=True)
class RunningDemo:
    """Where the demo's parts are.

    Attributes:
        folder: the demo's own, where `latchpin` commands work on its gateway.
        origin: the gateway's.
        issuer: the authorization server's.
        gateway_id: of the demo's one entry.
        link: the printed login link, unused.
    """

    folder: Path
    origin: str
    issuer: str
    gateway_id: str
    link: str

    @property
    def provider_origin(self) -> str:
        return "/".join(self.issuer.split("/")[:3])

    def run(self, *arguments: str) -> str:
        """Run a `latchpin` command in the demo's folder; its output."""
        done = run_latchpin(*arguments, env={}, cwd=self.folder)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def create_link(self, email: str, *, admin: bool = False) -> str:
        """A login link for ``email``, as an administrator would print it."""
        return self.run("login-link", "--email", email, *(["--admin"] if admin else []))


@contextlib.contextmanager
def running_demo(folder: Path) -> Iterator[RunningDemo]:
    """Start the demo in an empty ``folder``, and end it with the block."""
    with Reservation() as reserved:
        command = [latchpin_command(), "demo", "--port", str(reserved.port)]
        with ServerProcess(command, env=clean_environment({}), cwd=folder) as process:
            process.wait_for_output("Ctrl-C stops it.", timeout=180)
            yield RunningDemo(
                folder=folder / ".latchpin-demo",
                origin=f"http://localhost:{reserved.port}",
                issuer=_find(r"authorization server .*(http://\S+)", process.output),
                gateway_id=_find(r"id ([0-9a-f]{32})", process.output),
                link=_find(r"(http://localhost:\d+/login\?token=\S+)", process.output),
            )


def _find(pattern: str, output: str) -> str:
    found = re.search(pattern, output)
    assert found is not None, output
    return found[1]
