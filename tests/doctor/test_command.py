"""The command: its table, its JSON, its exit code, and that it works when the gateway does not start."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doctor.conftest import run_doctor
from tests.servers import GatewayBackend, run_latchpin
from tests.support.gateway_process import SECRET, settings_of

pytestmark = [pytest.mark.slow, pytest.mark.backends("sqlite")]


@pytest.fixture
def env(backend: GatewayBackend) -> dict[str, str]:
    """A gateway's settings, its database made."""
    from latchpin_sql_store.migrate import upgrade_database

    upgrade_database(backend.environment["DATABASE_URL"])
    return settings_of(backend)


def test_a_healthy_gateway_has_no_finding_that_is_not_well(env, tmp_path: Path):
    ended = run_doctor(env, tmp_path)
    assert ended.of("warning", "failure") == []
    assert (ended.returncode, ended.document["ok"], ended.document["counts"]["failure"]) == (0, True, 0)
    assert {group["name"] for group in ended.document["groups"]} >= {"Settings", "Plugins", "Stores"}


def test_the_table_has_marks_remedies_and_commands(env, tmp_path: Path):
    ended = run_latchpin("doctor", env=env | {"AUTH_ENCRYPTION_SECRET": "short"}, cwd=tmp_path)
    assert ended.returncode == 0, "a warning alone is no failure"
    assert "[\u2713] Plugins" in ended.stdout
    assert "[!] Settings" in ended.stdout
    assert "$ latchpin secret generate" in ended.stdout
    assert "Doctor found 1 warning." in ended.stdout
    assert "short\n" not in ended.stdout


def test_each_wrong_and_each_misspelt_setting_is_named_and_the_rest_is_checked(env, tmp_path: Path):
    (tmp_path / ".env").write_text("STATE_TTL_SECOND=5\n")
    ended = run_doctor(env | {"PORT": "many", "OAUTH_MAX_RETRIES": "-1", "DCR_ENABLED": "perhaps"}, tmp_path)
    assert ended.returncode == 1
    wrong = [finding for finding in ended.findings if finding["check"] == "settings"]
    text = " ".join(finding["title"] for finding in wrong)
    for name in ("PORT holds 'many'", "OAUTH_MAX_RETRIES", "DCR_ENABLED", "did you mean STATE_TTL_SECONDS?"):
        assert name in text
    assert {finding["cause"] for finding in wrong if finding["severity"] == "failure"} == {"settings"}
    assert [each["severity"] for each in ended.findings if each["check"] == "stores"] == ["ok", "ok"]


def test_a_broken_plugin_is_named_and_the_rest_is_checked(env, tmp_path: Path):
    site = tmp_path / "site"
    (site / "broken_plugin-9.dist-info").mkdir(parents=True)
    (site / "broken_plugin-9.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 9\n")
    (site / "broken_plugin-9.dist-info" / "entry_points.txt").write_text("[latchpin]\nbroken = no_such_module_here\n")
    ended = run_doctor(env | {"PYTHONPATH": str(site)}, tmp_path)
    assert ended.returncode == 1
    finding = ended.only("plugins")
    assert "plugin 'broken' of broken 9 failed to load" in finding["detail"]
    assert "no_such_module_here" in finding["detail"]
    assert (finding["cause"], finding["docs"]) == ("plugin", "errors.md#plugin")
    assert [each["severity"] for each in ended.findings if each["check"] == "stores"] == ["ok", "ok"]


def test_nothing_is_made_by_looking(backend: GatewayBackend, tmp_path: Path):
    before = set(tmp_path.iterdir())
    ended = run_doctor(settings_of(backend), tmp_path)
    assert set(tmp_path.iterdir()) == before
    assert ended.only("start")["severity"] == "warning"


@pytest.mark.slow
def test_no_secret_is_in_the_report(env, tmp_path: Path):
    for arguments in ((), ("--json",)):
        ended = run_latchpin("doctor", *arguments, env=env | {"PORT": "x", "JWT_SECRET_KEY": "k3y"}, cwd=tmp_path)
        assert ended.returncode == 1
        assert SECRET not in ended.stdout + ended.stderr
        assert "k3y" not in ended.stdout + ended.stderr


@pytest.mark.needs("latchpin_memory_store")
def test_records_in_memory_are_out_of_reach_and_it_says_so(tmp_path: Path):
    memory = GatewayBackend("memory", {"CACHE_TYPE": "memory", "RECORD_STORE": "memory"}, shared=False, label="memory")
    ended = run_doctor(settings_of(memory), tmp_path)
    skipped = ended.only("stores")
    assert (skipped["severity"], "out of reach" in skipped["detail"]) == ("skipped", True)
