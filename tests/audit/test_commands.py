"""``latchpin audit`` beside stores that last: verify, export, forget; and a log that somebody edited."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from pathlib import Path

import pytest

from tests.servers import GatewayBackend, run_latchpin
from tests.support.gateway_process import settings_of

OPERATOR = "operator@localhost"


@pytest.fixture
def latchpin(backend: GatewayBackend, tmp_path: Path):
    def run(*arguments: str, fails: bool = False) -> tuple[str, str]:
        ended = run_latchpin(*arguments, env=settings_of(backend), cwd=tmp_path)
        assert (ended.returncode != 0) is fails, ended.stderr
        assert "Traceback" not in ended.stderr
        return ended.stdout, ended.stderr

    return run


@pytest.mark.backends("sqlite")
def test_verify_export_and_forget(latchpin, backend: GatewayBackend):
    added = json.loads(latchpin("gateways", "add", "http://127.0.0.1:1/mcp", "--no-discover", "--json")[0])
    latchpin("gateways", "remove", added["id"], "--yes")
    head, said = latchpin("audit", "verify")
    assert "2 entries hold" in said
    lines = [json.loads(line) for line in latchpin("audit", "export", "--names")[0].splitlines()]
    assert [(line["event"], line["actor_address"]) for line in lines] == [
        ("gateway.created", OPERATOR),
        ("gateway.removed", OPERATOR),
    ]
    assert latchpin("audit", "export", "--person", OPERATOR)[0].count("\n") == 2
    assert latchpin("audit", "export", "--since", "2999-01-01")[0] == ""
    rows = list(csv.DictReader(io.StringIO(latchpin("audit", "export", "--csv")[0])))
    assert [row["number"] for row in rows] == ["1", "2"]
    assert "knows nobody" in latchpin("audit", "forget", "nobody@example.com", "--yes", fails=True)[1]

    latchpin("audit", "forget", OPERATOR, "--yes")
    assert latchpin("audit", "verify", "--expect", head.strip())[1].startswith("3 entries hold")
    lines = [json.loads(line) for line in latchpin("audit", "export", "--names")[0].splitlines()]
    assert [line["actor_address"] for line in lines] == ["", "", OPERATOR]

    file = backend.environment["DATABASE_URL"].removeprefix("sqlite:///")
    with sqlite3.connect(file) as database:
        database.execute(
            "UPDATE documents SET body = replace(body, '\"gateway.removed\"', '\"gateway.changed\"') "
            "WHERE collection = 'core_audit' AND id LIKE '%2'"
        )
    database.close()
    verdict = json.loads(latchpin("audit", "verify", "--json", fails=True)[0])
    assert verdict["entries"] == 1
    assert verdict["broken"] == "entry 2: was changed after it was written"
