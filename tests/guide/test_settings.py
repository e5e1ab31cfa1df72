"""The guide's settings: what it greps for, the blocks it recommends, the defaults it lists, the edits it makes."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from latchpin.settings.core import CoreSettings
from latchpin_admin_cli.env_example import write_example

from tests.guide import commands as guide
from tests.guide.conftest import Shell, open_shell, processes_in, ways
from tests.servers import GatewayBackend, run_latchpin, start_latchpin
from tests.support.gateway_process import create_schema, settings_of

pytestmark = pytest.mark.slow


def values_of(entry: guide.Entry) -> dict[str, str]:
    return dict(line.split("=", 1) for line in entry.text.splitlines())


def shown(folder: Path) -> dict[str, str]:
    """What ``latchpin config show`` reads in a folder, with nothing in the environment."""
    done = run_latchpin("config", "show", "--json", env={}, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    values: dict[str, str] = json.loads(done.stdout)
    return values


def as_shown(name: str, value: str) -> str:
    if name == "AUTH_ENCRYPTION_SECRET":
        return "**********"
    return value


def check_block(folder: Path, entry: guide.Entry) -> None:
    """A block of the guide as ``.env`` is read to the letter, as far as its plugins are installed."""
    (folder / ".env").write_text(entry.text + "\n")
    read = shown(folder)
    for name, value in values_of(entry).items():
        if name in read:
            assert read[name] == as_shown(name, value), name


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell beside a ``.env`` that names every variable, as ``make dev`` makes it."""
    (tmp_path / ".env").write_text(write_example({"latchpin": CoreSettings}))
    return open_shell(tmp_path, {}, way="installed")


def test_the_greps_for_the_store_and_for_dcr_find_their_lines(shell: Shell):
    assert shell.lines(guide.SHOW_CACHE_TYPE) == [guide.USE_DATABASE.text]
    assert shell.lines(guide.FIX_1_SHOW) == [guide.USE_DATABASE.text]
    assert shell.lines(guide.SHOW_STORAGE) == [guide.USE_DATABASE.text]
    (shell.folder / ".env").write_text(guide.DCR_SETTINGS.text)
    assert shell.lines(guide.SHOW_DCR) == guide.DCR_SETTINGS.text.splitlines()


def test_the_edits_to_env_choose_redis(shell: Shell):
    shell.run(guide.EDIT_ENV)
    assert shell.lines(guide.SHOW_CACHE_TYPE) == ["CACHE_TYPE=redis"]
    assert shown(shell.folder)["CACHE_TYPE"] == "redis"
    (shell.folder / ".env").write_text("")
    shell.run(guide.ADD_CACHE_TYPE)
    shell.run(guide.ADD_REDIS_URL)
    assert (shell.folder / ".env").read_text().strip() == guide.USE_REDIS.text == guide.BALANCED.text
    assert shown(shell.folder)["CACHE_TYPE"] == "redis"


def test_debug_logging_is_one_line(tmp_path: Path):
    (tmp_path / ".env").write_text(guide.DEBUG_SETTING.text)
    assert shown(tmp_path)["LOG_LEVEL"] == "DEBUG"


@pytest.mark.needs("latchpin_dcr", "latchpin_redis_store")
@pytest.mark.parametrize("entry", [guide.PRODUCTION_SETTINGS, guide.DCR_SETTINGS], ids=lambda entry: entry.section)
def test_the_recommended_blocks_are_read_to_the_letter(entry: guide.Entry, tmp_path: Path):
    assert values_of(entry).keys() <= shown(tmp_path).keys()
    check_block(tmp_path, entry)


@pytest.mark.needs("latchpin_redis_store", "latchpin_sql_store")
def test_the_defaults_are_those_of_the_guides_table(tmp_path: Path):
    read = shown(tmp_path)
    for name, value in values_of(guide.DEFAULTS).items():
        assert read[name] == as_shown(name, value)
    secret = values_of(guide.DEFAULTS)["AUTH_ENCRYPTION_SECRET"]
    assert CoreSettings().auth_encryption_secret.get_secret_value() == secret
    assert CoreSettings().state_ttl_seconds == int(guide.STATE_TTL.text.rpartition(" ")[2])


@pytest.mark.backends("redis")
def test_the_recommended_production_block_serves(backend: GatewayBackend, tmp_path: Path):
    check_block(tmp_path, guide.PRODUCTION_SETTINGS)
    place = {"REDIS_URL": backend.environment["REDIS_URL"], "RECORD_STORE": "redis"}  # the test's own server
    with start_latchpin(env=place, cwd=tmp_path) as process:
        ready = httpx.get(f"{process.base_url}/ready", trust_env=False, timeout=60)
        assert ready.status_code == 200, ready.text
        process.wait_for_output("AUTH_ENCRYPTION_SECRET")  # its example secret is short, which is warned about
        assert "your-secret-key-here" not in process.output


def test_each_valid_storage_serves_none_without_oauth(backend: GatewayBackend, tmp_path: Path):
    names = [line.partition("=")[2] for line in guide.VALID_STORAGE.text.splitlines()]
    assert backend.environment["CACHE_TYPE"] in names
    env = settings_of(backend) | {"CACHE_TYPE": "none"}
    create_schema(env)
    with start_latchpin(env=env, cwd=tmp_path) as process:
        ready = httpx.get(f"{process.base_url}/ready", trust_env=False, timeout=60)
    assert ready.status_code == 503
    assert "CACHE_TYPE=none" in ready.text


def test_a_store_serves_several_workers_where_the_guide_says_so(backend: GatewayBackend, tmp_path: Path):
    table = dict(line.split(": ") for line in guide.MULTI_WORKER_STORES.text.splitlines())
    env = settings_of(backend)
    if table[env["CACHE_TYPE"]] == "No":
        refused = run_latchpin("serve", "--workers", "2", env=env, cwd=tmp_path)
        assert (refused.returncode, "CACHE_TYPE=memory with WORKERS=2" in refused.stderr) == (1, True)
        return
    create_schema(env)
    with start_latchpin("serve", "--workers", "2", env=env, cwd=tmp_path) as process:
        process.wait_for_output("Application startup complete", times=2)  # each worker titles itself before
        for way in ways("ps"):
            shell = open_shell(tmp_path, env, way=way)
            titles = " ".join(processes_in(tmp_path, shell.lines(guide.SHOW_WORKERS)))
            assert "latchpin: uvicorn worker 1/2" in titles
            assert "latchpin: uvicorn worker 2/2" in titles
