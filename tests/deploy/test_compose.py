"""What the Compose file says, done by the same programs without containers: PostgreSQL, Valkey, and nginx in front."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.servers import PostgresServer, RedisServer, Reservation, run_latchpin, start_latchpin

COMPOSE = Path(__file__).parents[2] / "deploy" / "compose.yaml"


@pytest.fixture
def here() -> Iterator[Path]:
    """Stands for /run/latchpin: in memory, and with a path that is short enough for a socket's."""
    folder = Path(tempfile.mkdtemp(prefix="latchpin-", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder)


class Services:
    """The services of the file, with the places that they have on this machine."""

    def __init__(self, here: Path, postgres: PostgresServer, redis: RedisServer, front: int, aside: int) -> None:
        self._services: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
        self._front = front
        kept = here / "secrets"
        kept.mkdir()
        contents = {"root": secrets.token_urlsafe(48), "edge": secrets.token_hex(24)}
        contents["database_url"] = postgres.create_database()
        for name, content in contents.items():
            (kept / name).write_text(content)
        self._places = {
            "/run/secrets": str(kept),
            "/run/latchpin": str(here),
            "redis://valkey:6379/0": redis.url,
            "${BASE_URL:-http://localhost:8080}": f"http://127.0.0.1:{front}",
            "${ADMIN_EMAILS:-}": "ann@example.com",
            "0.0.0.0:8080": f"127.0.0.1:{front}",
        }
        self._ports = {"EDGE_LISTEN": f"127.0.0.1:{aside}", "LOG_FILE": ""}

    def of(self, name: str) -> tuple[list[str], dict[str, str]]:
        """The command and the settings of a service."""
        service = self._services[name]
        settings = {key: self._placed(value) for key, value in service["environment"].items()}
        return [self._placed(word) for word in service["command"]], settings | self._ports

    def _placed(self, text: str) -> str:
        for there, place in self._places.items():
            text = text.replace(there, place)
        return text


def test_the_services_come_up_in_their_order_and_serve(here, postgres, redis_server):
    with Reservation() as front, Reservation() as inside, Reservation() as aside, ExitStack() as stack:
        services = Services(here, postgres, redis_server, front.port, aside.port)
        base_url = f"http://127.0.0.1:{front.port}"

        command, settings = services.of("migrate")
        migrated = run_latchpin(*command, env=settings, cwd=here)
        assert migrated.returncode == 0, migrated.stderr

        command, settings = services.of("gateway")
        settings["PORT"] = str(inside.port)
        gateway = stack.enter_context(start_latchpin(*command, env=settings, cwd=here, ready=False))
        gateway.wait_for_output("Application startup complete")
        assert httpx.get(f"http://127.0.0.1:{inside.port}/health", trust_env=False).status_code == 200

        command, settings = services.of("edge")
        settings["PORT"] = str(inside.port)
        edge = stack.enter_context(start_latchpin(*command, env=settings, cwd=here, ready=False))
        edge.wait_for_output("Wrote")
        with httpx.Client(base_url=base_url, trust_env=False, transport=httpx.HTTPTransport(retries=20)) as client:
            assert client.get("/ready").status_code == 200, "both stores answer, through nginx"
            described = client.get("/.well-known/oauth-protected-resource/mcp").json()
            assert described["resource"] == f"{base_url}/mcp"
        said = gateway.output + edge.output
        kept = [each.read_text() for each in (here / "secrets").iterdir()]
        assert [each for each in kept if each in said] == []
