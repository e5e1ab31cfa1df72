"""The commands that look after a gateway, as an operator types them beside a store that lasts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.servers import GatewayBackend, run_latchpin
from tests.support.gateway_process import settings_of

pytestmark = pytest.mark.backends("sqlite")


@pytest.fixture
def latchpin(backend: GatewayBackend, tmp_path: Path):
    """Run a command that must succeed; its standard output."""

    def run(*arguments: str, fails: bool = False, stdin: str = "") -> str:
        ended = run_latchpin(*arguments, env=settings_of(backend), cwd=tmp_path, stdin=stdin)
        assert (ended.returncode != 0) is fails, ended.stderr
        assert "Traceback" not in ended.stderr
        return ended.stderr if fails else ended.stdout

    return run


def test_gateways_are_added_listed_shown_and_removed(latchpin):
    assert latchpin("gateways", "list", "--json") == "[]\n"
    config = json.dumps(
        {"client_id": "c", "authorization_url": "http://127.0.0.1:1/a", "token_url": "http://127.0.0.1:1/t"}
    )
    url = "http://127.0.0.1:1/mcp"
    added = json.loads(latchpin("gateways", "add", url, "--name", "mine", "--config", config, "--json"))
    listed = json.loads(latchpin("gateways", "list", "--json"))
    assert [(each["id"], each["name"], each["url"]) for each in listed] == [(added["id"], "mine", url)]
    shown = json.loads(latchpin("gateways", "show", "mine", "--json"))
    assert shown["redirect_uri"].endswith("/oauth/callback")
    assert shown["discovery"]["token_endpoint"] == "http://127.0.0.1:1/t"
    assert "no gateway" in latchpin("gateways", "show", "other", fails=True)
    latchpin("gateways", "remove", "mine", stdin="n\n", fails=True)
    assert "Run it again with --yes." in latchpin("gateways", "remove", "mine", fails=True)
    latchpin("gateways", "remove", "mine", "--yes")
    assert latchpin("gateways", "list", "--json") == "[]\n"


def test_a_gateway_without_a_browser_is_changed(latchpin):
    """What it has beside the change is judged anew, with the grants that are installed."""
    config = json.dumps({"grant_type": "client_credentials", "client_id": "c", "client_secret": "s" * 20})
    latchpin("gateways", "add", "https://mcp.example.com/mcp", "--name", "Own", "--no-discover", "--config", config)
    assert json.loads(latchpin("gateways", "edit", "Own", "--name", "Other", "--json"))["name"] == "Other"


def test_a_bad_gateway_is_refused_in_one_sentence(latchpin):
    assert "must be an absolute http or https URL" in latchpin("gateways", "add", "ftp://x", fails=True)
    assert "not JSON" in latchpin("gateways", "add", "http://127.0.0.1:1/", "--config", "{", fails=True)


def test_states_are_purged_by_hand(latchpin):
    assert latchpin("states", "purge") == "Removed 0 states.\n"
    assert latchpin("states", "purge", "--all") == "Removed 0 states.\n"


def test_secrets_are_long_random_and_alone_on_their_line(latchpin):
    one, other = latchpin("secret", "generate"), latchpin("secret", "generate")
    assert one != other
    assert len(one.strip()) == 64
    assert one.count("\n") == 1


def test_a_token_is_alone_and_unwrapped_on_its_line(latchpin):
    token = latchpin("token", "create", "--email", "ann@example.com", "--admin")
    assert token.count("\n") == 1
    assert token.count(".") == 2


def test_the_version_is_printed(latchpin):
    assert latchpin("--version").startswith("latchpin 0.")
