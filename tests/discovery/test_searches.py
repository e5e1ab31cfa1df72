"""Searches at servers as they are met in use: what is found all the same, and where nothing weaker is taken."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from latchpin.errors import DiscoveryFailed, IssuerMissing
from latchpin.outbound.upstream import HttpUpstream, open_upstream
from latchpin.servers.directory import FoundServer, ServerDirectory

from tests.discovery.test_servers import AS, OIDC, PRM, core
from tests.support.http_servers import WELL_KNOWN, MovedClock, Page, Site, gateway, no_pause, open_site

HTML = Page(b"<!doctype html><title>app</title>", headers={"Content-Type": "text/html"})
ODD = "/odd/prm.json"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site() as opened:
        yield opened


@pytest.fixture
async def upstream() -> AsyncIterator[HttpUpstream]:
    async with open_upstream(core(), sleep=no_pause) as opened:
        yield opened


async def find(upstream: HttpUpstream, site: Site, *, seconds: int = 60, **oauth: Any) -> FoundServer:
    directory = ServerDirectory(upstream, core(oauth_request_timeout=seconds), MovedClock())
    return await directory.find(gateway(f"{site.url}/mcp", **oauth))


def challenged(site: Site, *, status: int = 401, scope: str = "s") -> Page:
    """An answer that names metadata at an odd place, and a scope."""
    challenge = f'Bearer resource_metadata="{site.url}{ODD}", scope="{scope}"'
    return Page(status=status, headers={"WWW-Authenticate": challenge})


def hide(site: Site) -> None:
    """Publish the resource's metadata at the odd place alone, with a server that nothing else names."""
    site.publish(f"{site.url}/elsewhere")
    site.pages[f"GET {ODD}"] = Page({"resource": f"{site.url}/mcp", "authorization_servers": [f"{site.url}/elsewhere"]})


# -- a URL of a document that does not answer well ------------------------------------------------------

BAD = [*(Page(status=status) for status in (500, 501, 502, 503, 504, 520, 530)), HTML, Page(status=403), Page(b"[]")]


@pytest.mark.parametrize("page", BAD, ids=lambda page: f"{page.status} {page.body[:2]!r}")
@pytest.mark.parametrize("path", ["", "/tenant"])
async def test_the_next_url_of_the_same_document_is_asked(
    site: Site, upstream: HttpUpstream, page: Page, path: str
) -> None:
    site.publish(f"{site.url}{path}", path=f"{path}{WELL_KNOWN}/openid-configuration")
    site.pages[f"{AS}{path}"] = page
    found = await find(upstream, site, issuer=f"{site.url}{path}", resource="https://r")
    assert found.metadata.source == f"{site.url}{path}{WELL_KNOWN}/openid-configuration"


@pytest.mark.parametrize("page", BAD, ids=lambda page: f"{page.status} {page.body[:2]!r}")
async def test_the_next_url_of_the_resources_document_is_asked(site: Site, upstream: HttpUpstream, page: Page) -> None:
    site.publish(site.url)
    site.protect(site.url, path="")
    site.pages[f"{PRM}/mcp"] = page
    assert (await find(upstream, site)).resource == site.url


async def test_a_url_that_hangs_has_a_share_of_the_time(site: Site, upstream: HttpUpstream) -> None:
    site.publish(site.url, path=f"{WELL_KNOWN}/openid-configuration")
    site.protect(site.url, path="")
    site.silent = {f"{PRM}/mcp", AS, "POST /mcp server/discover"}
    found = await find(upstream, site, seconds=10)
    assert (found.metadata.issuer, found.resource, found.challenged) == (site.url, site.url, True)


@pytest.mark.parametrize("where", [f"{PRM}/mcp", PRM])
@pytest.mark.parametrize("status", [500, 503, 530, 429])
async def test_nothing_weaker_is_taken_where_nobody_knows_what_was_there(
    site: Site, upstream: HttpUpstream, where: str, status: int
) -> None:
    site.publish(site.url)
    site.pages[where] = Page(status=status)
    with pytest.raises(DiscoveryFailed, match=f"HTTP {status}") as caught:
        await find(upstream, site)
    assert caught.value.status == 502


@pytest.mark.parametrize("where", [f"{PRM}/mcp", PRM, "POST /mcp"])
async def test_nor_where_it_did_not_answer(site: Site, upstream: HttpUpstream, where: str) -> None:
    site.publish(site.url)
    site.silent = {where}
    with pytest.raises(DiscoveryFailed, match="no whole answer in time") as caught:
        await find(upstream, site, seconds=2)
    assert caught.value.status == 504


async def test_a_request_that_hangs_does_no_harm_where_another_is_answered(site: Site, upstream: HttpUpstream) -> None:
    site.publish(site.url)
    site.silent = {"POST /mcp server/discover"}
    assert (await find(upstream, site, seconds=8)).metadata.issuer == site.url


async def test_the_entrys_own_urls_are_taken_with_a_word(
    site: Site, upstream: HttpUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    site.pages[f"{PRM}/mcp"] = Page(status=503)
    urls = {"authorization_url": f"{site.url}/a", "token_url": f"{site.url}/t"}
    assert (await find(upstream, site, **urls)).metadata.source == "settings"
    assert "only the gateway's entry counts" in caplog.text


async def test_an_mcp_server_that_hangs_may_have_published_enough(site: Site, upstream: HttpUpstream) -> None:
    site.publish(site.url)
    site.protect(site.url)
    site.silent = {"POST /mcp"}
    assert (await find(upstream, site, seconds=10)).resource == f"{site.url}/mcp"
    assert site.asked.count("POST /mcp") == 2


# -- which request is challenged ------------------------------------------------------------------------

MESSAGES = ["POST /mcp server/discover", "POST /mcp initialize", "POST /mcp tools/list", "GET /mcp"]
RESULT = Page({"jsonrpc": "2.0", "id": 1, "result": {}})
ERROR = Page({"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "no"}})
REFUSING = [Page(status=status) for status in (202, 204, 400, 404, 405, 406, 415, 500)]


GUARDED = [(guarded, other) for guarded in MESSAGES[:3] for other in (RESULT, ERROR, *REFUSING)]


@pytest.mark.parametrize(("guarded", "other"), GUARDED, ids=lambda value: str(value)[:60])
async def test_the_request_that_is_guarded_is_found(
    site: Site, upstream: HttpUpstream, guarded: str, other: Page
) -> None:
    hide(site)
    site.pages = {**site.pages, "POST /mcp": other, guarded: challenged(site)}
    found = await find(upstream, site)
    assert found.metadata.issuer == f"{site.url}/elsewhere"
    assert found.scopes == ("s",)
    assert guarded in site.messages


@pytest.mark.parametrize("other", [Page(status=404), Page(status=405), Page(status=400)], ids=lambda page: page.status)
async def test_a_challenge_to_get_alone_is_found(site: Site, upstream: HttpUpstream, other: Page) -> None:
    hide(site)
    site.pages = {**site.pages, "POST /mcp": other, "GET /mcp": challenged(site)}
    assert (await find(upstream, site)).challenge_scopes == ("s",)


@pytest.mark.parametrize("status", [200, 302, 303, 400, 401, 402, 403, 404, 407, 418, 500, 503])
async def test_a_challenge_counts_whatever_the_status(site: Site, upstream: HttpUpstream, status: int) -> None:
    hide(site)
    site.pages["POST /mcp"] = challenged(site, status=status)
    found = await find(upstream, site)
    assert (found.metadata.issuer, found.challenge_scopes) == (f"{site.url}/elsewhere", ("s",))
    assert site.asked.count("POST /mcp") == 1


async def test_the_scope_is_kept_where_the_metadata_is_at_its_usual_place(site: Site, upstream: HttpUpstream) -> None:
    site.publish(site.url)
    site.protect(site.url, scopes_supported=["all"])
    site.pages["POST /mcp"] = Page(status=403, headers={"WWW-Authenticate": 'Bearer scope="mcp:read"'})
    assert (await find(upstream, site)).scopes == ("mcp:read",)


async def test_a_header_that_an_api_gateway_renamed_is_read(site: Site, upstream: HttpUpstream) -> None:
    hide(site)
    page = challenged(site)
    page.headers = {"x-amzn-Remapped-WWW-Authenticate": page.headers["WWW-Authenticate"]}
    site.pages["POST /mcp"] = page
    assert (await find(upstream, site)).metadata.issuer == f"{site.url}/elsewhere"


@pytest.mark.parametrize(
    ("location", "followed"), [("{}/mcp/", True), ("/mcp/", True), ("https://elsewhere.example/mcp/", False)]
)
@pytest.mark.parametrize("status", [307, 308])
async def test_the_same_server_may_redirect_the_message(
    site: Site, upstream: HttpUpstream, status: int, location: str, followed: bool
) -> None:
    site.publish(site.url)
    site.protect(site.url)
    site.pages["POST /mcp"] = Page(status=status, headers={"Location": location.format(site.url)})
    site.pages["POST /mcp/"] = challenged(site)
    found = await find(upstream, site)
    assert (found.challenge_scopes == ("s",)) is followed
    assert "a redirect to" in str(found.steps[0])


async def test_a_session_that_was_opened_is_ended(site: Site, upstream: HttpUpstream) -> None:
    site.publish(site.url)
    site.protect(site.url)
    site.pages["POST /mcp"] = Page(status=400)
    site.pages["POST /mcp initialize"] = Page(RESULT.body, headers={"Mcp-Session-Id": "1"})
    assert not (await find(upstream, site)).challenged
    assert site.messages[:4] == [*MESSAGES[:3], "DELETE /mcp"]


async def test_a_server_without_a_handshake_is_asked_for_none(site: Site, upstream: HttpUpstream) -> None:
    site.publish(site.url)
    site.protect(site.url)
    found = {"supportedVersions": ["2026-07-28"], "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}
    site.pages["POST /mcp"] = Page({"jsonrpc": "2.0", "id": 1, "result": found})
    assert not (await find(upstream, site)).challenged
    assert site.messages[:2] == [MESSAGES[0], MESSAGES[2]]


async def test_a_challenged_server_is_asked_once(site: Site, upstream: HttpUpstream) -> None:
    site.publish(site.url)
    site.protect(site.url)
    await find(upstream, site)
    assert site.messages[:2] == [MESSAGES[0], f"{PRM}/mcp"]


# -- where the challenge says that the metadata is ------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("/odd/prm.json", "a path"),
        ("odd/prm.json", "a path from the server's own"),
        ("//{host}/odd/prm.json", "without a scheme"),
        ("./odd/prm.json", "a path with a dot"),
    ],
)
async def test_a_relative_place_is_meant_from_the_servers_own(
    site: Site, upstream: HttpUpstream, said: str, why: str
) -> None:
    hide(site)
    place = said.format(host=site.url.removeprefix("http://"))
    site.pages["POST /mcp"] = Page(status=401, headers={"WWW-Authenticate": f'Bearer resource_metadata="{place}"'})
    assert (await find(upstream, site)).metadata.issuer == f"{site.url}/elsewhere", why


@pytest.mark.parametrize(
    "first", ["/gone", "/html", "https://xn--/", "javascript:alert(1)", "https://[::1", "//[", "//h:x/", "/\\a"]
)
async def test_each_place_that_is_named_is_tried(site: Site, upstream: HttpUpstream, first: str) -> None:
    hide(site)
    site.pages["GET /html"] = HTML
    both = f'Bearer resource_metadata="{first}", resource_metadata="{site.url}{ODD}"'
    site.pages["POST /mcp"] = Page(status=401, headers={"WWW-Authenticate": both})
    assert (await find(upstream, site)).metadata.issuer == f"{site.url}/elsewhere"


async def test_an_odd_form_is_said(site: Site, upstream: HttpUpstream) -> None:
    hide(site)
    site.pages["POST /mcp"] = Page(
        status=401, headers={"WWW-Authenticate": f"Bearer resource_metadata={site.url}{ODD}"}
    )
    found = await find(upstream, site)
    assert "in an odd form" in str(found.steps[0])


# -- a document that is there and refused ---------------------------------------------------------------

REFUSED: list[tuple[Any, str]] = [
    ({"authorization_servers": 7}, "a server that is named badly"),
    ({"authorization_servers": [None]}, "the same"),
    ({"resource": ""}, "no resource"),
    ({"resource": None}, "no resource"),
    ({"resource": "https://xn--/mcp"}, "a resource that cannot exist"),
    ({"resource": "https://other.example/mcp"}, "another resource"),
]


@pytest.mark.parametrize(("member", "why"), REFUSED)
async def test_a_resource_document_that_is_refused_is_never_passed_over(
    site: Site, upstream: HttpUpstream, member: dict[str, Any], why: str
) -> None:
    site.publish(site.url)
    site.protect("https://as.example")
    site.pages[f"{PRM}/mcp"].body |= member
    with pytest.raises(DiscoveryFailed):
        await find(upstream, site)
    assert AS not in site.asked, why


@pytest.mark.parametrize(
    "page", [Page(b'{"resource": '), Page(b"[1]"), Page(b"\x00", headers={"Content-Encoding": "br"})]
)
async def test_nor_one_that_cannot_be_read(site: Site, upstream: HttpUpstream, page: Page) -> None:
    site.publish(site.url)
    site.pages[f"{PRM}/mcp"] = page
    with pytest.raises(DiscoveryFailed):
        await find(upstream, site)


async def test_nor_a_page_where_the_challenge_names_a_document(site: Site, upstream: HttpUpstream) -> None:
    site.publish(site.url)
    site.pages |= {"POST /mcp": challenged(site), f"GET {ODD}": HTML}
    with pytest.raises(DiscoveryFailed, match="not JSON but 'text/html'"):
        await find(upstream, site)


async def test_one_that_is_named_and_gone_is_said_loudly(
    site: Site, upstream: HttpUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    site.publish(site.url)
    site.pages["POST /mcp"] = challenged(site)
    assert (await find(upstream, site)).metadata.issuer == site.url
    assert "names resource metadata, and there is none" in caplog.text


async def test_where_the_issuer_is_entered_a_refused_one_is_said_loudly(
    site: Site, upstream: HttpUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    site.publish(site.url)
    site.protect(site.url)
    site.pages[f"{PRM}/mcp"].body["resource"] = "https://other.example/mcp"
    assert (await find(upstream, site, issuer=site.url)).resource is None
    assert "no resource is asked for" in caplog.text


async def test_an_odd_member_is_passed_over_and_said(
    site: Site, upstream: HttpUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "latchpin.servers")
    site.publish(f"{site.url}/as", revocation_endpoint="N/A")
    site.publish(site.url)
    site.protect(f"{site.url}/as", scopes_supported="mcp:read")
    found = await find(upstream, site)
    assert (found.metadata.issuer, found.resource) == (f"{site.url}/as", f"{site.url}/mcp")
    assert found.scopes == ("mcp:read",)
    assert [step.got.partition(", ")[2] for step in found.steps[1:]] == [
        "passed over: scopes_supported is not a list of at most 1,000 strings",
        "passed over: revocation_endpoint is 'N/A', not an absolute http(s) URL",
    ]
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2


# -- sites that answer every path -----------------------------------------------------------------------

EVERYWHERE = [HTML, Page(b""), Page(b"Not Found"), Page({"detail": "Not Found"}), Page({})]


@pytest.mark.parametrize("page", EVERYWHERE, ids=lambda page: str(page.body)[:12])
async def test_a_page_at_every_path_is_nothing(site: Site, upstream: HttpUpstream, page: Page) -> None:
    site.pages |= dict.fromkeys([f"{PRM}/mcp", PRM, AS, OIDC], page)
    site.pages["POST /mcp"] = Page(status=401)
    with pytest.raises(IssuerMissing) as caught:
        await find(upstream, site)
    assert "assume_pkce" in caught.value.remedy
    found = await find(upstream, site, assume_pkce=True)
    assert found.metadata.token_endpoint == f"{site.url}/token"


@pytest.mark.parametrize("page", [Page(b"[]"), Page({"issuer": "https://other.example"}), Page(status=503)])
async def test_a_document_that_was_meant_is_something(site: Site, upstream: HttpUpstream, page: Page) -> None:
    site.pages |= {AS: page, "POST /mcp": Page(status=401)}
    with pytest.raises(DiscoveryFailed):
        await find(upstream, site, assume_pkce=True)
