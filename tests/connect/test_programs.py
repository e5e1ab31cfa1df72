"""Each client is told the URL in the format that its own documentation has."""

from __future__ import annotations

import base64
import json
import shlex
import tomllib
from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from latchpin.contracts import ProtectedResource
from latchpin.model import Gateway
from latchpin_connect.endpoints import choose_endpoint
from latchpin_connect.programs import PROGRAMS, find_program, short_name

NEEDS = ("latchpin_connect",)

NAME, URL = "files", "https://gw.example/base/gateways/0123456789abcdef0123456789abcdef/mcp"


def snippet(key: str, kind: str) -> str:
    program = find_program(key)
    assert program is not None
    return next(each.text for each in program.build(NAME, URL) if each.kind == kind)


@pytest.mark.parametrize(
    ("key", "document"),
    [
        ("claude-code", {"mcpServers": {NAME: {"type": "http", "url": URL}}}),
        ("vscode", {"servers": {NAME: {"type": "http", "url": URL}}}),
        ("cursor", {"mcpServers": {NAME: {"url": URL}}}),
        ("gemini-cli", {"mcpServers": {NAME: {"httpUrl": URL}}}),
        ("zed", {"context_servers": {NAME: {"url": URL}}}),
    ],
)
def test_a_piece_of_the_clients_json_file(key: str, document: object):
    assert json.loads(snippet(key, "file")) == document


def test_codex_reads_toml():
    assert tomllib.loads(snippet("codex", "file")) == {"mcp_servers": {NAME: {"url": URL}}}


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("claude-code", ["claude", "mcp", "add", "--transport", "http", NAME, URL]),
        ("codex", ["codex", "mcp", "add", NAME, "--url", URL]),
        ("gemini-cli", ["gemini", "mcp", "add", "--transport", "http", NAME, URL]),
    ],
)
def test_a_command(key: str, words: list[str]):
    assert shlex.split(snippet(key, "command")) == words


def test_the_command_of_vs_code():
    program, option, entry = shlex.split(snippet("vscode", "command"))
    assert (program, option) == ("code", "--add-mcp")
    assert json.loads(entry) == {"name": NAME, "type": "http", "url": URL}


def test_the_link_of_vs_code():
    scheme, _, rest = snippet("vscode", "link").partition(":")
    place, _, query = rest.partition("?")
    assert (scheme, place) == ("vscode", "mcp/install")
    assert json.loads(unquote(query)) == {"name": NAME, "type": "http", "url": URL}


def test_the_link_of_cursor():
    parts = urlsplit(snippet("cursor", "link"))
    assert (parts.scheme, parts.netloc, parts.path) == ("cursor", "anysphere.cursor-deeplink", "/mcp/install")
    query = parse_qs(parts.query, strict_parsing=True)
    assert query["name"] == [NAME]
    assert json.loads(base64.b64decode(query["config"][0], validate=True)) == {"url": URL}


@pytest.mark.parametrize("key", ["claude", "chatgpt"])
def test_what_has_no_file_is_given_the_url(key: str):
    assert snippet(key, "steps") == URL


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.key)
def test_a_hostile_url_stays_one_word(program):
    """BASE_URL is the deployer's, and a name the administrator's; neither gets out of its place."""
    for way in program.build("files", "https://gw.example/'; rm -rf ~ #/mcp"):
        if way.kind == "command":
            assert "rm" not in shlex.split(way.text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("GitHub", "github"),
        ("Müller & Söhne: files!", "muller-sohne-files"),
        ("  --  ", "latchpin"),
        ("日本", "latchpin"),
        ("x" * 50, "x" * 32),
        ("a'; rm -rf ~", "a-rm-rf"),
    ],
)
def test_a_name_that_every_client_takes(text: str, name: str):
    assert short_name(text) == name


NOW = datetime(2026, 1, 1, tzinfo=UTC)


def own(gateway_id: str) -> ProtectedResource:
    gateway = Gateway(gateway_id, gateway_id, "https://a.example", "none", (), None, None, 1, NOW, NOW)
    return ProtectedResource(f"https://gw.example/gateways/{gateway_id}/mcp", gateway_id, (gateway,))


def test_where_no_gateway_is_named_the_endpoint_of_all_servers_is_meant():
    first, second = own("first"), own("second")
    everything = ProtectedResource("https://gw.example/mcp", "All", first.gateways, aggregate=True)
    assert choose_endpoint([first, everything], "") is everything
    assert choose_endpoint([first, second], "") is first
    assert choose_endpoint([], "") is None
    assert choose_endpoint([everything, first], "first") is first, "it is no gateway's own, however few there are"
    assert choose_endpoint([everything], "first") is None
