"""The directory of authorization servers, over real HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from latchpin.errors import ConfigurationError, DiscoveryFailed, IssuerMissing, PkceUnsupported
from latchpin.model import Gateway
from latchpin.outbound.upstream import HttpUpstream, open_upstream
from latchpin.servers.directory import FoundServer, ServerDirectory
from latchpin.settings.core import CoreSettings

from tests.support.http_servers import WELL_KNOWN, MovedClock, Page, Site, gateway, no_pause, open_site

AS = f"GET {WELL_KNOWN}/oauth-authorization-server"
OIDC = f"GET {WELL_KNOWN}/openid-configuration"
PRM = f"GET {WELL_KNOWN}/oauth-protected-resource"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site() as opened:
        yield opened


def core(**more: Any) -> CoreSettings:
    return CoreSettings(
        **{"oauth_request_timeout": 60, **more}, _env_file=None, oauth_allow_private_networks=True, oauth_max_retries=0
    )


@pytest.fixture
async def upstream() -> AsyncIterator[HttpUpstream]:
    async with open_upstream(core(), sleep=no_pause) as opened:
        yield opened


async def find(upstream: HttpUpstream, entry: Gateway, **more: Any) -> FoundServer:
    return await ServerDirectory(upstream, core(**more), MovedClock()).find(entry)


async def test_everything_from_the_challenge(site: Site, upstream: HttpUpstream) -> None:
    issuer = f"{site.url}/tenant"
    site.publish(issuer)
    where = f"{site.url}/custom/metadata"
    site.protect(issuer, challenge=f'Bearer resource_metadata="{where}", scope="mcp:read mcp:more"')
    site.pages["GET /custom/metadata"] = site.pages.pop(f"{PRM}/mcp")
    site.pages["GET /custom/metadata"].body["scopes_supported"] = ["all"]
    found = await find(upstream, gateway(f"{site.url}/mcp"))
    assert found.metadata.issuer == issuer
    assert found.metadata.token_endpoint == f"{site.url}/token"
    assert found.resource == f"{site.url}/mcp"
    assert found.challenge_scopes == ("mcp:read", "mcp:more")
    assert found.resource_scopes == ("all",)
    assert site.asked == ["POST /mcp", "GET /custom/metadata", f"{AS}/tenant"]
    assert [str(step).partition(" ")[0] for step in found.steps] == ["POST", "GET", "GET"]


async def test_without_a_challenge_the_well_known_urls(site: Site, upstream: HttpUpstream) -> None:
    site.publish(site.url)
    site.protect(site.url, path="")
    found = await find(upstream, gateway(f"{site.url}/mcp"))
    assert found.resource == site.url
    assert site.asked == ["POST /mcp", f"{PRM}/mcp", PRM, AS]


async def test_openid_configuration_in_its_order(site: Site, upstream: HttpUpstream) -> None:
    issuer = f"{site.url}/realm"
    site.publish(issuer, path=f"/realm{WELL_KNOWN}/openid-configuration")
    found = await find(upstream, gateway(f"{site.url}/mcp", issuer=issuer, resource="https://r"))
    assert found.metadata.source == f"{site.url}/realm{WELL_KNOWN}/openid-configuration"
    assert site.asked[:3] == [f"{AS}/realm", f"{OIDC}/realm", f"GET /realm{WELL_KNOWN}/openid-configuration"]


async def test_html_for_every_path_is_passed_over(site: Site, upstream: HttpUpstream) -> None:
    site.publish(site.url, path=f"{WELL_KNOWN}/openid-configuration")
    site.pages[AS] = Page(b"<html>app</html>", headers={"Content-Type": "text/html"})
    assert (await find(upstream, gateway(f"{site.url}/mcp", issuer=site.url))).metadata.issuer == site.url


async def test_a_configured_issuer_still_learns_the_resource(site: Site, upstream: HttpUpstream) -> None:
    site.publish(site.url)
    site.protect("https://another.example", scopes_supported=["s"])
    found = await find(upstream, gateway(f"{site.url}/mcp", issuer=site.url))
    assert (found.metadata.issuer, found.resource, found.resource_scopes) == (site.url, f"{site.url}/mcp", ("s",))


async def test_a_configured_issuer_does_not_need_the_resource(site: Site, upstream: HttpUpstream) -> None:
    site.publish(site.url)
    found = await find(upstream, gateway("http://127.0.0.1:1/mcp", issuer=site.url))
    assert (found.metadata.issuer, found.resource) == (site.url, None)


async def test_resource_as_configured_or_left_out(site: Site, upstream: HttpUpstream) -> None:
    site.publish(site.url)
    site.protect(site.url)
    url = f"{site.url}/mcp"
    assert (await find(upstream, gateway(url, resource="urn:mine"))).resource == "urn:mine"
    assert (await find(upstream, gateway(url, resource="urn:mine", omit_resource=True))).resource is None


@pytest.mark.parametrize("slash", ["", "/"])
async def test_servers_from_before_resource_metadata(site: Site, upstream: HttpUpstream, slash: str) -> None:
    site.publish(f"{site.url}{slash}", path=f"{WELL_KNOWN}/oauth-authorization-server")
    site.pages["POST /mcp"] = Page(status=401)
    found = await find(upstream, gateway(f"{site.url}/mcp"))
    assert (found.metadata.issuer, found.resource) == (f"{site.url}{slash}", None)


async def test_settings_need_no_request(site: Site, upstream: HttpUpstream) -> None:
    entry = gateway(
        f"{site.url}/mcp",
        client_id="c",
        authorization_url=f"{site.url}/a",
        token_url=f"{site.url}/t",
        issuer="https://i",
    )
    found = await find(upstream, entry)
    assert (found.metadata.token_endpoint, found.metadata.issuer, site.asked) == (f"{site.url}/t", "https://i", [])


async def test_settings_without_a_client_look_for_registration(site: Site, upstream: HttpUpstream) -> None:
    site.publish(site.url)
    urls: dict[str, Any] = {"authorization_url": f"{site.url}/mine", "token_url": f"{site.url}/mine/token"}
    found = await find(upstream, gateway(f"{site.url}/mcp", issuer=site.url, **urls))
    assert found.metadata.registration_endpoint == f"{site.url}/register"
    assert found.metadata.token_endpoint == f"{site.url}/mine/token"
    del site.pages[AS]
    found = await find(upstream, gateway(f"{site.url}/mcp", issuer=site.url, **urls))
    assert (found.metadata.registration_endpoint, found.metadata.source) == (None, "settings")


async def test_discovery_switched_off(site: Site, upstream: HttpUpstream) -> None:
    site.publish(site.url)
    with pytest.raises(IssuerMissing, match="OAUTH_DISCOVERY_ENABLED"):
        await find(upstream, gateway(f"{site.url}/mcp", issuer=site.url), oauth_discovery_enabled=False)
    urls: dict[str, Any] = {"authorization_url": f"{site.url}/a", "token_url": f"{site.url}/t"}
    await find(upstream, gateway(f"{site.url}/mcp", **urls), oauth_discovery_enabled=False)
    assert site.asked == []


async def test_nothing_names_an_issuer(site: Site, upstream: HttpUpstream) -> None:
    with pytest.raises(IssuerMissing) as caught:
        await find(upstream, gateway(f"{site.url}/mcp?key=hidden"))
    assert caught.value.public == "No issuer configured"
    assert f"GET {site.url}{WELL_KNOWN}/oauth-authorization-server: HTTP 404" in caught.value.detail
    assert "hidden" not in caught.value.detail


async def test_a_dead_server_is_named(upstream: HttpUpstream) -> None:
    with pytest.raises(DiscoveryFailed, match=r"127\.0\.0\.1:1: no connection: Connection refused") as caught:
        await find(upstream, gateway("http://127.0.0.1:1/mcp"))
    assert caught.value.public == "Metadata discovery failed"


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (Page(status=503), "HTTP 503"),
        (Page(b"<html>", headers={"Content-Type": "text/html"}), "not JSON but 'text/html'"),
        (Page({"issuer": "https://evil.example", "token_endpoint": "https://evil.example/t"}), "evil.example"),
        (
            Page(status=302, headers={"Location": "http://169.254.169.254/x?secret"}),
            "redirect to 'http://169.254.169.254/x'",
        ),
        (Page(status=404), "HTTP 404"),
        (Page(b"x" * 1_000_001), "larger than"),
    ],
)
async def test_each_step_is_told(site: Site, upstream: HttpUpstream, page: Page, said: str) -> None:
    site.pages[AS] = page
    with pytest.raises(DiscoveryFailed) as caught:
        await find(upstream, gateway(f"{site.url}/mcp", issuer=site.url))
    assert said in caught.value.detail


async def test_a_refused_address_brings_its_remedy(site: Site) -> None:
    async with open_upstream(CoreSettings(_env_file=None, oauth_max_retries=0)) as guarded:
        directory = ServerDirectory(guarded, CoreSettings(_env_file=None), MovedClock())
        with pytest.raises(DiscoveryFailed, match="only https is allowed") as caught:
            await directory.find(gateway(f"{site.url}/mcp"))
    assert "OAUTH_ALLOW_PRIVATE_NETWORKS" in caught.value.remedy
    assert site.asked == []


async def test_a_document_for_another_server_is_refused(site: Site, upstream: HttpUpstream) -> None:
    site.publish(site.url)
    site.protect(site.url)
    site.pages[f"{PRM}/mcp"].body["resource"] = "https://bank.example/mcp"
    with pytest.raises(DiscoveryFailed, match=r"bank\.example"):
        await find(upstream, gateway(f"{site.url}/mcp"))


async def test_the_second_server_counts_where_the_first_is_dead(site: Site, upstream: HttpUpstream) -> None:
    site.publish(site.url)
    site.protect("http://127.0.0.1:1", "nonsense", site.url)
    found = await find(upstream, gateway(f"{site.url}/mcp"))
    assert found.metadata.issuer == site.url


async def test_one_deadline_holds_for_the_whole_search(site: Site, upstream: HttpUpstream) -> None:
    issuers = [f"{site.url}/{number}" for number in range(5)]
    site.protect(*issuers)
    site.silent = {f"{where}/{number}" for where in (AS, OIDC) for number in range(5)}
    site.silent |= {f"GET /{number}{WELL_KNOWN}/openid-configuration" for number in range(5)}
    begun = time.monotonic()
    with pytest.raises(DiscoveryFailed) as caught:
        await find(upstream, gateway(f"{site.url}/mcp"), oauth_request_timeout=4)
    assert time.monotonic() - begun < 60
    assert caught.value.status == 504
    assert caught.value.detail.count("no whole answer in time") == 15


async def test_a_server_that_never_answers_takes_nothing_from_what_is_known(site: Site, upstream: HttpUpstream) -> None:
    site.publish(site.url)
    site.silent = {"POST /mcp", f"{PRM}/mcp", PRM}
    found = await find(upstream, gateway(f"{site.url}/mcp", issuer=site.url), oauth_request_timeout=4)
    assert (found.metadata.issuer, found.resource) == (site.url, None)
    assert "no whole answer in time" in str(found.steps[-1])


async def test_pkce_must_be_offered(site: Site, upstream: HttpUpstream) -> None:
    site.publish(site.url, code_challenge_methods_supported=None)
    with pytest.raises(PkceUnsupported):
        await find(upstream, gateway(f"{site.url}/mcp", issuer=site.url))
    await find(upstream, gateway(f"{site.url}/mcp", issuer=site.url, assume_pkce=True))
    await find(upstream, gateway(f"{site.url}/mcp", issuer=site.url, grant_type="client_credentials"))


async def test_a_moved_issuer_needs_an_administrator(site: Site, upstream: HttpUpstream) -> None:
    site.publish(site.url)
    site.protect(site.url)
    moved = gateway(f"{site.url}/mcp", pinned="https://famous.example")
    with pytest.raises(DiscoveryFailed, match=r"famous\.example was pinned") as caught:
        await find(upstream, moved)
    assert f"confirm-issuer {moved.id}" in caught.value.remedy
    assert (await find(upstream, moved, oauth_follow_issuer_change=True)).metadata.issuer == site.url
    assert (await find(upstream, gateway(f"{site.url}/mcp", pinned=site.url))).metadata.issuer == site.url


async def test_of_two_issuers_found_at_the_same_first_use_one_is_refused(site: Site, upstream: HttpUpstream) -> None:
    site.publish(site.url)
    site.protect(site.url)
    first = gateway(f"{site.url}/mcp")
    found = await find(upstream, first)
    found.require_pinned(first, gateway(f"{site.url}/mcp", pinned=site.url))
    with pytest.raises(DiscoveryFailed, match=r"at the same time, https://other\.example"):
        found.require_pinned(first, gateway(f"{site.url}/mcp", pinned="https://other.example"))


async def test_the_pinned_server_comes_first(site: Site, upstream: HttpUpstream) -> None:
    site.publish(f"{site.url}/one")
    site.publish(f"{site.url}/two")
    site.protect(f"{site.url}/one", f"{site.url}/two")
    found = await find(upstream, gateway(f"{site.url}/mcp", pinned=f"{site.url}/two"))
    assert found.metadata.issuer == f"{site.url}/two"


async def test_eight_first_users_one_search(site: Site, upstream: HttpUpstream) -> None:
    site.publish(site.url)
    site.gate.clear()
    directory = ServerDirectory(upstream, core(), MovedClock())
    entry = gateway(f"{site.url}/mcp", issuer=site.url, resource="https://r")
    users = [asyncio.create_task(directory.find(entry)) for _ in range(8)]
    await site.touched.wait()
    users[0].cancel()
    site.gate.set()
    results = await asyncio.gather(*users, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert all(result == results[1] for result in results[1:])
    assert site.asked.count(AS) == 1


async def test_what_was_found_is_remembered_until_it_ages_or_changes(site: Site, upstream: HttpUpstream) -> None:
    site.publish(site.url)
    site.protect(site.url)
    clock = MovedClock()
    directory = ServerDirectory(upstream, core(dcr_metadata_cache_ttl=60), clock)
    entry = gateway(f"{site.url}/mcp")
    await directory.find(entry)
    clock.advance(59)
    await directory.find(entry)
    assert site.asked.count(AS) == 1
    clock.advance(1)
    await directory.find(entry)
    assert site.asked.count(AS) == 2
    await directory.find(gateway(f"{site.url}/mcp", revision=2))
    assert site.asked.count(AS) == 3
    directory.forget(entry.id)
    await directory.find(gateway(f"{site.url}/mcp", revision=2))
    assert site.asked.count(AS) == 4


async def test_what_a_gateway_states_is_judged_once_for_each_of_its_revisions(upstream: HttpUpstream) -> None:
    directory = ServerDirectory(upstream, core(), MovedClock())
    stated = {"client_id": "c", "authorization_url": "https://as.example/a", "token_url": "https://as.example/t"}
    entry = gateway("https://mcp.example", assume_pkce=True, scopes=("a",), **stated)
    first = await directory.find(entry)
    assert await directory.find(entry) is first
    changed = gateway("https://mcp.example", revision=2, assume_pkce=True, scopes=("b",), **stated)
    assert (await directory.find(changed)).scopes == ("b",)
    directory.forget(entry.id)
    assert (await directory.find(changed)).scopes == ("b",)


async def test_failures_are_not_remembered(site: Site, upstream: HttpUpstream) -> None:
    directory = ServerDirectory(upstream, core(), MovedClock())
    entry = gateway(f"{site.url}/mcp")
    with pytest.raises(IssuerMissing):
        await directory.find(entry)
    site.publish(site.url)
    assert (await directory.find(entry)).metadata.issuer == site.url


async def test_a_gateway_without_oauth(upstream: HttpUpstream) -> None:
    entry = gateway("https://mcp.example")
    plain = Gateway(entry.id, "n", entry.url, "none", (), None, None, 1, entry.created_at, entry.updated_at)
    with pytest.raises(ConfigurationError):
        await find(upstream, plain)


async def test_a_silent_server_has_the_default_endpoints_only_if_pkce_is_vouched_for(
    site: Site, upstream: HttpUpstream
) -> None:
    site.pages["POST /mcp"] = Page(status=401)
    with pytest.raises(IssuerMissing) as caught:
        await find(upstream, gateway(f"{site.url}/mcp"))
    assert "assume_pkce" in caught.value.remedy
    found = await find(upstream, gateway(f"{site.url}/mcp", assume_pkce=True))
    assert found.metadata.issuer == site.url
    assert found.metadata.authorization_endpoint == f"{site.url}/authorize"
    assert found.metadata.token_endpoint == f"{site.url}/token"
    assert found.metadata.registration_endpoint == f"{site.url}/register"
    assert found.resource is None


@pytest.mark.parametrize(
    ("status", "published"),
    [
        pytest.param(404, False, id="wants no token"),
        pytest.param(401, True, id="publishes resource metadata"),
    ],
)
async def test_no_default_endpoints_for_others(
    site: Site, upstream: HttpUpstream, status: int, published: bool
) -> None:
    if published:
        site.protect()
    site.pages["POST /mcp"] = Page(status=status)
    with pytest.raises(IssuerMissing) as caught:
        await find(upstream, gateway(f"{site.url}/mcp", assume_pkce=True))
    assert "assume_pkce" not in caught.value.remedy
