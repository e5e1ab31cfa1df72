"""Runs the gateway: one process, or several under a supervisor, each named so that ``ps`` shows what it is."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

import uvicorn
from setproctitle import setproctitle
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from latchpin.assembly.assembling import assemble
from latchpin.assembly.selection import select_stores
from latchpin.errors import SettingsError
from latchpin.plugins.hookspecs import SERVING_HOOKS
from latchpin.plugins.host import Plugins
from latchpin.serving.binding import bind, url_of
from latchpin.serving.listening import ServerConfig, fit_descriptors
from latchpin.settings.core import CoreSettings, is_loopback_host
from latchpin.workers.numbers import announce_worker, which_worker

__all__ = ["doubt_about_base_url", "require_servable", "serve"]

_log = logging.getLogger("latchpin.serve")

APPLICATION = "latchpin.asgi:app"
FAILED = 1
LOOK_SECONDS = 0.1
AGAIN_SECONDS = 5.0
"""Until a worker is tried again that could not take the place of one that died."""
HEALTHCHECK_SECONDS = 20
"""A worker that says nothing for so long is taken for hung and replaced, with all that it was doing; a busy machine
alone must not bring that about."""


def require_servable(plugins: Plugins, settings: CoreSettings) -> None:
    """Refuse, before anything listens, what could only fail later.

    Raises:
        PluginError, SettingsError: with the remedy.
    """
    plugins.require_sound(SERVING_HOOKS)
    selection = select_stores(plugins, settings)
    if settings.workers == 1:
        return
    for variable, backend in (("CACHE_TYPE", selection.state), ("RECORD_STORE", selection.record)):
        if backend is not None and not backend.shared:
            raise SettingsError(
                f"{variable}={backend.name} with WORKERS={settings.workers}: each worker has a memory of its own, "
                "and a callback fails whenever another worker gets it",
                remedy="Run one worker (WORKERS=1), or set CACHE_TYPE=database or CACHE_TYPE=redis.",
            )


def serve(settings: CoreSettings, plugins: Plugins) -> int:
    """Serve until a signal comes; return the exit code.

    Raises:
        SettingsError: the address cannot be listened at.
        LatchpinError: before several workers are started, what each of them would fail with.
    """
    sockets = bind(settings.host, settings.port)
    _name_base_url(settings, sockets[0].getsockname()[1])
    if settings.workers > 1:
        asyncio.run(_try_to_open(plugins, settings))
    config = ServerConfig(
        APPLICATION,
        workers=settings.workers,
        loop="auto",
        lifespan="on",
        timeout_graceful_shutdown=10,
        timeout_worker_healthcheck=HEALTHCHECK_SECONDS,
    )
    config.max_connections = _connections(settings.max_connections)
    if settings.workers == 1:
        name_process(1, 1)
        server = _Server(config)
        server.run(sockets)
        return 0 if server.started else FAILED
    setproctitle("latchpin: uvicorn supervisor")
    workers = _Workers(config, sockets)
    workers.run()
    failed = any(process.exitcode == STARTUP_FAILURE for process in workers.processes)
    return FAILED if failed and not workers.have_served else 0


def doubt_about_base_url(settings: CoreSettings) -> str:
    """Why links may lead to where nobody listens; empty if nothing speaks for it.

    Behind https, or on another host, a proxy stands in front, and its address is not ours to know.
    """
    parts = urlsplit(settings.base_url)
    if parts.scheme != "http":
        return ""
    where = f"BASE_URL is {settings.base_url}, to which all links lead"
    if settings.port and (parts.port or 80) != settings.port:
        return f"{where}, and PORT is {settings.port}: set BASE_URL, unless something passes the one on to the other"
    if not is_loopback_host(settings.host) and not _is_any(settings.host):
        return f"{where}, and HOST={settings.host} is not reached there: set BASE_URL"
    return ""


def _is_any(host: str) -> bool:
    """Whether every address of this machine is listened at, loopback among them."""
    try:
        return not host or ip_address(host).is_unspecified
    except ValueError:
        return False


def _name_base_url(settings: CoreSettings, port: int) -> None:
    """With PORT=0 and no BASE_URL, only now is known where we are; workers read it from the environment."""
    if settings.port == 0 and "base_url" not in settings.model_fields_set:
        os.environ["BASE_URL"] = f"http://localhost:{port}"


async def _try_to_open(plugins: Plugins, settings: CoreSettings) -> None:
    async with assemble(plugins, settings):
        pass


def _say_where(sockets: Sequence[socket.socket]) -> None:
    _log.info("Serving at %s (Ctrl-C ends it)", " and ".join(map(url_of, sockets)))


def _connections(wanted: int) -> int:
    fitting = fit_descriptors(wanted)
    if fitting < wanted:
        _log.warning(
            "MAX_CONNECTIONS=%d does not fit into this system's limit of open files: a process takes %d connections; "
            "raise the limit (ulimit -Hn, or LimitNOFILE= of the service)",
            wanted,
            fitting,
        )
    return fitting


def name_process(number: int, total: int) -> None:
    """Title this process as the worker that it is."""
    setproctitle(f"latchpin: uvicorn worker {number}/{total}")


def name_worker() -> None:
    """Title a spawned worker from what its supervisor left in the environment; elsewhere, do nothing."""
    if (place := which_worker()) is not None:
        name_process(*place)
        if hasattr(signal, "SIGHUP"):  # a terminal sends it to all; ending the workers is their supervisor's work
            signal.signal(signal.SIGHUP, signal.SIG_IGN)


class _Server(uvicorn.Server):
    """uvicorn's server in the one process, ending in order also when its terminal is gone."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say where."""
        if not _is_ignored("SIGHUP"):
            signal.signal(signal.SIGHUP, self.handle_exit)
        try:
            await super().startup(sockets)
        except SystemExit:  # how uvicorn says that the application did not start; why, is in the log
            self.should_exit = True
        if self.started:
            _say_where(sockets or [])


class _Workers(Multiprocess):
    """uvicorn's supervisor, telling each worker its number through the environment it is spawned with."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        self._hang_up_ignored = _is_ignored("SIGHUP")
        self.have_served = False
        self._starting: set[int] = set()
        self._due: dict[int, float] = {}
        super().__init__(config, sockets)

    def init_processes(self) -> None:
        """Start the workers in order, and say where they serve when one does."""
        for number in range(1, self.processes_num + 1):
            announce_worker(number, self.processes_num)
            process = Process(self.config, self.sockets)
            process.start()
            self.processes.append(process)
            self._starting.add(number - 1)
        while not self.should_exit.wait(LOOK_SECONDS) and self.processes[0].process.is_alive():
            self.handle_signals()
            if self.processes[0].is_ready(timeout=LOOK_SECONDS):
                self.have_served = True
                _say_where(self.sockets)
                return

    def keep_subprocess_alive(self) -> None:
        """Replace those that died, one by one, each under its number.

        Where none could start yet, none ever will. Later, what keeps one from it may pass: the others go on meanwhile.
        """
        everyone = self.processes
        self.processes = [self._keep(index, process) for index, process in enumerate(everyone)]

    def _keep(self, index: int, process: Process) -> Process:
        """The worker of that place: the one that is there, or another one."""
        if process.exitcode is None and index in self._starting:  # one that ends meanwhile answers nothing
            if process.is_ready(timeout=LOOK_SECONDS):
                self._starting.discard(index)
                self.have_served = True
            return process
        if self.have_served and process.exitcode == STARTUP_FAILURE:
            return self._try_again(index, process)
        announce_worker(index + 1, self.processes_num)
        self.processes = [process]
        super().keep_subprocess_alive()
        if self.processes[0] is not process:
            self._starting.add(index)
        return self.processes[0]

    def _try_again(self, index: int, process: Process) -> Process:
        """Start another one where one could not start, after a while."""
        now = time.monotonic()
        if index not in self._due:
            _log.error("Worker %d could not start; it is tried again in %g s", index + 1, AGAIN_SECONDS)
            self._due[index] = now + AGAIN_SECONDS
        elif now >= self._due[index]:
            del self._due[index]
            announce_worker(index + 1, self.processes_num)
            process = Process(self.config, self.sockets)
            process.start()
            self._starting.add(index)
        return process

    def handle_hup(self) -> None:
        """End: the terminal is gone. Under nohup, go on."""
        if not self._hang_up_ignored:
            self.should_exit.set()


def _is_ignored(name: str) -> bool:
    """Whether a signal is ignored on purpose, as nohup does it, or is none of this system's."""
    return not hasattr(signal, name) or signal.getsignal(getattr(signal, name)) is signal.SIG_IGN
