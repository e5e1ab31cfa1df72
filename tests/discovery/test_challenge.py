"""What is read from WWW-Authenticate."""

from __future__ import annotations

import time

import pytest
from latchpin.oauth.challenge import Challenge, parse_challenge

URL = "https://mcp.example/.well-known/oauth-protected-resource/mcp"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f'Bearer resource_metadata="{URL}"', Challenge(URL)),
        ("bearer resource_metadata=x", Challenge("x")),
        (
            f'Bearer realm="a, b", error="invalid_token", resource_metadata="{URL}", scope="a:read  b a:read"',
            Challenge(URL, ("a:read", "b"), "invalid_token"),
        ),
        (f'Basic realm="x", Bearer resource_metadata="{URL}" , scope=files', Challenge(URL, ("files",))),
        (f'Bearer scope="a"\t,\tscope="b",resource_metadata = "{URL}"', Challenge(URL, ("a",))),
        (f'Negotiate YII=, Bearer error="x", Bearer resource_metadata="{URL}"', Challenge(URL)),
        (f'DPoP algs="ES256", Bearer resource_metadata="{URL}"', Challenge(URL, dpop=True)),
        (f'DPoP error="use_dpop_nonce", resource_metadata="{URL}"', Challenge(URL, (), "use_dpop_nonce", True)),
        (r'Bearer realm="say \"Bearer resource_metadata=evil\"", scope="a"', Challenge(None, ("a",))),
        ("Bearer", Challenge()),
        ("Bearer, Basic", Challenge()),
        (f'Bearer resource_metadata="{URL}', Challenge()),
        ('Bearer resource_metadata=""', Challenge()),
        ('Basic realm="Bearer resource_metadata=evil"', None),
        ("", None),
        (",,, = \x00 \" ' \\", None),
        ("Bearer \u00e9\u00e9, scope=a", Challenge(None, ("a",))),
        ('Bearer scope="a \ud800 \x01 \u00e9 q\\"q b"', Challenge(None, ("a", "b"))),
        (f'Bearer scope="{"x" * 201} a"', Challenge(None, ("a",))),
        (f'Bearer scope="{" ".join(map(str, range(99)))}"', Challenge(None, tuple(map(str, range(50))))),
    ],
)
def test_parse(header: str, expected: Challenge | None) -> None:
    assert parse_challenge(header) == expected


@pytest.mark.parametrize("piece", ["a", '"', "Bearer ", "a=", 'a="', "\\", ", ", 'Bearer a="\\"', "="])
def test_length_costs_little(piece: str) -> None:
    begun = time.process_time()
    parse_challenge("Bearer " + piece * 100_000)
    assert time.process_time() - begun < 0.5
