"""``vault:`` in files of configuration: read from a real OpenBao by the command that applies them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers import run_latchpin
from tests.support.gateway_in_process import SECRET

SECRETS = 'path "secret/data/latchpin/*" { capabilities = ["read"] }'
ENTRY = """  server-{number}:
    url: https://mcp.example.com/{number}
    oauth_config: {{client_id: latchpin, issuer: "https://idp.example.com", client_secret: "{reference}"}}
"""
GOOD = "vault:latchpin/github#client_secret"
HIDDEN = "the-secret-that-only-the-server-has"


@pytest.fixture(scope="module")
def token(bao) -> str:
    """A token that may read what is below ``latchpin``; secrets of each kind are there."""
    bao.mount_secrets()
    held = {"client_secret": HIDDEN, "number": 7, "empty": "", "own": SECRET}
    bao.ask("POST", "secret/data/latchpin/github", {"data": held})
    bao.ask("POST", "secret/data/latchpin/gone", {"data": {"client_secret": "x"}})
    bao.ask("DELETE", "secret/data/latchpin/gone")
    bao.ask("POST", "secret/data/others", {"data": {"client_secret": "x"}})
    bao.ask("PUT", "sys/policies/acl/secrets", {"policy": SECRETS})
    made = bao.ask("POST", "auth/token/create", {"policies": ["secrets"], "ttl": "1h"})
    return made["auth"]["client_token"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the commands run: one store for all tests, each of which has names of its own in it or changes nothing."""
    return tmp_path_factory.mktemp("references")


@pytest.fixture(scope="module")
def latchpin(bao, token, folder: Path):
    env = {
        "CACHE_TYPE": "database",
        "RECORD_STORE": "database",
        "DATABASE_URL": f"sqlite:///{folder}/x.db",
        "AUTH_ENCRYPTION_SECRET": SECRET,
        "CONFIG_REFERENCES": "vault:*",
        "VAULT_ADDR": bao.url,
        "VAULT_TOKEN": token,
        "OAUTH_MAX_RETRIES": "0",
    }

    def run(*arguments: str, **changes: str):
        return run_latchpin(*arguments, env=env | changes, cwd=folder)

    run("db", "upgrade")
    return run


def apply(latchpin, folder: Path, *references: str, **changes: str):
    entries = [ENTRY.format(number=number, reference=each) for number, each in enumerate(references)]
    (folder / "all.yaml").write_text(f"gateways:\n{''.join(entries)}")
    done = latchpin("apply", "-f", "all.yaml", **changes)
    assert HIDDEN not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_a_secret_is_read_and_applied_and_differs_when_it_changes(bao, latchpin, folder: Path):
    done = apply(latchpin, folder, GOOD)
    assert (done.returncode, "1 added" in done.stderr) == (0, True), done.stderr
    assert latchpin("diff", "-f", "all.yaml").returncode == 0
    bao.ask("POST", "secret/data/latchpin/github", {"data": {"client_secret": f"{HIDDEN}, rotated"}})
    differs = latchpin("diff", "-f", "all.yaml")
    assert (differs.returncode, HIDDEN in differs.stdout) == (1, False)
    bao.ask("POST", "secret/data/latchpin/github", {"data": {"client_secret": HIDDEN, "number": 7, "own": SECRET}})


NO_SECRETS = {
    "vault:latchpin/github": "needs a path and a field",
    "vault:latchpin/../others#client_secret": "needs a path and a field",
    "vault:/latchpin/github#client_secret": "needs a path and a field",
    "vault:latchpin/github?version=1#client_secret": "needs a path and a field",
    "vault:latchpin/nothing#client_secret": "nothing is at secret/data/latchpin/nothing",
    "vault:latchpin/gone#client_secret": "nothing is at secret/data/latchpin/gone",
    "vault:latchpin/github#other": "has no text under 'other'",
    "vault:latchpin/github#number": "has no text under 'number'",
    "vault:latchpin/github#own": "holds a secret of Latchpin itself",
}


def test_what_is_no_secret_is_told_where_it_stands(latchpin, folder: Path):
    done = apply(latchpin, folder, *NO_SECRETS)
    assert done.returncode == 2, done.stderr
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("all.yaml:")]
    assert len(lines) == len(NO_SECRETS), done.stderr
    for number, (line, told) in enumerate(zip(lines, NO_SECRETS.values(), strict=True)):
        assert f"server-{number}" in line
        assert told in line


@pytest.mark.parametrize(
    ("reference", "changes", "told"),
    [
        ("vault:others#client_secret", {}, "the capability 'read' on secret/data/others"),
        (GOOD, {"VAULT_ADDR": "http://127.0.0.1:9"}, "gave no answer"),
        (GOOD, {"VAULT_ADDR": ""}, "VAULT_ADDR is empty"),
        (GOOD, {"VAULT_KV_MOUNT": "elsewhere"}, "the capability 'read' on elsewhere/data/latchpin/github"),
        (GOOD, {"CONFIG_REFERENCES": "env:*"}, "outside CONFIG_REFERENCES"),
    ],
)
def test_what_cannot_be_asked_changes_nothing(latchpin, folder: Path, reference: str, changes, told: str):
    done = apply(latchpin, folder, reference, **changes)
    assert done.returncode in {1, 2}
    assert told in done.stdout + done.stderr
