"""What may stand in an entry about a key, what may be a key, and what a change of the entry does. Pure."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from latchpin.errors import InvalidRequest
from latchpin.gateways.registry import parse_gateway_body
from latchpin.gateways.rules import GatewayRules, build_gateway, change_gateway, describe_gateway
from latchpin.model import ApiKeyConfig, Gateway
from latchpin_api_keys.plugin import latchpin_auth_schemes
from latchpin_api_keys.rules import check_header, check_prefix, explain_key
from latchpin_testing import AuthSchemeContract
from latchpin_testing.clock import START

SCHEMES = {each.name: each for each in latchpin_auth_schemes()}
RULES = GatewayRules("https://gateway.example", auth_schemes=SCHEMES)
URL = "https://mcp.example.com/mcp"


def build(**body: Any) -> Gateway:
    parsed = parse_gateway_body({"url": URL, **body})
    return build_gateway(parsed, rules=RULES, id="a" * 32, now=START, cipher=None)  # type: ignore[arg-type]


def change(gateway: Gateway, **body: Any) -> tuple[Gateway, bool]:
    changed = change_gateway(gateway, parse_gateway_body(body), rules=RULES, now=START, cipher=None)  # type: ignore[arg-type]
    return changed.gateway, changed.drops_tokens


class TestHeaderKeys(AuthSchemeContract):
    @pytest.fixture
    def scheme(self):
        return SCHEMES["api_key"]


@pytest.mark.parametrize(
    "name", ["Authorization", "X-API-Key", "api_key", "x-goog-api-key", "Ocp-Apim-Subscription-Key"]
)
def test_fields_that_are_a_keys(name: str):
    assert check_header(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "X API Key",
        "X-API-Key:",
        "X-Key\r\nHost",
        "X-Kéy",
        "X-Key\u212a",  # the Kelvin sign: a k to who folds cases
        *("Host", "cookie", "Content-Length", "content-type", "Transfer-Encoding", "Connection", "TE", "Upgrade"),
        *("Mcp-Session-Id", "MCP_Session_Id", "Mcp-Param-Region", "Last-Event-ID", "Accept", "Origin"),
        *(
            "Forwarded",
            "X-Forwarded-For",
            "X_Forwarded_Host",
            "Via",
            "X-Real-IP",
            "Proxy-Authorization",
            "Sec-Fetch-Site",
        ),
        *("DPoP", "traceparent", "User-Agent", "X-Edge-Secret", "x-latchpin-way", "X-Envoy-Original-Path", "Expect"),
    ],
)
def test_fields_that_are_not(name: str):
    with pytest.raises(ValueError, match="must be"):
        check_header(name)


@given(st.text(max_size=20))
def test_what_passes_makes_one_field_with_the_value_that_was_entered(text: str):
    """A line of HTTP/1.1 that is taken apart again gives the same."""
    for check, line in (
        (check_prefix, f"x: {text}k"),
        (lambda key: explain_key(key) and check_prefix("\n"), f"x: {text}"),
    ):
        try:
            check(text)
        except ValueError:
            continue
        assert line.isascii()
        assert line.splitlines() in ([line], [])
        assert line.partition(": ")[2].strip(" \t") == line.partition(": ")[2]


@pytest.mark.parametrize(
    ("entered", "place"),
    [
        (None, ("Authorization", "Bearer ")),
        ({}, ("Authorization", "Bearer ")),
        ({"header": "authorization"}, ("authorization", "Bearer ")),
        ({"header": "X-API-Key"}, ("X-API-Key", "")),
        ({"prefix": "Token "}, ("Authorization", "Token ")),
        ({"prefix": ""}, ("Authorization", "")),
        ({"header": None, "prefix": None}, ("Authorization", "Bearer ")),
    ],
)
def test_what_is_left_out_is_as_the_field_has_it(entered: dict[str, Any] | None, place: tuple[str, str]):
    gateway = build(auth_type="api_key", **({} if entered is None else {"api_key": entered}))
    assert gateway.api_key == ApiKeyConfig(*place)
    assert (gateway.oauth, gateway.auth_type) == (None, "api_key")
    assert describe_gateway(gateway)["api_key"] == {"header": place[0], "prefix": place[1]}


@pytest.mark.parametrize(
    ("body", "place", "drops"),
    [
        ({"name": "n"}, ("X-API-Key", "Key "), False),
        ({"api_key": {}}, ("X-API-Key", "Key "), False),
        ({"api_key": {"header": "X-API-Key"}}, ("X-API-Key", "Key "), False),
        ({"api_key": {"header": "Authorization"}}, ("Authorization", "Bearer "), True),
        ({"api_key": {"prefix": ""}}, ("X-API-Key", ""), True),
        ({"api_key": None}, ("Authorization", "Bearer "), True),
        ({"url": "https://elsewhere.example/mcp"}, ("X-API-Key", "Key "), True),
        ({"auth_type": "none"}, None, True),
        ({"auth_type": "none", "api_key": None}, None, True),
    ],
)
def test_what_a_change_keeps_and_drops(body: dict[str, Any], place: tuple[str, str] | None, drops: bool):
    before = build(auth_type="api_key", api_key={"header": "X-API-Key", "prefix": "Key "})
    after, dropped = change(before, **body)
    assert after.api_key == (None if place is None else ApiKeyConfig(*place))
    assert dropped is drops


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"auth_type": "api_key", "oauth_config": {"client_id": "c"}},
            "oauth_config is given, and auth_type is api_key",
        ),
        ({"api_key": {"header": "X-API-Key"}}, "api_key is given, and auth_type is oauth"),
        ({"auth_type": "none", "api_key": {"prefix": ""}}, "api_key is given, and auth_type is none"),
        ({"auth_type": "api_key", "api_key": {"header": "Cookie"}}, "api_key.header holds **********: must be a field"),
        ({"auth_type": "api_key", "api_key": {"prefix": " Bearer"}}, "does not begin with a blank"),
        ({"auth_type": "api_key", "api_key": {"prefix": "a\r\nb"}}, "must be printable ASCII"),
        ({"auth_type": "api_key", "api_key": "sk-secret"}, "api_key holds **********: must be a JSON object"),
        (
            {"auth_type": "api_key", "api_key": {"key": "sk-secret"}},
            "api_key.key is not a key; known are header, prefix",
        ),
    ],
)
def test_what_contradicts_is_refused_and_no_key_is_repeated(body: dict[str, Any], said: str):
    with pytest.raises(InvalidRequest) as caught:
        build(**body)
    assert said in caught.value.detail
    assert "sk-secret" not in str(caught.value)
