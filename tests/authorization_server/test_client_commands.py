"""``latchpin oauth-clients`` beside a store that lasts, and what the audit log has of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.servers import GatewayBackend, run_latchpin
from tests.support.gateway_process import settings_of

pytestmark = [pytest.mark.backends("sqlite"), pytest.mark.needs("latchpin_authorization_server", "latchpin_audit")]


@pytest.fixture
def latchpin(backend: GatewayBackend, tmp_path: Path) -> Any:
    """Run a command that must succeed; its standard output."""

    def run(*arguments: str, fails: bool = False, stdin: str = "", **settings: str) -> str:
        ended = run_latchpin(*arguments, env=settings_of(backend) | settings, cwd=tmp_path, stdin=stdin)
        assert (ended.returncode != 0) is fails, ended.stderr
        assert "Traceback" not in ended.stderr
        return ended.stderr if fails else ended.stdout

    return run


@pytest.mark.parametrize(
    "command",
    [
        ("oauth-clients", "add", "Nightly", "--acts-as", "robot@example.com"),
        ("personal-tokens", "create", "--email", "ann@example.com", "--name", "nightly"),
    ],
    ids=lambda command: command[0],
)
def test_nothing_is_made_that_a_gateway_without_the_authorization_server_does_not_take(latchpin, command):
    said = latchpin(*command, fails=True, AUTHORIZATION_SERVER_ENABLED="false")
    assert "AUTHORIZATION_SERVER_ENABLED=true switches that on" in said


def test_no_personal_token_is_made_where_none_is_taken(latchpin):
    command = ("personal-tokens", "create", "--email", "ann@example.com", "--name", "nightly")
    said = latchpin(*command, fails=True, PERSONAL_TOKENS_ENABLED="false")
    assert "PERSONAL_TOKENS_ENABLED=true switches them on" in said


def test_clients_are_added_listed_shown_and_deleted(latchpin):
    added = latchpin("oauth-clients", "add", "Nightly", "--acts-as", "robot@example.com").split()
    client_id, secret = added[1], added[3]
    shown = latchpin("oauth-clients", "show", client_id, "--json")
    assert json.loads(shown)["acts_as"] == "robot@example.com"
    assert secret not in shown
    (listed,) = json.loads(latchpin("oauth-clients", "list", "--json"))
    assert listed == json.loads(shown)
    latchpin("oauth-clients", "delete", client_id, stdin="n\n", fails=True)
    latchpin("oauth-clients", "delete", client_id, "--yes")
    audited = [json.loads(line) for line in latchpin("audit", "export", "--names").splitlines()]
    assert [entry["event"] for entry in audited] == ["mcp-client.entered", "mcp-client.deleted"]
    assert audited[0]["subject_address"] == "robot@example.com"
    assert secret not in json.dumps(audited)


def test_what_does_not_hold_is_refused_in_one_sentence(latchpin):
    assert "at least one" in latchpin("oauth-clients", "add", "Editor", fails=True)
    assert "has a secret" in latchpin(
        "oauth-clients", "add", "Nightly", "--acts-as", "robot@example.com", "--public", fails=True
    )


def test_one_that_a_company_vouches_for_is_entered_with_its_grant_type(latchpin):
    exchange = "urn:ietf:params:oauth:grant-type:token-exchange"
    added = json.loads(latchpin("oauth-clients", "add", "Portal", "--grant-type", exchange, "--json"))
    assert (added["grant_types"], added["redirect_uris"]) == ([exchange], [])
    assert added["client_secret"]
    assert "is none of" in latchpin("oauth-clients", "add", "Portal", "--grant-type", "password", fails=True)
