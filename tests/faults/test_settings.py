"""Wrong settings: the start stops with the variable's name, what it holds and what is allowed, and no traceback."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from latchpin.commands import main as cli
from latchpin.commands import serving
from latchpin.plugins.hookspecs import STATE_STORE
from latchpin.plugins.host import Plugins
from latchpin.plugins.known_settings import settings_models
from latchpin.settings import variables
from latchpin.settings.core import CoreSettings

from tests.servers import GatewayBackend, run_latchpin, start_latchpin

NEEDS = ("latchpin_memory_store",)

SECRET = "a-secret-of-the-tests-with-48-characters-in-all!"
HUSH = "hush-hush-hush"
MEMORY = {"CACHE_TYPE": "memory", "RECORD_STORE": "memory", "AUTH_ENCRYPTION_SECRET": SECRET, "LOG_FILE": ""}

Serve = Callable[..., tuple[int, str]]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Serve:
    """Runs ``latchpin serve`` up to the moment when it would listen; gives the exit code and stderr."""
    for model in settings_models(Plugins()).values():
        for name in variables(model):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("latchpin.serving.serve.serve", lambda settings, plugins: 0)

    def run(settings: Mapping[str, str], *options: str) -> tuple[int, str]:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["latchpin", "serve", *options])
            for name, value in (MEMORY | dict(settings)).items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                cli.main()
            for name in ("HOST", "PORT", "WORKERS"):
                os.environ.pop(name, None)  # what an option put there
        return int(ended.value.code or 0), capsys.readouterr().err

    return run


def test_good_settings_get_as_far_as_listening(serve):
    assert serve({}) == (0, "")


MALFORMED = [
    # variable, what it holds, what the message says is allowed
    ("CACHE_TYPE", "postgress", "installed: "),
    ("RECORD_STORE", "disk", "installed: "),
    ("STATE_TTL_SECONDS", "soon", "valid integer"),
    ("STATE_TTL_SECONDS", "0", "greater than 0"),
    ("MAX_PENDING_PER_USER", "0", "greater than 0"),
    ("MAX_PENDING", "-1", "greater than 0"),
    ("OAUTH_REQUEST_TIMEOUT", "1.5s", "valid integer"),
    ("OAUTH_MAX_RETRIES", "-1", "greater than or equal to 0"),
    ("OAUTH_DEFAULT_TIMEOUT", "99999999999", "less than or equal to"),
    ("OAUTH_DISCOVERY_ENABLED", "maybe", "valid boolean"),
    ("OAUTH_ALLOW_PRIVATE_NETWORKS", "2", "valid boolean"),
    ("OAUTH_FOLLOW_ISSUER_CHANGE", "ja", "valid boolean"),
    ("DCR_METADATA_CACHE_TTL", "-5", "greater than or equal to 0"),
    ("BASE_URL", "mcp.example.com", "absolute http or https URL"),
    ("BASE_URL", "http://mcp.example.com", "must be https unless its host is loopback"),
    ("BASE_URL", "https://mcp.example.com/?a=b", "no query"),
    ("BASE_URL", "https://a..example.com", "labels with 1 to 63"),
    ("JWT_JWKS_URL", "https://xn--a/keys", "labels with xn-- are valid"),
    ("PORT", "65536", "less than or equal to 65535"),
    ("WORKERS", "0", "greater than or equal to 1"),
    ("ADMIN_EMAILS", '["a', "JSON list"),
    ("ADMIN_EMAILS", "ann@example.com, bob", "'bob' must have one @"),
    ("ADMIN_EMAILS", "Ann <ann@example.com>", "'Ann' must have one @"),
    ("HOST", "127.0.0.1:4444", "without scheme and port"),
    ("HOST", "http://127.0.0.1", "without scheme and port"),
    ("TRUSTED_USER_HEADER", "X-User:", "without a colon"),
    ("TRUSTED_USER_HEADER", "X User", "the name of a header"),
    ("LOG_LEVEL", "LOUD", "'DEBUG', 'INFO'"),
    ("LOG_FORMAT", "xml", "'text' or 'json'"),
]


@pytest.mark.parametrize(("name", "held", "allowed"), MALFORMED, ids=lambda text: str(text)[:24])
def test_a_malformed_value_stops_the_start_and_is_explained(name, held, allowed, serve):
    code, text = serve({name: held})
    assert code == 1
    assert f"{name} holds '{held}'" in text
    assert allowed in text
    assert "remedy: " in text
    assert "Traceback" not in text
    assert len(text.splitlines()) == 2


TOGETHER = [
    ({"TRUSTED_USER_HEADER": "X-User"}, ["TRUSTED_USER_HEADER", "TRUSTED_PROXIES", "together"]),
    ({"TRUSTED_PROXIES": "127.0.0.1"}, ["TRUSTED_USER_HEADER", "TRUSTED_PROXIES", "together"]),
    ({"TRUSTED_USER_HEADER": "X-User", "TRUSTED_PROXIES": "10.0.0.0/33"}, ["TRUSTED_PROXIES", "10.0.0.0/33"]),
    ({"JWT_JWKS_URL": "https://id.example/jwks"}, ["JWT_JWKS_URL needs JWT_ISSUER and JWT_AUDIENCE"]),
    (
        {"JWT_JWKS_URL": "https://i.example/k", "JWT_ISSUER": "i", "JWT_AUDIENCE": "a", "JWT_SECRET_KEY": HUSH * 4},
        ["JWT_SECRET_KEY and JWT_JWKS_URL exclude each other"],
    ),
    ({"JWT_SECRET_KEY": HUSH}, ["JWT_SECRET_KEY", "32 bytes"]),
    ({"AUTH_ENCRYPTION_SECRETS_OLD": f'["{HUSH}'}, ["AUTH_ENCRYPTION_SECRETS_OLD holds **********", "JSON list"]),
    ({"AUTH_ENCRYPTION_SECRET": "", "HOST": "0.0.0.0"}, ["AUTH_ENCRYPTION_SECRET", "latchpin secret generate"]),
    ({"AUTH_ENCRYPTION_SECRET": HUSH, "HOST": "0.0.0.0"}, ["AUTH_ENCRYPTION_SECRET", "32 bytes"]),
    ({"AUTH_ENCRYPTION_SECRET": HUSH, "BASE_URL": "https://mcp.example.com"}, ["AUTH_ENCRYPTION_SECRET", "loopback"]),
    ({"WORKERS": "3"}, ["CACHE_TYPE=memory with WORKERS=3", "CACHE_TYPE=database"]),
    ({"CACHE_TYPE": "none", "WORKERS": "2"}, ["RECORD_STORE=memory with WORKERS=2"]),
    ({"STATE_TTL_SECONDS": "x", "PORT": "y"}, ["STATE_TTL_SECONDS holds 'x'", "PORT holds 'y'"]),
]


@pytest.mark.parametrize(("settings", "said"), TOGETHER, ids=lambda value: "+".join(value)[:60])
def test_values_that_do_not_go_together_are_explained_without_secrets(settings, said, serve):
    code, text = serve(settings)
    assert code == 1
    assert [part for part in said if part not in text] == []
    assert HUSH not in text
    assert "Traceback" not in text


def test_an_unknown_store_lists_what_is_installed_and_what_can_be(serve):
    _, text = serve({"CACHE_TYPE": "postgress"})
    installed = {offer.name for offer in Plugins().offers(STATE_STORE)}
    listed = text.partition("installed: ")[2].partition("\n")[0]
    assert set(listed.split(", ")) == installed
    assert "latchpin-sql-store (database)" in text


def test_options_of_the_command_are_judged_like_variables(serve):
    code, text = serve({}, "--port", "70000")
    assert (code, "PORT holds '70000'" in text, "BASE_URL" in text) == (1, True, False)


def test_without_any_store_plugin_the_start_names_what_to_install(serve, monkeypatch):
    points = [point for point in entry_points(group="latchpin") if point.dist and point.dist.name == "latchpin"]
    monkeypatch.setattr(serving, "Plugins", lambda: Plugins(points))
    code, text = serve({"CACHE_TYPE": "database", "RECORD_STORE": "auto"})
    assert code == 1
    for name in ("latchpin-sql-store", "latchpin-redis-store", "latchpin-memory-store"):
        assert name in text
    assert "installed: none" in text


def test_empty_values_and_unknown_keys_are_as_if_they_were_not_there(serve, monkeypatch, tmp_path):
    Path(".env").write_text("COMPLETELY_UNKNOWN=1\nSTATE_TTL_SECONDS=\nJWT_SECRET_KEY=\n")
    names = [name for name in variables(CoreSettings) if name not in MEMORY]
    assert serve(dict.fromkeys(names, "")) == (0, "")
    assert CoreSettings(host="127.0.0.1").state_ttl_seconds == 300


# -- what is only found out when the stores are opened: real processes ------------------------------------

LATE = [
    ({"SIGNER": "rot13"}, ["SIGNER holds 'rot13'", "installed: hmac-sha256"]),
    ({"CIPHER": "rot13"}, ["CIPHER holds 'rot13'", "installed: aes-gcm"]),
    ({"OAUTH_PREFERRED_CODE_CHALLENGE_METHOD": "plain"}, ["OAUTH_PREFERRED_CODE_CHALLENGE_METHOD", "installed: S256"]),
    ({"IDENTITY_PROVIDER": "login.example.com"}, ["IDENTITY_PROVIDER holds 'login", "absolute http or https URL"]),
    (
        {"IDENTITY_PROVIDER_TOKEN_URL": "https://[fe80::1%25eth0]/token"},
        ["IDENTITY_PROVIDER_TOKEN_URL holds 'https://[fe80", "valid host and port"],
    ),
]
LATE_SQL = [
    ({"DATABASE_URL": f"oracle://u:{HUSH}@h/db"}, ["DATABASE_URL holds **********", "postgresql://"]),
    (
        {"DATABASE_URL": "sqlite:////nowhere/at/all.db"},
        ["DATABASE_URL names the folder /nowhere/at, which does not exist"],
    ),
    ({"DATABASE_URL": f"postgresql://u:{HUSH}@127.0.0.1:1/db"}, ["postgresql+psycopg://u:***@127.0.0.1:1/db"]),
]
LATE_REDIS = [
    ({"REDIS_URL": f"http://:{HUSH}@h"}, ["REDIS_URL holds **********", "redis://localhost:6379/0"]),
    ({"REDIS_URL": "redis://h/x"}, ["REDIS_URL", "number of a database"]),
    ({"REDIS_RETRY_INTERVAL_MS": "x"}, ["REDIS_RETRY_INTERVAL_MS holds 'x'"]),
    (
        {"REDIS_URL": f"redis://:{HUSH}@127.0.0.1:1/0", "REDIS_RETRY_INTERVAL_MS": "1", "REDIS_MAX_RETRIES": "2"},
        ["REDIS_URL holds redis://:***@127.0.0.1:1/0", "2 tries"],
    ),
]
LATE_DCR = [
    ({"DCR_ENABLED": "perhaps"}, ["DCR_ENABLED holds 'perhaps'", "valid boolean"]),
    ({"DCR_DEFAULT_SCOPES": "[1"}, ["DCR_DEFAULT_SCOPES holds '[1'", "JSON list"]),
    ({"DCR_TOKEN_ENDPOINT_AUTH_METHOD": "magic"}, ["DCR_TOKEN_ENDPOINT_AUTH_METHOD holds 'magic'", "must be one of"]),
]


def _refused(settings: Mapping[str, str], said: list[str], folder: Path) -> list[str]:
    """What is wrong with the way this start is refused."""
    folder.mkdir()
    ended = run_latchpin("serve", env=MEMORY | {"PORT": "0"} | dict(settings), cwd=folder)
    text = ended.stdout + ended.stderr
    complaints = [f"{settings}: {part!r} is not in\n{text}" for part in said if part not in text]
    if ended.returncode != 1 or "Traceback" in text or HUSH in text or "/login?token=" in text:
        complaints.append(f"{settings}: exit code {ended.returncode}\n{text}")
    return complaints


def _all_refused(cases: list[tuple[dict[str, str], list[str]]], folder: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda case: _refused(case[1][0], case[1][1], folder / str(case[0])), enumerate(cases))
        assert [complaint for each in found for complaint in each] == []


def test_what_the_built_ins_do_not_offer_stops_the_start(tmp_path):
    _all_refused(LATE, tmp_path)


@pytest.mark.needs("latchpin_sql_store", "psycopg")
def test_a_database_that_cannot_be_used_stops_the_start(tmp_path):
    _all_refused([(case | {"RECORD_STORE": "database"}, said) for case, said in LATE_SQL], tmp_path)


@pytest.mark.needs("latchpin_redis_store")
def test_a_redis_that_cannot_be_used_stops_the_start(tmp_path):
    _all_refused([(case | {"CACHE_TYPE": "redis"}, said) for case, said in LATE_REDIS], tmp_path)


@pytest.mark.needs("latchpin_dcr")
def test_settings_of_the_dcr_plugin_stop_the_start(tmp_path):
    _all_refused(LATE_DCR, tmp_path)


@pytest.mark.backends("sqlite")
def test_what_every_worker_would_fail_with_is_said_once_and_no_worker_starts(backend: GatewayBackend, tmp_path):
    env = {**backend.environment, "WORKERS": "2", "SIGNER": "rot13", "AUTH_ENCRYPTION_SECRET": SECRET, "PORT": "0"}
    ended = run_latchpin("serve", env=env, cwd=tmp_path)
    assert ended.returncode == 1
    [what, remedy] = ended.stderr.splitlines()
    assert "SIGNER holds 'rot13'" in what
    assert remedy.startswith("  remedy: ")


# -- what starts all the same -----------------------------------------------------------------------------


def test_a_misspelt_key_a_weak_secret_and_an_unwritable_log_are_warnings(tmp_path):
    (tmp_path / ".env").write_text("STATE_TLL_SECONDS=5\nCOMPLETELY_UNKNOWN=1\n")
    (tmp_path / "file").write_text("")
    env = MEMORY | {"AUTH_ENCRYPTION_SECRET": "", "LOG_FILE": "file/mcpgateway.log"}
    with start_latchpin(env=env, cwd=tmp_path) as process:
        process.stop()
        text = process.output
    assert "WARNING - .env sets STATE_TLL_SECONDS, which nothing reads; did you mean STATE_TTL_SECONDS?" in text
    assert "COMPLETELY_UNKNOWN" not in text
    assert "WARNING - AUTH_ENCRYPTION_SECRET is the published default" in text
    assert "WARNING - LOG_FILE file/mcpgateway.log cannot be written (File exists)" in text
    assert "Traceback" not in text


def test_json_lines_parse_one_by_one_and_an_empty_log_file_makes_none(tmp_path):
    with start_latchpin(env=MEMORY | {"LOG_FORMAT": "json", "LOG_LEVEL": "DEBUG"}, cwd=tmp_path) as process:
        process.stop()
        lines = [line for line in process.output.splitlines() if line and not line.startswith("    ")]
    records = [json.loads(line) for line in lines]
    assert len(records) > 3
    assert all({"time", "level", "logger", "process", "message"} <= set(record) for record in records)
    assert not (tmp_path / "logs").exists()
