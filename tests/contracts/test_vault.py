"""What a stranger needs who keeps keys and clients in a vault: an address, keys by purpose, keys that are fetched."""

from __future__ import annotations

import asyncio
import json
import logging
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import latchpin
import pytest
from latchpin.assembly.assembling import assemble
from latchpin.clients.directory import ClientDirectory
from latchpin.contracts import (
    Backend,
    Cipher,
    ClientRegistrar,
    Context,
    DerivedKey,
    Keeps,
    RegistrationRequest,
    Signer,
    Upstream,
)
from latchpin.errors import ConfigurationError, Unsealable, UpstreamError, UpstreamUnreachable, UpstreamUnreadable
from latchpin.model import ClientCredentials, OAuthConfig, RegisteredClient, Reply, ServerMetadata
from latchpin.plugins.host import Plugins
from latchpin.records.kept import KeyValues
from latchpin.sdk.keys import AesGcmCipher, HmacSigner, fetched_keys
from latchpin.settings.core import CoreSettings
from latchpin.workers.fetched_keys import SOONEST
from latchpin.workers.keys import random_keys
from latchpin.workers.leases import Leases
from latchpin.workers.pauses import Pauses
from latchpin_testing import (
    CipherContract,
    MovedClock,
    RegistrarContract,
    SignerContract,
    SuiteCipher,
    SuiteContext,
    UnreachableUpstream,
    samples,
)
from pydantic import SecretStr


class VaultSettings(latchpin.Settings):
    """Where the key service is, and the data keys that it wrapped: the first one seals."""

    acme_vault: str = "http://vault.internal:8200"
    acme_wrapped_keys: tuple[str, ...] = ()


@asynccontextmanager
async def open_signer(settings: latchpin.Settings, context: Context) -> AsyncIterator[Signer]:
    yield HmacSigner(context.keys("acme state signature"))


@latchpin.hookimpl
def latchpin_signer() -> Backend[latchpin.Settings, Signer]:
    """Offer ``SIGNER=acme``."""
    return Backend("acme", "ACME", latchpin.Settings, open_signer)


@asynccontextmanager
async def open_cipher(settings: VaultSettings, context: Context) -> AsyncIterator[Cipher]:
    vault = await context.trusted(settings.acme_vault)

    async def unwrap() -> Sequence[DerivedKey]:
        return [await _unwrapped(vault, settings.acme_vault, text) for text in settings.acme_wrapped_keys]

    async with fetched_keys(unwrap) as keys:
        yield AesGcmCipher(keys)


async def _unwrapped(vault: Upstream, url: str, wrapped: str) -> DerivedKey:
    reply = await vault.send("POST", f"{url}/unwrap", body=wrapped.encode(), repeatable=True)
    if reply.status != 200:
        raise UpstreamUnreadable(f"the key service answered {reply.status}")
    return DerivedKey.named(b64decode(reply.body))


@latchpin.hookimpl
def latchpin_cipher() -> Backend[VaultSettings, Cipher]:
    """Offer ``CIPHER=acme-vault``."""
    return Backend("acme-vault", "ACME vault", VaultSettings, open_cipher)


class VaultRegistrar:
    """Gives the client that the vault has for an issuer, as it is there now."""

    label = "kept in ACME vault"
    keeps = Keeps.FETCHED

    def __init__(self, vault: Upstream, url: str) -> None:
        self._vault, self._url = vault, url

    def obstacle(self, request: RegistrationRequest) -> str | None:
        return None if request.server.issuer else "the server names no issuer to look for"

    async def register(self, request: RegistrationRequest) -> ClientCredentials | None:
        reply = await self._vault.get(f"{self._url}/clients?issuer={request.server.issuer}")
        found = json.loads(reply.body)
        return ClientCredentials(found["id"], found["secret"], "client_secret_basic")

    async def forget(self, client: RegisteredClient, registration_access_token: str | None) -> str:
        return f"{client.client_id} is not from the vault."


@asynccontextmanager
async def open_registrar(settings: VaultSettings, context: Context) -> AsyncIterator[ClientRegistrar]:
    yield VaultRegistrar(await context.trusted(settings.acme_vault), settings.acme_vault)


@latchpin.hookimpl
def latchpin_client_registrar() -> Backend[VaultSettings, ClientRegistrar]:
    """Offer the vault's clients before every other way."""
    return Backend("acme-vault", "ACME vault", VaultSettings, open_registrar, rank=5)


KEYS = {name: DerivedKey.named(name.encode().ljust(32, b".")) for name in ("one", "two", "three")}


class Vault(UnreachableUpstream):
    """Unwraps keys by their name, and has one client; nobody else answers."""

    secret = "first"

    async def send(self, method, url, *, headers=None, body=b"", repeatable=False):
        self.asked.append(f"{method} {url}")
        if url.startswith("http://vault.internal:8200/clients"):
            return Reply(url, 200, {}, json.dumps({"id": "from-vault", "secret": self.secret}).encode())
        if url == "http://vault.internal:8200/unwrap":
            return Reply(url, 200, {}, b64encode(KEYS[body.decode()].key))
        raise UpstreamUnreachable("nobody answers there")


class TestDerivedKeys(SignerContract):
    @pytest.fixture
    def offer(self):
        return latchpin_signer()


class TestVaultCipher(CipherContract):
    @pytest.fixture
    def offer(self):
        return latchpin_cipher()

    @pytest.fixture
    def settings(self):
        return VaultSettings(acme_wrapped_keys=("one",))

    @pytest.fixture
    def other_settings(self):
        return VaultSettings(acme_wrapped_keys=("two",))

    @pytest.fixture
    def rotated_settings(self):
        return VaultSettings(acme_wrapped_keys=("two", "one"))

    def make_context(self, secrets):
        return SuiteContext(secrets=secrets, upstream=Vault())


class TestVaultRegistrar(RegistrarContract):
    @pytest.fixture
    def offer(self):
        return latchpin_client_registrar()

    @pytest.fixture
    def upstream(self):
        return Vault()


# -- a registrar that asks each time ------------------------------------------------------------------


def directory_of(records, registrar, clock) -> ClientDirectory:
    kept = KeyValues(records)
    return ClientDirectory(
        records=records,
        kept=kept,
        leases=Leases(kept, clock),
        pauses=Pauses(kept, clock),
        cipher=SuiteCipher(),
        registrars=[registrar],
        clock=clock,
    )


@pytest.mark.needs("latchpin_memory_store")
async def test_a_client_from_a_vault_is_asked_for_each_time_and_kept_nowhere():
    from latchpin_memory_store.records import MemoryRecordStore

    vault, clock = Vault(), MovedClock()
    records = MemoryRecordStore(clock)
    gateway = replace(samples.gateway(clock()), oauth=OAuthConfig())
    await records.gateways.put(gateway)
    server = ServerMetadata("https://as.example", "https://as.example/authorize", "https://as.example/token")
    offer = latchpin_client_registrar()
    async with SuiteContext(clock, upstream=vault) as context, offer.open(VaultSettings(), context) as registrar:
        directory = directory_of(records, registrar, clock)
        began = await directory.client_for(gateway, server, "https://gateway.example.com/oauth/callback", ())
        vault.secret = "rotated"
        renewed = await directory.existing(gateway, server)
        assert (began.client_secret, renewed.client_secret) == ("first", "rotated")
        assert await records.clients.list() == []
    silent = SuiteContext(clock, upstream=UnreachableUpstream())
    async with silent as context, offer.open(VaultSettings(), context) as registrar:
        directory = directory_of(records, registrar, clock)
        with pytest.raises(UpstreamError):
            await directory.existing(gateway, server)


# -- keys by their purpose ----------------------------------------------------------------------------


@pytest.mark.needs("latchpin_memory_store")
async def test_the_gateways_own_secrets_are_what_keys_are_derived_from(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    seen: dict[str, tuple[str, bool, bool]] = {}
    first, second = "the first secret of 32 bytes or more", "the second secret of 32 bytes or mor"
    for name, today, earlier in (("before", first, ()), ("after", second, (SecretStr(first),)), ("else", second, ())):
        settings = CoreSettings(
            cache_type="memory",
            record_store="memory",
            auth_encryption_secret=today,
            auth_encryption_secrets_old=earlier,
        )
        async with assemble(Plugins(), settings) as services:
            key_id = services.signer.key_id
            known = [_known(services.signer, seen["before"][0]) if seen else True, _known(services.signer, key_id)]
            seen[name] = (key_id, *known)
    assert seen["before"][0] != seen["after"][0] == seen["else"][0]
    assert [known for _, known, _ in seen.values()] == [True, True, False]
    context = SuiteContext(secrets=(first,))
    assert context.keys("state signature").current.id == seen["before"][0]
    assert context.keys("acme state signature").current.key != context.keys("state signature").current.key


def _known(signer, key_id: str) -> bool:
    try:
        return signer.verify(b"", b"", key_id=key_id) is False
    except Unsealable:
        return False


# -- keys that are fetched ----------------------------------------------------------------------------


class StandInPauses:
    """Stands in for sleeping: a pause ends when the test says so, and is known by its seconds."""

    def __init__(self) -> None:
        self.waiting: dict[float, asyncio.Event] = {}
        self.began = asyncio.Condition()

    async def __call__(self, seconds: float) -> None:
        async with self.began:
            self.waiting[seconds] = event = asyncio.Event()
            self.began.notify_all()
        await event.wait()

    async def end(self, seconds: float) -> None:
        async with self.began:
            await self.began.wait_for(lambda: seconds in self.waiting)
        self.waiting.pop(seconds).set()

    async def begun(self, seconds: float) -> None:
        async with self.began:
            await self.began.wait_for(lambda: seconds in self.waiting)


EVERY = timedelta(seconds=100)
SHORT, LONG = SOONEST.total_seconds(), (EVERY - SOONEST).total_seconds()


class Service:
    """What is asked for keys: the names of those it gives, or the failure that it raises."""

    def __init__(self, *names: str) -> None:
        self.names, self.asked = names, 0

    async def __call__(self):
        self.asked += 1
        if not self.names:
            raise OSError("no route to a secret host")
        return [KEYS[name] for name in self.names]


async def test_keys_are_fetched_anew_when_their_time_is_over():
    service, pauses = Service("one"), StandInPauses()
    async with fetched_keys(service, every=EVERY, pause=pauses) as keys:
        assert keys.current == KEYS["one"]
        service.names = ("two", "one")
        await pauses.end(SHORT)
        await pauses.end(LONG)
        await pauses.begun(SHORT)
        assert (keys.current, keys.find(KEYS["one"].id)) == (KEYS["two"], KEYS["one"])
        service.names = ("two",)
        await pauses.end(SHORT)
        await pauses.end(LONG)
        await pauses.begun(SHORT)
        assert keys.find(KEYS["one"].id) is None  # taken away there: forgotten here


async def test_an_unknown_key_lets_them_be_fetched_soon_but_no_flood():
    service, pauses = Service("one"), StandInPauses()
    async with fetched_keys(service, every=EVERY, pause=pauses) as keys:
        service.names = ("one", "two")
        for _ in range(1000):
            assert keys.find(KEYS["two"].id) is None
        await pauses.begun(SHORT)
        assert service.asked == 1
        await pauses.end(SHORT)  # and the long pause is not waited for
        await pauses.begun(SHORT)
        assert (service.asked, keys.find(KEYS["two"].id)) == (2, KEYS["two"])


async def test_a_silent_service_leaves_the_keys_at_hand_in_use(caplog):
    service, pauses = Service("one"), StandInPauses()
    async with fetched_keys(service, every=EVERY, pause=pauses) as keys:
        service.names = ()
        with caplog.at_level(logging.WARNING, "latchpin.keys"):
            await pauses.end(SHORT)
            await pauses.end(LONG)
            await pauses.begun(SHORT)
        assert keys.current == KEYS["one"]
    assert "could not be fetched anew (OSError)" in caplog.text
    assert "secret host" not in caplog.text


@pytest.mark.needs("latchpin_memory_store")
async def test_a_worker_that_fetches_another_key_shares_the_keys_of_those_that_run():
    """They read theirs at their start, so what is signed under one that is made after it counts for none of them."""
    from latchpin_memory_store.records import MemoryRecordStore

    kept, service, pauses = KeyValues(MemoryRecordStore(MovedClock())), Service("one"), StandInPauses()
    async with fetched_keys(service, every=EVERY, pause=pauses) as keys:
        runs = await random_keys(kept, AesGcmCipher(keys), "tickets")
        service.names = ("two", "one")
        async with fetched_keys(service, every=EVERY, pause=pauses) as others:
            assert await random_keys(kept, AesGcmCipher(others), "tickets") == runs


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ([], "without a key nothing could be sealed"),
        ([DerivedKey("short", b"x" * 16)], "a key of 16 bytes is not the AES-256 that is promised"),
        ([DerivedKey.named(b"x" * 32), DerivedKey("empty", b"")], "an earlier key counts too"),
    ],
)
async def test_what_is_no_key_stops_the_opening(given, why):
    async def fetch():
        return given

    with pytest.raises(ConfigurationError, match="32 bytes"):
        async with fetched_keys(fetch, pause=StandInPauses()):
            pytest.fail(why)


async def test_a_first_fetch_that_fails_stops_the_opening():
    with pytest.raises(OSError, match="no route"):
        async with fetched_keys(Service(), pause=StandInPauses()):
            pytest.fail("it must not open")
