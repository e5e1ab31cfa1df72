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


DEEP = "https://mcp.example/a,b;c/prm.json?x=1&y=2"
NEARLY_RIGHT = [
    (f"Bearer resource_metadata='{URL}'", "single quotes"),
    (f"Bearer resource_metadata={URL}", "no quotes: a URL is no token"),
    (f'Bearer resource_metadata={URL}, scope="s"', "and more after it"),
    (f'Bearer resource_metadata={URL} scope="s"', "without a comma"),
    (f"Bearer resource_metadata={URL}; scope=s", "with a semicolon"),
    (f'Bearer resource_metadata=" {URL} "', "blanks inside the quotes"),
    (f'Bearer resource_metadata="<{URL}>"', "as in a Link header"),
    (f"Bearer resource_metadata=<{URL}>", "the same without quotes"),
    (f"Bearer resource_metadata=\u201c{URL}\u201d", "quotes of a text program"),
    (f"Bearer resource_metadata=\u201c{URL}\u201d".encode().decode("latin-1"), "the same, read as Latin-1"),
    (f"Bearer resource_metadata=`{URL}`", "backticks"),
    (f'Bearer resource_metadata=\\"{URL}\\", scope=\\"s\\"', "escaped as in JSON"),
    (f'Bearer resource_metadata="{URL}', "an unclosed quote"),
    (f'Bearer resource_metadata="{URL}, scope="s"', "an unclosed quote, with more after it"),
    (f"Bearer resource_metadata='{URL}, scope=s", "the same with a single one"),
    (f'Bearer realm="x, resource_metadata="{URL}"', "an unclosed quote before it"),
    (f'Bearer realm="my server, resource_metadata="{URL}", scope="s"', "the same with a blank"),
    (
        f'Bearer error_description="The "token" is bad", resource_metadata="{URL}"',
        "unescaped quotes in an earlier text",
    ),
    (f'Bearer error_description="use aud="x" here", resource_metadata="{URL}"', "which look like a parameter"),
    (f'Bearer error_description=""quoted"", resource_metadata="{URL}"', "which are all of it"),
    (f'Bearer error_uri=https://x.example/e?a=b, resource_metadata="{URL}"', "an earlier URL without quotes"),
    (f'Bearer realm=ann@x.example, resource_metadata="{URL}"', "an earlier value that is no token"),
    (f'Bearer realm=my server, resource_metadata="{URL}"', "an earlier value of two words"),
    (f'Bearer realm=my, own, server, resource_metadata="{URL}"', "an earlier value with commas"),
    (f"Bearer realm='my, own', resource_metadata='{URL}'", "single quotes around a comma"),
    (f'Bearer realm=, resource_metadata="{URL}"', "an earlier value that is missing"),
    (f'Bearer realm="\u00e9\u201c", resource_metadata="{URL}"', "UTF-8"),
    (f'Bearer realm="it\'s", resource_metadata="{URL}"', "an apostrophe"),
    (f'Bearer: resource_metadata="{URL}"', "a colon after the scheme"),
    (f'Bearer, resource_metadata="{URL}"', "a comma after the scheme"),
    (f'Bearer resource_metadata: "{URL}"', "a colon in the place of ="),
    (f'resource_metadata="{URL}"', "no scheme"),
    (f'realm="x", resource_metadata="{URL}"', "no scheme, and not first"),
    (f'MCP resource_metadata="{URL}"', "a scheme of its own"),
    (f'OAuth realm="x", resource_metadata="{URL}"', "another one"),
    (f'Basic realm="x", resource_metadata="{URL}"', "a scheme that is not for tokens"),
    (f'Basic realm="x" Bearer resource_metadata="{URL}"', "two challenges without a comma"),
    (f'Bearer realm="x"resource_metadata="{URL}"', "two parameters without anything between"),
    (f"Bearer resource_metadata*=UTF-8''{URL.replace(':', '%3A').replace('/', '%2F')}", "RFC 8187"),
    (f"Bearer resource_metadata*=\"UTF-8''{URL}\"", "the same in quotes"),
    (f'Bearer resource_metadata="{URL.replace(":", "%3A").replace("/", "%2F")}"', "percent-encoded"),
    (f'Bearer resource-metadata="{URL}"', "a hyphen"),
    (f'Bearer resource_metadata_url="{URL}"', "a name from before the RFC"),
    (f'BEARER RESOURCE_METADATA = "{URL}" ,', "upper case, blanks, a trailing comma"),
    ("x" * 7_800 + f', Bearer resource_metadata="{URL}"', "much before it"),
]


@pytest.mark.parametrize(("header", "why"), NEARLY_RIGHT)
def test_what_is_nearly_right_is_understood(header: str, why: str) -> None:
    challenge = parse_challenge(header)
    assert challenge is not None, why
    assert challenge.resource_metadata == URL, why
    assert challenge.scopes in {(), ("s",)}, why
    assert ("scope" in header) == (challenge.scopes == ("s",)), why


@pytest.mark.parametrize(
    ("header", "named"),
    [
        (f'Bearer resource_metadata="{DEEP}"', [DEEP]),
        (f"Bearer resource_metadata='{DEEP}', realm=x", [DEEP]),
        ('Bearer resource_metadata="/odd/prm.json"', ["/odd/prm.json"]),
        ('Bearer resource_metadata="https:\\/\\/mcp.example\\/p"', ["https://mcp.example/p"]),
        (f'Bearer resource_metadata="https://dead.example", resource_metadata="{URL}"', ["https://dead.example", URL]),
        (f'Bearer resource_metadata="x", Bearer resource_metadata="{URL}"', ["x", URL]),
        (f'DPoP resource_metadata="{URL}", Bearer resource_metadata="{URL}"', [URL]),
        (f'Basic resource_metadata="https://other.example", Bearer resource_metadata="{URL}"', [URL]),
        (f'Bearer resource_metadata="" , resource_metadata="{URL}"', [URL]),
        ("Bearer " + ", ".join(f'resource_metadata="{number}"' for number in range(9)), ["0", "1", "2", "3", "4"]),
    ],
)
def test_each_place_is_named_once_in_order(header: str, named: list[str]) -> None:
    challenge = parse_challenge(header)
    assert challenge is not None
    assert [challenge.resource_metadata, *challenge.others] == named


@pytest.mark.parametrize(
    "header",
    [
        'Bearer realm="resource_metadata=https://evil.example"',
        'Bearer realm="a, resource_metadata=https://evil.example, b"',
        'Bearer realm="a; Bearer resource_metadata=https://evil.example"',
        r'Bearer realm="\", resource_metadata=\"https://evil.example\""',
        "Bearer realm='a, resource_metadata=https://evil.example'",
        'Basic realm="x", error_description="see Bearer resource_metadata=https://evil.example please"',
    ],
)
def test_a_text_names_nothing(header: str) -> None:
    challenge = parse_challenge(header)
    assert challenge is None or challenge.resource_metadata is None


@pytest.mark.parametrize(
    ("header", "odd"),
    [
        (f'Bearer resource_metadata="{URL}", scope="a"', False),
        (f'bearer realm="x" , resource_metadata = "{URL}"', False),
        (f"Bearer resource_metadata={URL}", True),
        (f'MCP resource_metadata="{URL}"', True),
        ("Bearer", False),
    ],
)
def test_it_is_known_whether_it_was_right(header: str, odd: bool) -> None:
    challenge = parse_challenge(header)
    assert challenge is not None
    assert challenge.odd is odd


ENOUGH = 10.0
"""Seconds of the processor. What is linear needs some hundredths; what is not, minutes."""


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        '"',
        "Bearer ",
        "a=",
        'a="',
        "\\",
        ", ",
        'Bearer a="\\"',
        "=",
        "'",
        "a='",
        'a=" "',
        '"a=b" ',
        "resource_metadata:",
        "a=b ",
    ],
)
def test_length_costs_little(piece: str) -> None:
    begun = time.process_time()
    parse_challenge("Bearer " + piece * 100_000)
    assert time.process_time() - begun < ENOUGH
