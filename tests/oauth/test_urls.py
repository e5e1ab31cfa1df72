"""URLs from outside: what is taken can be asked, and all else is refused where it comes in."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver
from hypothesis import given, settings
from hypothesis import strategies as st
from latchpin.errors import DiscoveryFailed, InvalidRequest, UpstreamError, UpstreamUnreachable, UpstreamUnreadable
from latchpin.gateways.body import parse_gateway_body
from latchpin.model import Reply
from latchpin.model.urls import check_url, split_origin, split_url
from latchpin.oauth.discovery import (
    build_resource_metadata_urls,
    build_server_metadata_urls,
    parse_resource_metadata,
    parse_server_metadata,
)
from latchpin.outbound.upstream import open_upstream
from latchpin.settings.core import CoreSettings

from tests.support.http_servers import no_pause

HELD = [
    ("mcp.example.com", "a name"),
    ("mcp.example.com:8443", "a port"),
    ("mcp.example.com:", "an empty port is the default (RFC 3986 section 3.2.3)"),
    ("mcp.example.com.", "the root's dot"),
    ("localhost", "one label"),
    ("my_service:8000", "names in container networks"),
    ("ab--c.example", "hyphens where no A-label is meant"),
    ("xn--bcher-kva.example", "an A-label"),
    ("XN--Bcher-KVA.example", "case does not matter"),
    ("a.xn--fiqs8s", "an A-label that is not the first"),
    ("192.0.2.1", "an address"),
    ("[2001:db8::1]:443", "an address"),
    ("[::ffff:192.0.2.1]", "an address in another"),
    ("3com.example", "a digit first"),
    (".".join(["x" * 63] * 3), "labels as long as may be"),
]
REFUSED = [
    ("", "nothing"),
    ("xn--", "an A-label of nothing"),
    ("xn--a", "no Punycode"),
    ("a.xn--", "the same, not the first label"),
    ("a.xn--a.example", "the same in the middle"),
    ("xn---", "ends in a hyphen"),
    ("xn--iloveyou", "no Punycode"),
    ("xn--ls8h.example", "not allowed by IDNA 2008, and our client cannot ask it"),
    ("XN--A", "case does not matter"),
    ("a..b", "an empty label"),
    (".a", "an empty label"),
    ("a..", "an empty label"),
    (".", "only the root"),
    ("x" * 64, "a label of more than 63"),
    (".".join(["x" * 63] * 4), "more than 253 in all"),
    ("127.1", "an address in a form that software reads differently"),
    ("0x7f.1", "the same"),
    ("2130706433", "the same"),
    ("0177.0.0.1", "the same"),
    ("192.0.2.1.", "the same"),
    ("192.0.2.256", "no address"),
    ("a.0x1", "a number as the last label"),
    ("[::1", "an open bracket"),
    ("[::1]x", "something after it"),
    ("x[::1]", "something before it"),
    ("::1", "an address without brackets"),
    ("[]", "nothing in them"),
    ("[v1.x]", "an address of the future"),
    ("[192.0.2.1]", "no IPv6 address"),
    ("[fe80::1%25eth0]", "a zone means something on one machine only"),
    ("[fe80::1%eth0]", "the same"),
    ("h:0", "no port"),
    ("h:99999", "no port"),
    ("h:+80", "no port"),
    ("h:8_0", "no port"),
    ("h:80:80", "two"),
    ("ann@h", "a user name"),
    ("ann:pw@h", "a password"),
    ("@h", "an empty user name"),
    ("a%2eb", "percent-encoded"),
    ("a%00b", "percent-encoded"),
    ("a b", "a blank"),
    (" a", "a blank"),
    ("a\tb", "a tab, which some remove silently"),
    ("a\nb", "a line break"),
    ("a\\b", "a backslash, which some read as a slash"),
    ("a,b", "no letter of a name"),
    ("a*b", "no letter of a name"),
    ("bücher.example", "not ASCII"),
    ("\uff11\uff19\uff12.0.2.1", "digits that are not ASCII"),
]


@pytest.mark.parametrize(("host", "why"), HELD)
def test_a_host_that_can_be_asked(host: str, why: str) -> None:
    assert split_url(f"https://{host}/p") is not None, why
    assert parse_gateway_body({"url": f"https://{host}/p"}).url == f"https://{host}/p"


@pytest.mark.parametrize(("host", "why"), REFUSED)
def test_a_host_that_cannot_is_refused_wherever_it_comes_in(host: str, why: str) -> None:
    url = f"https://{host}/p"
    with pytest.raises(ValueError, match="must"):
        check_url(url)
    assert split_url(url) is None, why
    assert split_origin(url) is None, why
    with pytest.raises(InvalidRequest, match="url holds"):
        parse_gateway_body({"url": url})
    with pytest.raises(DiscoveryFailed):
        build_server_metadata_urls(url)
    with pytest.raises(DiscoveryFailed):
        build_resource_metadata_urls(url)
    with pytest.raises(UpstreamUnreadable, match="token_endpoint"):
        parse_server_metadata(_reply({"issuer": "https://i", "token_endpoint": url}), "https://i")
    with pytest.raises(UpstreamUnreadable, match="resource"):
        parse_resource_metadata(_reply({"resource": url}), "https://mcp.example/p")


ENTERED = ["issuer", "authorization_url", "token_url", "identity_provider", "identity_provider_token_url"]


@pytest.mark.parametrize("host", ["xn--", "xn--a", "a.xn--", "a..b", "[fe80::1%25eth0]"])
@pytest.mark.parametrize("key", ENTERED)
def test_no_key_of_an_entry_holds_it(key: str, host: str) -> None:
    with pytest.raises(InvalidRequest, match=f"oauth_config.{key} holds"):
        parse_gateway_body({"oauth_config": {key: f"https://{host}/p"}})
    with pytest.raises(InvalidRequest, match="pinned_issuer holds"):
        parse_gateway_body({"pinned_issuer": f"https://{host}"})


class Nowhere(AbstractResolver):
    """No name has an address."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[Any]:
        raise OSError("no address")

    async def close(self) -> None:
        pass


PIECES = ["xn--", "a", "A", "-", "_", ".", "..", "x" * 63, "1", "0x1", "127", "%25", "[", "]", "::1", ":", "80", "ß"]
HOSTS = st.lists(st.sampled_from([*PIECES, "bcher-kva", "fiqs8s", "@", " "]), max_size=6).map("".join)


@settings(deadline=None, max_examples=60)
@given(st.lists(HOSTS | st.text(max_size=20), min_size=8, max_size=8))
def test_whatever_the_host_there_is_a_plain_failure(hosts: list[str]) -> None:
    async def ask() -> None:
        core = CoreSettings(_env_file=None, oauth_max_retries=0)
        async with open_upstream(core, sleep=no_pause, resolver=Nowhere()) as upstream:
            for host in hosts:
                url = f"https://{host}"
                with pytest.raises(UpstreamError) as caught:
                    await upstream.get(url)
                assert isinstance(caught.value, UpstreamUnreachable)
                taken = split_url(url) is not None
                assert not (taken and "URL" in caught.value.detail), url

    asyncio.run(ask())


def _reply(document: dict[str, Any]) -> Reply:
    return Reply("https://i/md", 200, {}, json.dumps(document).encode())
