"""The command as people type it: what it says, what it never says, and that it leaves ContextForge's database alone."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from latchpin.errors import SettingsError
from latchpin_adopt_contextforge.commands import app
from latchpin_adopt_contextforge.errors import SourceUnreadable
from latchpin_adopt_contextforge.source import parse_source_url, read_source
from latchpin_testing import samples
from typer.testing import CliRunner

from tests.adopt_contextforge.theirs import THEIR_SECRET, Theirs, seal, seal_headers
from tests.servers import run_latchpin

NEEDS = ("latchpin_adopt_contextforge", "latchpin_sql_store")
ALICE = "alice@example.com"
HERE = {"AUTH_ENCRYPTION_SECRET": "a-secret-of-the-tests-with-48-characters-in-all!", "LOG_FILE": ""}


@pytest.fixture
def environment(sqlite_url: str) -> dict[str, str]:
    stores = {"CACHE_TYPE": "database", "RECORD_STORE": "database", "DATABASE_URL": sqlite_url}
    return {**HERE, **stores, "THEIRS": THEIR_SECRET}


@pytest.fixture
def theirs(tmp_path: Path) -> str:
    """Forty people with keys of one client that was entered, and one gateway that cannot be taken over."""
    url = f"sqlite:///{tmp_path}/their s.db"
    made = Theirs(url)
    config = {"client_id": "c", "client_secret": seal("their-client-secret"), "token_url": "https://as.invalid/token"}
    config |= {"authorization_url": "https://as.invalid/authorize"}
    gateway = made.gateway("entered", "https://mcp.invalid/mcp", auth_type="oauth", oauth_config=config)
    for number in range(40):
        made.token(gateway, f"p{number}@example.com", f"access-{number}", f"refresh-{number}")
    keyed = seal_headers({"X-Key": "the-key-of-all"})
    made.gateway("keyed", "https://keyed.invalid/mcp", auth_type="authheaders", auth_value=keyed)
    made.gateway("events", "https://events.invalid/sse", transport="SSE")
    made.close()
    return url


def adopt(
    environment: Mapping[str, str], folder: Path, *arguments: str, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    done = run_latchpin("adopt", "contextforge", *arguments, env=environment, cwd=folder, stdin=stdin)
    for secret in (THEIR_SECRET, "their-client-secret", "access-1", "refresh-1", "the-key-of-all"):
        assert secret not in done.stdout + done.stderr
    return done


def test_it_says_what_it_would_do_and_does_it_once(environment, theirs, tmp_path):
    path = tmp_path / "their s.db"
    before = hashlib.sha256(path.read_bytes()).digest(), sorted(tmp_path.glob("their s.db*"))
    tried = adopt(environment, tmp_path, theirs, "--secret", "env:THEIRS")
    assert tried.returncode == 3, tried.stderr
    assert "would be taken over" in tried.stdout
    assert "gateway events" in tried.stdout
    assert "Enter the URL at which the server speaks Streamable HTTP" in tried.stdout
    assert "4 of 40 tokens" in tried.stderr
    assert "Nothing was written. Stop ContextForge" in tried.stderr
    done = adopt(environment, tmp_path, theirs, "--secret", "env:THEIRS", "--write", "--json")
    assert done.returncode == 3, done.stderr
    report = json.loads(done.stdout)
    assert report["written"]
    assert [row["outcome"] for row in report["rows"]].count("new") == 2 + 1 + 40
    again = adopt(environment, tmp_path, theirs, "--secret", "env:THEIRS", "--write", "--json")
    assert [row["outcome"] for row in json.loads(again.stdout)["rows"]].count("there") == 2 + 1 + 40
    assert (hashlib.sha256(path.read_bytes()).digest(), sorted(tmp_path.glob("their s.db*"))) == before
    log = run_latchpin("audit", "export", env=environment, cwd=tmp_path)
    assert log.stdout.count("token.adopted") == 41, log.stderr


def test_without_a_terminal_it_says_where_to_put_the_secret(theirs):
    done = CliRunner().invoke(app, ["contextforge", theirs], input="")
    assert isinstance(done.exception, SettingsError)
    assert "nobody can be asked" in done.exception.detail
    assert "--secret env:NAME" in (done.exception.remedy or "")


def test_where_the_secret_may_be(environment, theirs, tmp_path):
    file = tmp_path / "secret"
    file.write_text(f"{THEIR_SECRET}\n")
    assert adopt(environment, tmp_path, theirs, "--secret", f"file:{file}").returncode == 3
    assert adopt(environment | {"DB": theirs}, tmp_path, "env:DB", stdin=f"{THEIR_SECRET}\n").returncode == 3
    for wrong, words in {
        THEIR_SECRET: "every user of this machine may read",
        "env:NOT_THERE": "NOT_THERE, which is not set",
        "file:/not/there": "cannot be read",
    }.items():
        refused = run_latchpin("adopt", "contextforge", theirs, "--secret", wrong, env=environment, cwd=tmp_path)
        assert refused.returncode == 1
        assert words in refused.stderr
        assert THEIR_SECRET not in refused.stderr
    refused = adopt(environment | {"THEIRS": "wrong"}, tmp_path, theirs, "--secret", "env:THEIRS", "--write")
    assert refused.returncode == 1
    assert "opens none of the first" in refused.stderr


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://u:hidden@h/d", "only SQLite's and PostgreSQL's"),
        ("hidden", "no URL of a database"),
        ("sqlite:///not/there.db", "no such file"),
        ("sqlite://", "no such file"),
    ],
)
def test_a_url_that_is_none_is_refused_without_its_password(url, words):
    with pytest.raises(SettingsError, match=words) as caught:
        parse_source_url(url)
    assert "hidden" not in caught.value.detail + caught.value.remedy


def test_another_programs_database_is_refused(tmp_path, sqlite_url, environment):
    (tmp_path / "text.db").write_text("no database at all, but text" * 100)
    with pytest.raises(SourceUnreadable, match="cannot be read"):
        read_source(parse_source_url(f"sqlite:///{tmp_path}/text.db"))
    assert run_latchpin("gateways", "list", env=environment, cwd=tmp_path).returncode == 0
    with pytest.raises(SourceUnreadable, match=r"not that of ContextForge 1\.x"):
        read_source(parse_source_url(sqlite_url))


def test_postgres_is_read_by_a_session_that_cannot_write(database_url, monkeypatch):
    made = Theirs(database_url)
    gateway = made.gateway("one", "https://mcp.invalid/mcp", auth_value=seal_headers({"A": "b"}), enabled=False)
    made.token(gateway, ALICE, "access", scopes=["a", "b"])
    made.client(gateway, "https://as.invalid", "c", None, redirect_uris='["https://a/cb", "https://b/cb"]')
    made.person(ALICE, team="t")
    made.person("bob@example.com", active=False)
    source = read_source(parse_source_url(database_url))
    (found,), (token,), (client,) = source.gateways, source.tokens, source.clients
    assert (found.id, found.enabled, isinstance(found.auth_value, str)) == (gateway, False, True)
    assert (token.scopes, token.expires_at.utcoffset().total_seconds()) == (("a", "b"), 0)
    assert client.redirect_uris == ("https://a/cb", "https://b/cb")
    assert (source.teams, source.ended) == ({"t": (ALICE,)}, {"bob@example.com"})
    writing = "UPDATE oauth_tokens SET access_token = 'x'"
    monkeypatch.setattr("latchpin_adopt_contextforge.source._columns", lambda each: each.exec_driver_sql(writing))
    with pytest.raises(SourceUnreadable, match="read-only transaction"):
        read_source(parse_source_url(database_url))
    made.close()
    password = database_url.partition("@")[0].rpartition(":")[2]
    with pytest.raises(SourceUnreadable, match="cannot be read") as caught:
        read_source(parse_source_url(database_url.rpartition("/")[0] + f"/{samples.new_id()}"))
    assert not password or password not in caught.value.detail
