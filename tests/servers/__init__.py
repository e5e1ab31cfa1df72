"""Real servers for the tests, each started on a free port and stopped for sure.

Tests import it as ``tests.servers`` (pytest's ``pythonpath = ["."]`` puts the repository's root on the path).
"""

from tests.servers.databases import PostgresServer, RedisServer
from tests.servers.gateway import LatchpinProcess, latchpin_command, run_latchpin, start_latchpin
from tests.servers.processes import NotReady, Reservation, ServerProcess, serve_asgi
from tests.servers.selection import BACKENDS, GatewayBackend

__all__ = [
    "BACKENDS",
    "GatewayBackend",
    "LatchpinProcess",
    "NotReady",
    "PostgresServer",
    "RedisServer",
    "Reservation",
    "ServerProcess",
    "latchpin_command",
    "run_latchpin",
    "serve_asgi",
    "start_latchpin",
]
