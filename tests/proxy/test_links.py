"""Which links an MCP server may hand out, and which only this gateway does."""

from __future__ import annotations

import time

import pytest
from latchpin_proxy.links import REMOVED, may_be_opened, without_our_links
from latchpin_proxy.messages import must_be_read

BASE = "https://gateway.example.com"
SERVER = "https://mcp.tools.example/mcp"
ID = "0123456789abcdef0123456789abcdef"
MAY = [
    "https://mcp.tools.example/consent?state=a",
    "https://github.com/login/oauth/authorize?client_id=a&state=b",
    "https://accounts.google.com/o/oauth2/v2/auth?client_id=a",
    f"https://mcp.tools.example/oauth/authorize/{ID}",  # the server is a gateway itself
    "https://login.example.com/authorize",
    "https://example.com/",
    "https://other.gateway.example.com/help",  # whoever owns our name owns those below it
    f"https://accounts.example/authorize?request={'a' * 3_000}",
]
MAY_NOT = [
    (f"{BASE}/oauth/authorize/{ID}", "the gateway's own page"),
    (f"{BASE}/login?token=abc", "signs the person in as somebody else"),
    (f"{BASE}:443/anything", "the same origin"),
    ("https://GATEWAY.example.com/x", "the same origin"),
    ("https://gateway.example.com:8443/x", "another port of the gateway's host"),
    ("http://gateway.example.com/x", "the same host without TLS"),
    ("https://gateway.example.com.evil.example/x", "begins as the gateway's"),
    ("https://gateway.example.com@evil.example/x", "a user name that reads as the gateway's"),
    ("https://evil.example\\@gateway.example.com/", "browsers read it as another host"),
    ("https://gateway-example-com.evil.example/x", "hyphens for dots"),
    ("https://my-gateway.example.com.evil.example/", "has the gateway's name inside"),
    ("https://gateway.examp1e.com/x", "a digit for a letter"),
    ("https://gatevvay.example.com/x", "two letters for one"),
    ("https://gate-way.example.com/x", "a hyphen more"),
    ("https://xn--gatewy-7nf.example.com/x", "a Cyrillic letter"),
    (f"https://evil.example/oauth/authorize/{ID}", "the path of the gateway's page elsewhere"),
    (f"https://evil.example/oauth%2Fauthorize%2F{ID}", "the same, escaped"),
    ("https://evil.example/login?a=1&token=abc", "the path of the login link elsewhere"),
    ("javascript:alert(1)", "no page"),
    ("data:text/html,hello", "no page"),
    ("https://", "no host"),
    ("https://xn--/", "no host that can be asked"),
    ("https://evil.example/ a", "a blank"),
    ("https://evil.example/\u202etxt", "turns the text around"),
    ("", "nothing"),
]


@pytest.mark.parametrize("url", MAY)
def test_what_a_server_may_ask_people_to_open(url: str):
    assert may_be_opened(url, base_url=BASE, server=SERVER)


@pytest.mark.parametrize(("url", "why"), MAY_NOT)
def test_what_a_server_may_not_ask_people_to_open(url: str, why: str):
    assert not may_be_opened(url, base_url=BASE, server=SERVER), why


@pytest.mark.parametrize("base", ["http://localhost:4444", "http://127.0.0.1:4444"])
def test_a_gateway_on_this_machine_tells_ports_apart(base: str):
    server = "http://127.0.0.1:5000/mcp"
    assert not may_be_opened(f"{base}/oauth/success", base_url=base, server=server)
    assert may_be_opened("http://127.0.0.1:5000/consent", base_url=base, server=server)
    assert may_be_opened("https://github.com/login/oauth/authorize", base_url=base, server=server)


def test_a_server_beside_the_gateway_does_not_get_its_pages():
    beside = f"{BASE}/tools/mcp"
    assert not may_be_opened(f"{BASE}/oauth/authorize/{ID}", base_url=BASE, server=beside)


TEXTS = [
    (f"Authorize at {BASE}/oauth/authorize/{ID}.", f"Authorize at {REMOVED}"),
    (f"[Connect](https://evil.example/oauth/authorize/{ID})", f"[Connect]({REMOVED}"),
    (f"see https://evil.example/gw/OAuth/Authorize/{ID}?a=b or not", f"see {REMOVED} or not"),
    (f"{BASE}/login?token=abc", REMOVED),
    (f"{BASE}/login/?next=/login?a=1&token=abc", REMOVED),
    (f"{BASE}/login?a=1#&token=abc", None),
    (f"{BASE}/login?next=/login&csrf_token=abc", None),
    (f"HTTPS:\\\\evil.example\\oauth\\authorize\\{ID}", REMOVED),
    (f"https://mcp.tools.example/oauth/authorize/{ID}", None),
    ("https://github.com/login/oauth/authorize?client_id=a", None),
    (f"{BASE}/docs", None),
    ("https://[::1", None),
    ("no link at all: /oauth/authorize/", None),
]


@pytest.mark.parametrize(("text", "left"), TEXTS)
def test_links_of_our_kind_in_text(text: str, left: str | None):
    assert without_our_links(text, server=SERVER) == (text if left is None else left)


LONG = [
    "/login?",
    "/login/?",
    "/login?a&",
    "/login?a&token",
    "/login\\/?",
    "/oauth/authorize/",
    "/",
    "\\/",
    "%2f",
    "http:",
    "&",
]

ENOUGH = 10.0
"""Seconds of the processor. What is linear needs some hundredths; what is not, minutes."""


@pytest.mark.parametrize("piece", LONG)
@pytest.mark.parametrize("between", ["", " http://h"])
def test_length_costs_little(piece: str, between: str):
    """Whoever writes a text that is looked through must not be able to hold everybody else up by it."""
    text = "https://evil.example/" + (piece * 1_000 + between) * (200_000 // (1_000 * len(piece)) + 1)
    begun = time.process_time()
    without_our_links(text, server=SERVER)
    may_be_opened(text, base_url=BASE, server=SERVER)
    must_be_read(text.encode())
    assert time.process_time() - begun < ENOUGH
