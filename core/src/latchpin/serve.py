"""Runs the gateway: one process, or several under a supervisor, each named so that ``ps`` shows what it is."""

from __future__ import annotations

import logging
import os

import uvicorn
from setproctitle import setproctitle
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from latchpin.assembly import select_stores
from latchpin.configuration import CoreSettings
from latchpin.errors import SettingsError
from latchpin.listening import KEEP_ALIVE_SECONDS, BoundedConnection, ServerConfig, fit_descriptors
from latchpin.plugin_rules import SERVING_HOOKS
from latchpin.plugins import Plugins
from latchpin.servers.provider_file import build_provider_table

__all__ = ["require_servable", "serve"]

_log = logging.getLogger("latchpin.serve")

APPLICATION = "latchpin.asgi:app"
WORKER_VARIABLE = "LATCHPIN_WORKER"


def require_servable(plugins: Plugins, settings: CoreSettings) -> None:
    """Refuse, before anything listens, what could only fail later.

    Raises:
        PluginError, SettingsError: with the remedy.
    """
    plugins.require_sound(SERVING_HOOKS)
    selection = select_stores(plugins, settings)
    build_provider_table(plugins.offers("latchpin_providers"), settings.providers_file)
    if settings.workers == 1:
        return
    for variable, backend in (("CACHE_TYPE", selection.state), ("RECORD_STORE", selection.record)):
        if backend is not None and not backend.shared:
            raise SettingsError(
                f"{variable}={backend.name} with WORKERS={settings.workers}: each worker has a memory of its own, "
                "and a callback fails whenever another worker gets it",
                remedy="Run one worker (WORKERS=1), or set CACHE_TYPE=database or CACHE_TYPE=redis.",
            )


def serve(settings: CoreSettings) -> int:
    """Serve until a signal comes; return the exit code."""
    config = ServerConfig(
        APPLICATION,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="auto",
        http=BoundedConnection,
        ws="none",
        lifespan="on",
        access_log=False,  # uvicorn's prints the callback's query; ours does not
        proxy_headers=False,  # or any peer could name any address
        server_header=False,
        log_config=None,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=10,
    )
    config.max_connections = _connections(settings.max_connections)
    if settings.workers == 1:
        name_process(1, 1)
        server = uvicorn.Server(config)
        server.run()
        return 0 if server.started else STARTUP_FAILURE
    setproctitle("latchpin: uvicorn supervisor")
    workers = _Workers(config, [config.bind_socket()])
    workers.run()
    return STARTUP_FAILURE if any(process.exitcode == STARTUP_FAILURE for process in workers.processes) else 0


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
    number, slash, total = os.environ.get(WORKER_VARIABLE, "").partition("/")
    if slash:
        name_process(int(number), int(total))


class _Workers(Multiprocess):
    """uvicorn's supervisor, telling each worker its number through the environment it is spawned with."""

    def init_processes(self) -> None:
        """Start the workers in order."""
        for number in range(1, self.processes_num + 1):
            self._announce(number)
            process = Process(self.config, self.sockets)
            process.start()
            self.processes.append(process)

    def keep_subprocess_alive(self) -> None:
        """Replace those that died, one by one, each under its number."""
        everyone = self.processes
        for index, process in enumerate(everyone):
            self._announce(index + 1)
            self.processes = [process]
            super().keep_subprocess_alive()
            everyone[index] = self.processes[0]
        self.processes = everyone

    def _announce(self, number: int) -> None:
        os.environ[WORKER_VARIABLE] = f"{number}/{self.processes_num}"
