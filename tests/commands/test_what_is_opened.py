"""A command opens what it needs and no more: a part that is away stops none that has no use for it."""

from __future__ import annotations

from pathlib import Path

import jwt
import pytest
from latchpin.commands.command_line import build
from latchpin.errors import LatchpinError
from typer.testing import CliRunner, Result

pytestmark = [pytest.mark.needs("latchpin_sql_store"), pytest.mark.needs("latchpin_redis_store")]

KEY = "a-key-of-callers-bearer-tokens-with-50-characters!"
NOWHERE = {"REDIS_URL": "redis://127.0.0.1:1/0", "REDIS_MAX_RETRIES": "1"}
NO_DATABASE = {"DATABASE_URL": "postgresql://me:pw@127.0.0.1:1/x"}
TOKEN = ("token", "create", "--email", "ann@example.com")


@pytest.fixture
def latchpin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)

    def run(environment: dict[str, str], *words: str) -> Result:
        for name, value in {"DATABASE_URL": f"sqlite:///{tmp_path}/x.db", **environment}.items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(build(), words)

    return run


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"RECORD_STORE": "memory", "CACHE_TYPE": "memory", "JWT_SECRET_KEY": KEY}, TOKEN),
        ({**NO_DATABASE, "JWT_SECRET_KEY": KEY}, TOKEN),
        ({**NOWHERE, "RECORD_STORE": "redis", "CACHE_TYPE": "redis", "JWT_SECRET_KEY": KEY}, TOKEN),
        ({**NOWHERE, "CACHE_TYPE": "redis"}, TOKEN),
        ({**NOWHERE, "CACHE_TYPE": "redis"}, ("login-link", "--email", "ann@example.com")),
        ({**NOWHERE, "CACHE_TYPE": "redis"}, ("gateways", "list")),
        ({**NOWHERE, "CACHE_TYPE": "redis"}, ("flows", "list")),
        ({**NOWHERE, "CACHE_TYPE": "redis"}, ("audit", "verify")),
        ({**NOWHERE, "RECORD_STORE": "redis"}, ("states", "purge")),
        ({"RECORD_STORE": "memory"}, ("states", "purge")),
        ({**NOWHERE, "CACHE_TYPE": "redis", "RECORD_STORE": "redis"}, ("secret", "generate")),
        ({**NOWHERE, "CACHE_TYPE": "redis", "RECORD_STORE": "redis"}, ("config", "show")),
        ({**NOWHERE, "CACHE_TYPE": "redis", "RECORD_STORE": "redis"}, ("plugins",)),
        ({**NOWHERE, "CACHE_TYPE": "redis", "RECORD_STORE": "redis"}, ("config", "example")),
    ],
    ids=" ".join,
)
def test_what_a_command_has_no_use_for_may_be_away(latchpin, environment, words):
    ended = latchpin(environment, *words)
    assert ended.exit_code == 0, ended.exception


@pytest.mark.parametrize(
    ("environment", "words", "said"),
    [
        ({"RECORD_STORE": "memory"}, TOKEN, "RECORD_STORE is memory"),
        ({"RECORD_STORE": "memory"}, ("login-link", "--email", "ann@example.com"), "RECORD_STORE is memory"),
        ({"CACHE_TYPE": "memory"}, ("states", "purge"), "CACHE_TYPE is memory: the states live in the serving process"),
        ({"CACHE_TYPE": "none"}, ("states", "purge"), "CACHE_TYPE"),
        ({**NOWHERE, "CACHE_TYPE": "redis"}, ("states", "purge"), "127.0.0.1:1"),
        ({**NO_DATABASE}, ("gateways", "list"), "127.0.0.1:1"),
        ({**NOWHERE, "CACHE_TYPE": "redis"}, ("break-glass", "--yes"), "127.0.0.1:1"),
        (
            {"JWT_JWKS_URL": "https://sso.example.com/jwks", "JWT_ISSUER": "i", "JWT_AUDIENCE": "a"},
            TOKEN,
            "JWT_JWKS_URL is set",
        ),
    ],
)
def test_what_it_needs_must_be_there(latchpin, environment, words, said):
    ended = latchpin(environment, *words)
    assert isinstance(ended.exception, LatchpinError)
    assert said in f"{ended.exception.detail or ended.exception.public} {ended.exception.remedy}"


def test_a_token_made_without_a_store_is_the_one_that_the_gateway_takes(latchpin):
    made = latchpin({"RECORD_STORE": "memory", "JWT_SECRET_KEY": KEY, "BASE_URL": "http://localhost:1"}, *TOKEN)
    claims = jwt.decode(made.stdout.strip(), KEY, ["HS256"], audience="http://localhost:1", issuer="http://localhost:1")
    assert (claims["sub"], claims["email"]) == ("ann@example.com", "ann@example.com")
    assert "latchpin_admin" not in claims
    assert claims["exp"] - claims["iat"] == 30 * 24 * 3600
