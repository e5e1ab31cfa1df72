"""Ten thousand requests that are almost right: none is answered as if the server were at fault."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from latchpin_demo.browser import Browser

from tests.authorization_server.conftest import REDIRECT_URI, StockClient, answer_of
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway

MANY = 10_000
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
SEED = 9207

ODD = (
    "",
    " ",
    "0",
    "-1",
    "null",
    "[]",
    "{}",
    "true",
    "%",
    "%00",
    "\x00",
    "\r\nSet-Cookie: x=1",
    "\u202e",
    "\ud7ff\U0010ffff",
    "é",
    "..",
    "a.b.c",
    ".." * 20,
    "https://evil.example/",
    "https://[::1",
    "http://127.0.0.1:99999/",
    "javascript:alert(1)",
    "x" * 300,
    "x" * 5000,
    "'\"<>",
    "none consent",
    "urn:ietf:params:oauth:grant-type:device_code",
    "client_credentials",
)
VALUES: tuple[Any, ...] = (*ODD, None, 0, -1, 1.5, True, [], {}, [[]], [None], ["x", 1], {"a": {}}, 10**30)

Pairs = list[tuple[str, str]]


class Mutator:
    """Changes what was right, in ways that come out the same each time."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def pairs(self, right: dict[str, str]) -> Pairs:
        """Parameters with one to three of them left out, doubled, renamed, emptied or made odd."""
        pairs = list(right.items())
        for _ in range(self.random.randint(1, 3)):
            if not pairs:
                break
            place = self.random.randrange(len(pairs))
            name, value = pairs[place]
            pairs[place : place + 1] = self.random.choice(
                [
                    [],
                    [(name, value), (name, self.random.choice(ODD))],
                    [(name + self.random.choice(ODD), value)],
                    [(name, self.random.choice(ODD))],
                    [(name, self.text(value))],
                    [(name, value[: self.random.randint(0, len(value))])],
                ]
            )
        return pairs

    def text(self, value: str) -> str:
        """With one character changed, or something odd in the middle."""
        if not value:
            return self.random.choice(ODD)
        place = self.random.randrange(len(value))
        return value[:place] + self.random.choice([chr(self.random.randint(0, 0x2FF)), *ODD]) + value[place + 1 :]

    def document(self, right: dict[str, Any]) -> bytes:
        """A JSON object with one to three members changed, or a text that is none."""
        changed = dict(right)
        for _ in range(self.random.randint(1, 3)):
            changed[self.random.choice([*right, "unknown"])] = self.random.choice(VALUES)
        text = json.dumps(changed)
        return self.random.choice([text, text, text, text[:-1], f"[{text}]", "[" * 2000, "\x00", ""]).encode()


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No limit of registrations hides what one of them would be answered; nobody reads a log of all of them."""
    environment.setenv("LOG_LEVEL", "WARNING")
    environment.setenv("CLIENT_REGISTRATIONS_PER_HOUR", "100000")
    return environment


@pytest.fixture
async def right(stock: StockClient, browser: Browser) -> dict[str, dict[str, str]]:
    """Requests that hold: each mutation begins with one."""
    await stock.introduce(grant_types=["authorization_code", "refresh_token", DEVICE_CODE])
    answer = answer_of(await stock.visit(browser))
    tokens = (await stock.redeem(answer["code"])).json()
    client = {"client_id": stock.client["client_id"]}
    ask = {
        "response_type": "code",
        "redirect_uri": REDIRECT_URI,
        "state": "s",
        "scope": "mcp",
        "resource": stock.mcp_url,
        "code_challenge": "a" * 43,
        "code_challenge_method": "S256",
    }
    redeem = {"grant_type": "authorization_code", "code": answer["code"], "code_verifier": "v" * 43}
    return {
        "authorize": client | ask,
        "code": client | redeem | {"redirect_uri": REDIRECT_URI, "resource": stock.mcp_url},
        "refresh": client | {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]},
        "revoke": client | {"token": tokens["access_token"], "token_type_hint": "access_token"},
        "device": client | {"resource": stock.mcp_url, "scope": "mcp"},
        "device code": client | {"grant_type": DEVICE_CODE, "device_code": tokens["refresh_token"]},
        "callback": {"code": "c", "state": answer["code"], "iss": BASE},
    }


async def test_none_is_answered_with_a_fault_of_the_server(
    gateway: InnerGateway, right: dict[str, dict[str, str]], browser: Browser
):
    mutator, answered = Mutator(SEED), Counter[int]()
    register = {
        "redirect_uris": [REDIRECT_URI],
        "client_name": "Odd",
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "scope": "mcp",
    }
    form = {"content-type": "application/x-www-form-urlencoded"}

    def get(path: str, name: str) -> tuple[str, str, dict[str, str], bytes]:
        return "GET", f"{path}?{encoded(mutator.pairs(right[name]))}", {}, b""

    def post(path: str, name: str) -> tuple[str, str, dict[str, str], bytes]:
        return "POST", path, form, encoded(mutator.pairs(right[name])).encode()

    kinds: list[Callable[[], tuple[str, str, dict[str, str], bytes]]] = [
        lambda: get("/oauth2/authorize", "authorize"),
        lambda: get("/oauth/callback", "callback"),
        lambda: post("/oauth2/token", "code"),
        lambda: post("/oauth2/token", "refresh"),
        lambda: post("/oauth2/token", "device code"),
        lambda: post("/oauth2/device_authorization", "device"),
        lambda: post("/oauth2/revoke", "revoke"),
        lambda: ("POST", "/oauth2/register", {"content-type": "application/json"}, mutator.document(register)),
    ]
    async with gateway.client(ALICE, Accept="text/html") as client:
        client.cookies = browser.cookies
        for number in range(MANY):
            method, url, headers, body = kinds[number % len(kinds)]()
            answer = await client.request(method, BASE + url, headers=headers, content=body)
            assert answer.status_code < 500 or answer.json()["error"] == "temporarily_unavailable", (url, body)
            assert "evil.example" not in answer.headers.get("location", "")
            answered[answer.status_code] += 1
    assert len(answered) > 3
    assert answered[200] < MANY / 2


def encoded(pairs: Pairs) -> str:
    return urlencode(pairs, errors="replace", quote_via=quote)
