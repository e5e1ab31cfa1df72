"""The commands beside a gateway that serves: 200 gateways, exit codes, what is printed, and two at the same time."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers import latchpin_command, run_latchpin
from tests.servers.gateway import clean_environment
from tests.support.gateway_in_process import SECRET

MANY = 200
HIDDEN = "the-secret-that-nobody-may-see-anywhere-0123456789"
Latchpin = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.needs("latchpin_sql_store", "latchpin_doctor", "latchpin_audit")


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    return {
        "CACHE_TYPE": "database",
        "RECORD_STORE": "database",
        "DATABASE_URL": f"sqlite:///{tmp_path}/x.db",
        "AUTH_ENCRYPTION_SECRET": SECRET,
        "AUDIT_LOG": "true",
        "LOG_LEVEL": "DEBUG",
        "TEST_SECRET": HIDDEN,
    }


@pytest.fixture
def latchpin(settings: dict[str, str], tmp_path: Path) -> Latchpin:
    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = run_latchpin(*arguments, env=settings, cwd=tmp_path)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done

    run("db", "upgrade")
    return run


def many(count: int = MANY) -> str:
    entries = [
        f"  server-{number:03}:\n    url: https://mcp.example.com/{number}\n    allowed_users: ['*@example.com']\n"
        f"    oauth_config: {{client_id: c{number}, client_secret: env:TEST_SECRET, scopes: [a, b]}}\n"
        for number in range(count)
    ]
    return "gateways:\n" + "".join(entries)


def test_200_gateways_twice_are_the_same_and_a_wrong_file_changes_nothing(latchpin: Latchpin, tmp_path: Path):
    file = tmp_path / "all.yaml"
    file.write_text(many())
    assert f"{MANY} to add" in latchpin("apply", "-f", "all.yaml", "--dry-run").stderr
    assert latchpin("diff", "-f", "all.yaml", code=1).stdout.count("+ gateways.server-") == MANY
    first = latchpin("apply", "-f", "all.yaml")
    assert f"Applied all.yaml: {MANY} added" in first.stderr
    assert f"25 of {MANY} written" in first.stderr
    second = latchpin("apply", "-f", "all.yaml")
    assert (second.stdout, f"nothing had to change; {MANY} were" in second.stderr) == ("", True)
    assert latchpin("diff", "-f", "all.yaml").stdout == ""
    before = latchpin("gateways", "list", "--json").stdout

    lines = many().splitlines()
    lines[4 * 150 + 2] = "    ulr: https://mcp.example.com/150"
    file.write_text("\n".join(lines))
    wrong = latchpin("apply", "-f", "all.yaml", code=2)
    assert "all.yaml:603:5: gateways.server-150.ulr is not a key; did you mean url?" in wrong.stderr
    assert latchpin("diff", "-f", "all.yaml", code=2).stderr == wrong.stderr
    assert latchpin("gateways", "list", "--json").stdout == before

    printed = "".join(each.stdout + each.stderr for each in (first, second, wrong))
    log = "".join(each.read_text() for each in (tmp_path / "logs").glob("*"))
    exported = latchpin("export").stdout
    assert HIDDEN not in printed + log + exported + latchpin("audit", "export").stdout
    (tmp_path / "exported.yaml").write_text(exported)
    same = latchpin("diff", "-f", "exported.yaml", "--source", "all.yaml")
    assert f"{MANY} as they should be" in same.stderr


def test_what_goes_is_asked_about_and_each_code_is_as_documented(latchpin: Latchpin, tmp_path: Path):
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "a.yaml").write_text(many(2))
    latchpin("apply", "-f", "config")
    ruled = json.loads(latchpin("configuration", "ruled", "--json").stdout)
    assert [(each["name"], each["source"], each["file"]) for each in ruled] == [
        ("server-000", "config", "config/a.yaml:2"),
        ("server-001", "config", "config/a.yaml:6"),
    ]
    (folder / "a.yaml").write_text(many(1))
    left = latchpin("diff", "-f", "config")
    assert "? gateways.server-001 was in config/a.yaml:6 and is gone from it" in left.stdout
    plan = json.loads(latchpin("diff", "-f", "config", "--prune", "--json", code=1).stdout)
    assert [(each["action"], each["name"]) for each in plan["changes"]] == [("remove", "server-001")]
    refused = latchpin("apply", "-f", "config", "--prune", code=2)
    assert "Nothing was changed: nobody can be asked here. Run it again with --yes." in refused.stderr
    assert "Remove 1" in refused.stderr
    latchpin("apply", "-f", "config", "--prune", "--yes")
    assert "server-001" not in latchpin("gateways", "list").stdout
    audit = [json.loads(line) for line in latchpin("audit", "export").stdout.splitlines()]
    assert {"gateway.created", "gateway.removed", "configuration.applied"} <= {each["event"] for each in audit}
    assert latchpin("diff", "-f", "nowhere", code=2).stderr.startswith("nowhere:1:1: it cannot be read")
    assert "nothing" in latchpin("export", "nothing", code=2).stderr
    assert "sources: config" in latchpin("configuration", "release", "other", code=1).stderr
    latchpin("configuration", "release", "config")
    assert json.loads(latchpin("configuration", "ruled", "--json").stdout) == []
    schema = json.loads(latchpin("configuration", "schema").stdout)
    assert {"gateways", "sets", "groups", "rules"} <= schema["properties"].keys()
    secret = schema["$defs"]["gateways.OAuthConfig"]["properties"]["client_secret"]["anyOf"][0]
    assert "pattern" in secret


def test_two_commands_at_once_do_not_mix(latchpin: Latchpin, tmp_path: Path):
    (tmp_path / "a.yaml").write_text(many(20))
    (tmp_path / "b.yaml").write_text(many(20).replace("[a, b]", "[c]"))
    arguments = [("apply", "-f", f"{name}.yaml", "--source", "one") for name in "ab"]
    threads = [threading.Thread(target=latchpin, args=each) for each in arguments]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    gateways = json.loads(latchpin("gateways", "list", "--json").stdout)
    assert len(gateways) == 20
    assert len({tuple(each["oauth_config"]["scopes"]) for each in gateways}) == 1


def test_who_ends_it_in_the_middle_has_all_or_nothing(latchpin: Latchpin, settings: dict[str, str], tmp_path: Path):
    (tmp_path / "all.yaml").write_text(many(60))
    command = [latchpin_command(), "apply", "-f", "all.yaml"]
    with subprocess.Popen(
        command,
        env=clean_environment(settings),
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = next(line for line in process.stderr if "25 of 60 written" in line)
        process.send_signal(signal.SIGTERM)
        said += process.stderr.read()
    there = json.loads(latchpin("gateways", "list", "--json").stdout)
    assert (process.returncode, len(there)) in {(1, 0), (0, 60)}, said
    assert ("put back" in said) == (process.returncode == 1)
