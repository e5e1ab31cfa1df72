"""The way to an address that the deployer configured: http and private hosts, and that one origin only."""

from __future__ import annotations

import pytest
from latchpin.assembly.assembling import assemble
from latchpin.contracts import Context
from latchpin.errors import AddressRefused, SettingsError
from latchpin.outbound.trusted import TrustedUpstream
from latchpin.plugins.hookspecs import SIGNER
from latchpin.plugins.host import Plugins
from latchpin_testing import SuiteContext, UnreachableUpstream

from tests.support.http_servers import answer, serve, settings, writing

REDIRECT = answer(b"", "Location: /elsewhere", status="302 Found")


class Remembering:
    """A plugin's opener that keeps the context, to be used while the gateway is open."""

    context: Context


@pytest.mark.needs("latchpin_memory_store")
async def test_only_what_was_configured_is_reached_though_private_networks_are_closed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    offers, seen = Plugins(), []
    [backend] = offers.values(SIGNER)

    def opening(given, context):
        seen.append(context)
        return backend.open(given, context)

    monkeypatch.setattr(Plugins, "select", _selecting(Plugins.select, opening))
    core = settings(private=False).model_copy(update={"cache_type": "memory", "record_store": "memory"})
    async with serve(writing(REDIRECT)) as vault, serve(writing(answer())) as other, assemble(offers, core) as services:
        trusted = await seen[0].trusted(f"{vault.url}/v1")
        reply = await trusted.get(f"{vault.url}/v1/keys?token=x")
        assert (reply.status, len(vault.requests)) == (302, 1)  # where it leads is for the plugin to judge
        assert (await trusted.send("POST", f"{vault.url}/v1/unwrap", body=b"k")).status == 302
        for way, url in ((trusted, other.url), (services.upstream, vault.url), (services.upstream, other.url)):
            with pytest.raises(AddressRefused):
                await way.get(url)
        assert (len(vault.connections), other.connections) == (2, [])


def _selecting(select, opening):
    def selected(self, hook, name):
        from dataclasses import replace

        backend = select(self, hook, name)
        return replace(backend, open=opening) if hook is SIGNER else backend

    return selected


@pytest.mark.parametrize(
    ("url", "passes", "why"),
    [
        ("http://vault.internal:8200/v1/other?x=1", True, "the origin counts, and not the path"),
        ("HTTP://VAULT.internal:8200/", True, "scheme and host have no case"),
        ("https://vault.internal:8200/", False, "another scheme"),
        ("http://vault.internal/", False, "another port"),
        ("http://vault.internal:8201/", False, "another port"),
        ("http://vault.internal.evil.example:8200/", False, "another host"),
        ("http://169.254.169.254:8200/", False, "a metadata service"),
        ("http://vault.internal:8200@evil.example/", False, "the host stands behind the @"),
        ("http://evil.example\\@vault.internal:8200/", False, "a backslash, which readers of URLs take differently"),
        ("http://[vault.internal:8200/", False, "no URL"),
        ("http://vault.internal:port/", False, "no port"),
        ("//vault.internal:8200/", False, "no scheme"),
        ("", False, "nothing"),
    ],
)
async def test_another_origin_is_refused_before_anything_is_asked(url: str, passes: bool, why: str):
    upstream = UnreachableUpstream()
    trusted = TrustedUpstream("http://vault.internal:8200/v1", upstream)
    for ask in (trusted.get(url), trusted.send("POST", url)):
        with pytest.raises(Exception) as caught:
            await ask
        assert isinstance(caught.value, AddressRefused) is not passes, why
    assert bool(upstream.asked) is passes, why


@pytest.mark.parametrize(
    "url",
    [
        "vault.internal:8200",
        "ftp://vault.internal/",
        "https://",
        "",
        "https://me:pw@vault/",
        "http://[x/",
        "http://v:0x/",
    ],
)
async def test_a_setting_that_is_no_address_is_refused_and_not_shown(url: str):
    async with SuiteContext(upstream=UnreachableUpstream()) as context:
        with pytest.raises(SettingsError) as caught:
            await context.trusted(url)
    assert "pw" not in str(caught.value)
