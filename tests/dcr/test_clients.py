"""One client for a gateway and issuer, however many ask for it first."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from latchpin.clients.registrations import LEASE, PATIENCE
from latchpin.clients.secrets import open_configured_secret, seal_configured_secret
from latchpin.contracts import Keeps, Registration
from latchpin.defaults.registrar_static import StaticRegistrar, latchpin_client_registrar
from latchpin.errors import (
    Conflict,
    IssuerMissing,
    NotFound,
    RecordConflict,
    RegistrationFailed,
    RegistrationRefused,
    Unsealable,
)
from latchpin.model import ClientCredentials
from latchpin_testing.sealing import SuiteCipher

from tests.dcr.conftest import CALLBACK, Directories, a_gateway

GATEWAY = a_gateway()


def client_for(directory, metadata, *, gateway=GATEWAY, redirect_uri=CALLBACK):
    return directory.client_for(gateway, metadata, redirect_uri, ("a",))


# -- entered ------------------------------------------------------------------------------------------


async def test_an_entered_client_comes_first(directories, metadata, server):
    secret = seal_configured_secret("s3cret", gateway_id=GATEWAY.id, issuer="https://as", cipher=directories.cipher)
    gateway = a_gateway(client_id="mine", client_secret=secret, issuer="https://as")
    directory = directories.directory()
    about = replace(metadata, token_endpoint_auth_methods_supported=("client_secret_post",))
    expected = ClientCredentials("mine", "s3cret", "client_secret_post")
    assert await client_for(directory, about, gateway=gateway) == expected
    assert await directory.existing(gateway, about) == expected
    public = await client_for(directory, metadata, gateway=a_gateway(client_id="mine"))
    assert public == ClientCredentials("mine", None, "none")
    method = replace(gateway, oauth=replace(gateway.oauth, token_endpoint_auth_method="private_key_jwt"))
    assert (await client_for(directory, metadata, gateway=method)).auth_method == "private_key_jwt"
    assert server.asked == []


async def test_an_entered_secret_that_does_not_open_says_how_to_mend_it(directories, metadata):
    secret = seal_configured_secret("s3cret", gateway_id=GATEWAY.id, issuer=None, cipher=SuiteCipher())
    with pytest.raises(Unsealable, match="client_secret of gateway 'Files'") as caught:
        await client_for(directories.directory(), metadata, gateway=a_gateway(client_id="mine", client_secret=secret))
    assert caught.value.status == 503
    assert "AUTH_ENCRYPTION_SECRETS_OLD" in caught.value.remedy


async def test_an_entered_secret_does_not_open_for_another_issuer(directories, metadata):
    secret = seal_configured_secret("s3cret", gateway_id=GATEWAY.id, issuer="https://a", cipher=directories.cipher)
    moved = a_gateway(client_id="mine", client_secret=secret, issuer="https://b")
    with pytest.raises(Unsealable):
        await client_for(directories.directory(), metadata, gateway=moved)


async def test_a_gateway_without_oauth_has_no_secret(directories):
    assert open_configured_secret(replace(GATEWAY, oauth=None), directories.cipher) is None
    assert open_configured_secret(GATEWAY, directories.cipher) is None


async def test_an_entered_client_is_not_ours_to_forget(directories, metadata):
    offer = latchpin_client_registrar()
    async with offer.open(offer.settings(), None) as registrar:
        assert registrar.keeps is Keeps.COMPUTED
    await client_for(directories.directory(), metadata)
    (kept,) = await directories.records.clients.list()
    assert "by hand" in await registrar.forget(kept, None)


# -- registered ---------------------------------------------------------------------------------------


async def test_a_registration_is_kept_sealed_and_used_again(directories, metadata, server):
    directory = directories.directory()
    assert await directory.existing(GATEWAY, metadata) is None
    first = await client_for(directory, metadata)
    assert first == ClientCredentials("client-1", "secret-1", "client_secret_basic")
    assert await client_for(directories.directory(), metadata) == first
    assert await directory.existing(GATEWAY, metadata) == first
    assert len(server.asked) == 1
    (kept,) = await directories.records.clients.list()
    assert (kept.issuer, kept.redirect_uris, kept.scope) == (metadata.issuer, (CALLBACK,), "a")
    assert "secret-1" not in repr(kept)
    assert "manage-1" not in repr(kept)
    place = (GATEWAY.id, "", metadata.issuer, "client_secret_encrypted")
    assert directories.cipher.unseal(kept.client_secret, associated_data=place) == "secret-1"


async def test_eight_first_users_in_one_process_register_once(directories, metadata, server):
    directory = directories.directory()
    clients = await asyncio.gather(*[client_for(directory, metadata) for _ in range(8)])
    assert {client.client_id for client in clients} == {"client-1"}
    assert len(server.asked) == 1
    assert directories.pauses == []


async def test_eight_first_users_in_eight_processes_register_once(directories, metadata, server):
    directories.wait_for_release()
    clients = await asyncio.gather(*[client_for(directories.directory(), metadata) for _ in range(8)])
    assert {client.client_id for client in clients} == {"client-1"}
    assert len(server.asked) == 1
    assert directories.pauses  # the losers did wait


async def test_two_gateways_and_two_issuers_have_clients_of_their_own(directories, metadata, server):
    directory = directories.directory()
    other = replace(GATEWAY, id="1" * 32)
    elsewhere = replace(metadata, issuer=f"{server.base}/other")
    clients = [
        await client_for(directory, metadata),
        await client_for(directory, metadata, gateway=other),
        await client_for(directory, elsewhere),
    ]
    assert [client.client_id for client in clients] == ["client-1", "client-2", "client-3"]


async def test_a_failure_reaches_everybody_who_waited_and_is_tried_again_later(directories, metadata, server):
    server.answer = lambda _: (400, {"error": "invalid_client_metadata"})
    directory = directories.directory()
    results = await asyncio.gather(*[client_for(directory, metadata) for _ in range(4)], return_exceptions=True)
    assert [type(result) for result in results] == [RegistrationRefused] * 4
    assert len(server.asked) == 1
    server.answer = None
    assert (await client_for(directory, metadata)).client_id == "client-2"  # and the lease is free
    assert directories.pauses == []


async def test_one_who_goes_away_does_not_take_the_registration_along(directories, metadata, server):
    directory = directories.directory()
    leaving, staying = (asyncio.create_task(client_for(directory, metadata)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying).client_id == "client-1"
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert len(server.asked) == 1


async def test_a_dead_process_gives_way_when_its_lease_ends(directories, metadata, server):
    directory, seen = directories.directory(), []

    class Dead(StaticRegistrar):
        keeps = Keeps.REGISTERED

        async def register(self, request):
            seen.append(request)
            raise asyncio.CancelledError  # the process went down here: its lease stays

    dying = Directories(directories.records, directories.cipher, directories.clock, [Dead()], [])
    dying.kept.take = lambda name, *, value: asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await client_for(dying.directory(), metadata)
    assert len(seen) == 1
    with pytest.raises(RegistrationFailed, match="Another process"):
        await client_for(directory, metadata)
    assert sum(directories.pauses) == pytest.approx(PATIENCE.total_seconds(), abs=1)
    assert server.asked == []
    directories.clock.advance(LEASE)
    assert (await client_for(directory, metadata)).client_id == "client-1"


async def test_whoever_outlives_its_lease_uses_what_the_faster_one_kept(directories, metadata, server):
    """The lease ends while the server is slow; a second process registers; the first one's is given back."""
    faster = []

    class Slow:
        keeps = Keeps.REGISTERED

        async def register(self, request):
            directories.clock.advance(LEASE)
            faster.append(await client_for(directories.directory(), metadata))
            return await directories.registrars[1].register(request)

        async def forget(self, client, token):
            return await directories.registrars[1].forget(client, token)

    slow = Directories(directories.records, directories.cipher, directories.clock, [StaticRegistrar(), Slow()], [])
    client = await client_for(slow.directory(), metadata)
    assert client == faster[0]
    assert client.client_id == "client-1"
    assert server.forgotten == [("client-2", "Bearer manage-2")]


@pytest.mark.parametrize("change", ["expired", "inactive", "redirect", "grant"])
async def test_a_kept_client_that_does_not_fit_is_replaced_and_given_back(*, directories, metadata, server, change):
    ends = directories.clock() + timedelta(days=1)
    server.answer = lambda wishes: (
        201,
        server.reply_to(wishes) | {"client_secret_expires_at": int(ends.timestamp())},
    )
    directory = directories.directory()
    await client_for(directory, metadata)
    gateway, redirect_uri = GATEWAY, CALLBACK
    if change == "expired":
        directories.clock.advance(timedelta(days=1))
        server.answer = None
        assert await directory.existing(GATEWAY, metadata) is None
    elif change == "inactive":
        (kept,) = await directories.records.clients.list()
        await directories.records.clients.delete(kept.id)
        await directories.records.clients.put(replace(kept, is_active=False))
        assert await directory.existing(GATEWAY, metadata) is None
    elif change == "redirect":
        redirect_uri = CALLBACK + "/" + GATEWAY.id
    else:
        gateway = a_gateway(grant_type="client_credentials")
    client = await client_for(directory, metadata, gateway=gateway, redirect_uri=redirect_uri)
    assert client.client_id == "client-2"
    assert [kept.client_id for kept in await directories.records.clients.list()] == ["client-2"]
    given_back = [] if change == "inactive" else [("client-1", "Bearer manage-1")]
    assert server.forgotten == given_back


async def test_a_kept_secret_that_does_not_open_says_how_to_mend_it(directories, metadata):
    await client_for(directories.directory(), metadata)
    changed = Directories(directories.records, SuiteCipher(), directories.clock, directories.registrars, [])
    (kept,) = await directories.records.clients.list()
    with pytest.raises(Unsealable, match="registered at") as caught:
        await client_for(changed.directory(), metadata)
    assert caught.value.status == 503
    assert f"/oauth/registered-clients/{kept.id}" in caught.value.remedy
    assert "AUTH_ENCRYPTION_SECRETS_OLD" in caught.value.remedy
    forgotten = await changed.directory().delete(kept.id)  # the remedy works without the old secret
    assert "RFC 7592" in forgotten.answer  # the token that manages it does not open either
    assert (await client_for(changed.directory(), metadata)).client_id == "client-2"


async def test_a_kept_client_is_used_when_dcr_is_switched_off_or_gone(directories, metadata, dcr):
    first = await client_for(directories.directory(), metadata)
    for registrars in ([StaticRegistrar(), dcr(dcr_enabled=False)], [StaticRegistrar()]):
        off = Directories(directories.records, directories.cipher, directories.clock, registrars, [])
        assert await client_for(off.directory(), metadata) == first
    other = replace(GATEWAY, id="2" * 32)
    for registrars in ([StaticRegistrar(), dcr(dcr_enabled=False)], [StaticRegistrar()]):
        off = Directories(directories.records, directories.cipher, directories.clock, registrars, [])
        with pytest.raises(RegistrationFailed, match="no client_id"):
            await client_for(off.directory(), metadata, gateway=other)


async def test_without_an_issuer_nothing_can_be_kept(directories, metadata):
    nameless = replace(metadata, issuer=None)
    with pytest.raises(IssuerMissing):
        await client_for(directories.directory(), nameless)
    assert await directories.directory().existing(GATEWAY, nameless) is None

    class Careless(StaticRegistrar):
        keeps = Keeps.REGISTERED

        async def register(self, request):
            return Registration(ClientCredentials("c"), (CALLBACK,), (), "", None, None, None)

    directories.registrars = [Careless()]
    with pytest.raises(IssuerMissing):
        await client_for(directories.directory(), nameless)


async def test_a_registrar_that_keeps_may_still_compute(directories, metadata):
    class Either(StaticRegistrar):
        keeps = Keeps.REGISTERED

        async def register(self, request):
            return ClientCredentials("computed")

    directories.registrars = [Either()]
    assert (await client_for(directories.directory(), metadata)).client_id == "computed"
    assert (await client_for(directories.directory(), replace(metadata, issuer=None))).client_id == "computed"
    assert await directories.records.clients.list() == []


async def test_a_conflict_that_nobody_won_is_told(directories, metadata, server):
    """The record is there and does not fit, and deleting it came too early."""
    ours = directories.directory()
    delete = directories.records.clients.delete

    async def delete_and_be_too_late(row):
        (old,) = await directories.records.clients.list()
        done = await delete(row)
        await directories.records.clients.put(replace(old, id="f" * 32))
        return done

    await client_for(ours, metadata)
    directories.records.clients.delete = delete_and_be_too_late
    with pytest.raises(RecordConflict):
        await client_for(ours, metadata, redirect_uri=CALLBACK + "/" + GATEWAY.id)
    assert ("client-2", "Bearer manage-2") in server.forgotten


async def test_a_computed_client_id_is_remembered_until_something_it_was_computed_of_changes(directories, metadata):
    class Counted(StaticRegistrar):
        asked = 0

        async def register(self, request):
            self.asked += 1
            return ClientCredentials(f"computed-{self.asked}")

    registrar = Counted()
    directories.registrars = [registrar]
    directory = directories.directory()

    async def client_id(gateway=GATEWAY, server=metadata, redirect_uri=CALLBACK, scopes=("a",)):
        return await directory.client_id_for(gateway, server, redirect_uri, scopes)

    assert await client_id() == await client_id() == "computed-1"
    assert await client_id(replace(GATEWAY, revision=GATEWAY.revision + 1)) == "computed-2"
    assert await client_id(redirect_uri=f"{CALLBACK}/x") == "computed-3"
    assert await client_id(scopes=("b",)) == "computed-4"
    assert await client_id(server=replace(metadata), scopes=("b",)) == "computed-5"


async def test_a_client_id_that_is_fetched_is_asked_for_each_time(directories, metadata):
    class Vault(StaticRegistrar):
        keeps = Keeps.FETCHED
        names = iter(("first", "second"))

        async def register(self, request):
            return ClientCredentials(next(self.names))

    directories.registrars = [Vault()]
    directory = directories.directory()
    assert [await directory.client_id_for(GATEWAY, metadata, CALLBACK, ()) for _ in range(2)] == ["first", "second"]


async def test_a_computed_client_is_never_kept(directories, metadata, server):
    class Document(StaticRegistrar):
        async def register(self, request):
            return ClientCredentials("https://gw.example/client.json")

    directories.registrars.insert(1, Document())
    client = await client_for(directories.directory(), metadata)
    assert client.client_id == "https://gw.example/client.json"
    assert await directories.directory().existing(GATEWAY, metadata) == client
    assert (await directories.records.clients.list(), server.asked) == ([], [])


# -- refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "server_says", "why"),
    [
        ({"dcr_enabled": False}, {}, "Dynamic Client Registration: DCR_ENABLED is false"),
        (
            {"dcr_auto_register_on_missing_credentials": False},
            {},
            "Dynamic Client Registration: DCR_AUTO_REGISTER_ON_MISSING_CREDENTIALS is false",
        ),
        ({}, {"registration_endpoint": None}, "does not support RFC 7591"),
        ({"dcr_allowed_issuers": ["https://other.example"]}, {}, "is not in DCR_ALLOWED_ISSUERS"),
        (
            {"dcr_token_endpoint_auth_method": "none"},
            {"token_endpoint_auth_methods_supported": ("tls",)},
            "needs a key",
        ),
    ],
)
async def test_a_refusal_says_why_no_way_applied_and_what_to_enter(
    directories, dcr, metadata, *, settings, server_says, why
):
    directories.registrars[1] = dcr(**settings)
    with pytest.raises(RegistrationFailed) as caught:
        await client_for(directories.directory(), replace(metadata, **server_says))
    assert why in caught.value.detail
    assert "entered by an administrator: no client_id is entered on the gateway" in caught.value.detail
    assert caught.value.remedy.endswith(f"The redirect URI to enter there: {CALLBACK}")


async def test_the_servers_own_refusal_keeps_its_words(directories, metadata, server):
    server.answer = lambda _: (400, {"error": "invalid_redirect_uri", "error_description": "not on our list"})
    directory = directories.directory()
    answers = await asyncio.gather(*[client_for(directory, metadata) for _ in range(3)], return_exceptions=True)
    assert len(server.asked) == 1
    for refused in answers:
        assert isinstance(refused, RegistrationFailed)
        assert "not on our list" in refused.detail
        assert refused.detail.count("Other ways") == 1
        assert refused.remedy.count(CALLBACK) == 1


# -- dropped and deleted ------------------------------------------------------------------------------


async def test_a_dropped_client_is_registered_once_again(directories, metadata, server):
    directory = directories.directory()
    await client_for(directory, metadata)
    assert await directory.drop(GATEWAY.id, metadata.issuer, client_id="client-1") is True
    assert (await client_for(directory, metadata)).client_id == "client-2"
    assert await directory.drop(GATEWAY.id, metadata.issuer, client_id="client-1") is False  # somebody dropped it
    assert (await client_for(directory, metadata)).client_id == "client-2"
    assert await directory.drop(GATEWAY.id, metadata.issuer) is True
    assert await directory.drop(GATEWAY.id, metadata.issuer) is False


async def test_deleting_forgets_here_and_at_the_server(directories, metadata, server):
    directory = directories.directory()
    await client_for(directory, metadata)
    forgotten = await directory.delete("client-1")
    assert forgotten.client.client_id == "client-1"
    assert "has forgotten" in forgotten.answer
    assert server.forgotten == [("client-1", "Bearer manage-1")]
    assert await directories.records.clients.list() == []
    with pytest.raises(NotFound):
        await directory.delete("client-1")


async def test_a_client_id_of_two_rows_is_ambiguous(directories, metadata, server):
    server.answer = lambda wishes: (201, server.reply_to(wishes) | {"client_id": "same"})
    directory = directories.directory()
    await client_for(directory, metadata)
    await client_for(directory, metadata, gateway=replace(GATEWAY, id="1" * 32))
    rows = await directories.records.clients.list()
    with pytest.raises(Conflict) as caught:
        await directory.delete("same")
    assert all(row.id in caught.value.detail for row in rows)
    assert (await directory.delete(rows[0].id)).client == rows[0]
    assert (await directory.delete("same")).client == rows[1]


async def test_all_clients_of_a_gateway(directories, metadata, server):
    directory = directories.directory()
    await client_for(directory, metadata)
    await client_for(directory, replace(metadata, issuer=f"{server.base}/other"))
    await client_for(directory, metadata, gateway=replace(GATEWAY, id="1" * 32))
    rows = await directories.records.clients.list(gateway_id=GATEWAY.id)
    forgotten = await directory.forget_all(rows, within=timedelta(seconds=60))
    assert [one.client.client_id for one in forgotten] == ["client-1", "client-2"]
    assert [client_id for client_id, _ in server.forgotten] == ["client-1", "client-2"]
    directories.registrars = [StaticRegistrar()]
    assert "No installed plugin" in (await directories.directory().delete("client-3")).answer


async def test_a_public_client_needs_no_secret(directories, metadata, server):
    server.answer = lambda _: (201, {"client_id": "public"})
    directory = directories.directory()
    await client_for(directory, metadata)
    assert await client_for(directory, metadata) == ClientCredentials("public", None, "none")
    assert "RFC 7592" in (await directory.delete("public")).answer
