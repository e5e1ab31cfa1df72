"""A registered client that lacks scopes is given them at the server, and stays the same client."""

import asyncio
import logging
from datetime import timedelta

import pytest
from latchpin.contracts import ClientUpdates
from latchpin.errors import RegistrationFailed
from latchpin.model import ClientCredentials, RegisteredClient

from tests.dcr.conftest import CALLBACK, Directories, a_gateway

GATEWAY = a_gateway()


async def client_for(directories: Directories, metadata, *scopes: str) -> ClientCredentials:
    """As a process of its own asks."""
    return await directories.directory().client_for(GATEWAY, metadata, CALLBACK, scopes)


async def kept(directories: Directories) -> RegisteredClient:
    (row,) = await directories.records.clients.list()
    return row


async def test_missing_scopes_are_added_to_those_it_has(directories, metadata, server, caplog):
    caplog.set_level(logging.INFO)
    await client_for(directories, metadata, "a", "b")
    before = await kept(directories)
    client = await client_for(directories, metadata, "b", "c")
    assert client == ClientCredentials("client-1", "secret-again-1", "client_secret_basic")
    assert server.updates == [
        {**server.asked[0], "client_id": "client-1", "client_secret": "secret-1", "scope": "a b c"}
    ]
    after = await kept(directories)
    assert (after.id, after.client_id, after.scope) == (before.id, "client-1", "a b c")
    assert (after.created_at, after.redirect_uris) == (before.created_at, before.redirect_uris)
    assert await client_for(directories, metadata, "c", "a") == client
    assert (len(server.asked), len(server.updates), server.forgotten) == (1, 1, [])
    for secret in ("secret-", "manage-"):
        assert secret not in caplog.text + repr(after)


async def test_each_update_is_made_with_the_token_of_the_last(directories, metadata, server):
    for scope in "abc":
        await client_for(directories, metadata, scope)
    assert [update["scope"] for update in server.updates] == ["a b", "a b c"]
    assert [update["client_secret"] for update in server.updates] == ["secret-1", "secret-again-1"]
    assert "has forgotten" in (await directories.directory().delete("client-1")).answer
    assert server.forgotten == [("client-1", "Bearer manage-again-2")]


async def test_what_the_answer_leaves_out_is_as_before(directories, metadata, server):
    end = int((directories.clock() + timedelta(days=30)).timestamp())
    server.answer = lambda wishes: (201, server.reply_to(wishes) | {"client_secret_expires_at": end})
    server.answer_update = lambda _: (200, {"scope": "a b", "client_secret": None})
    first = await client_for(directories, metadata, "a")
    before = await kept(directories)
    assert await client_for(directories, metadata, "a", "b") == first
    after = await kept(directories)
    assert after.scope == "a b"
    assert after.expires_at == before.expires_at
    assert after.registration_client_uri == before.registration_client_uri
    await directories.directory().delete("client-1")
    assert server.forgotten == [("client-1", "Bearer manage-1")]


async def test_a_client_without_a_scope_has_all(directories, metadata, server):
    server.answer = lambda wishes: (201, server.reply_to(wishes) | {"scope": ""})
    await client_for(directories, metadata, "a")
    await client_for(directories, metadata, "a", "b")
    assert server.updates == []


@pytest.mark.parametrize("member", ["registration_client_uri", "registration_access_token"])
async def test_where_nothing_manages_it_the_client_is_used_as_it_is(directories, metadata, server, member):
    def answer(wishes):
        reply = server.reply_to(wishes)
        del reply[member]
        return 201, reply

    server.answer = answer
    first = await client_for(directories, metadata, "a")
    assert await client_for(directories, metadata, "a", "b") == first
    assert (len(server.asked), server.updates) == (1, [])


async def test_a_registrar_of_before_goes_on_working(directories, metadata, server):
    class Earlier:
        """Has what every registrar has."""

        def __init__(self, registrar) -> None:
            self.label, self.keeps = registrar.label, registrar.keeps
            self.obstacle, self.register, self.forget = registrar.obstacle, registrar.register, registrar.forget

    directories.registrars[1] = Earlier(directories.registrars[1])
    assert not isinstance(directories.registrars[1], ClientUpdates)
    first = await client_for(directories, metadata, "a")
    assert await client_for(directories, metadata, "a", "b") == first
    assert server.updates == []


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (400, {"error": "invalid_client_metadata", "error_description": "not that scope"}, "not that scope"),
        (401, {"error": "invalid_token"}, "HTTP 401"),
        (200, {"client_id": "client-7"}, "another client_id"),
        (200, {"client_secret": "\n"}, "a client_secret that cannot be read"),
        (200, {"redirect_uris": ["https://elsewhere.example/"]}, "redirect URIs without this gateway's"),
        (200, {"token_endpoint_auth_method": "tls_client_auth"}, "an authentication method that was not asked for"),
        (200, {"grant_types": ["implicit"]}, "no authorization_code grant"),
        (200, ["no object"], "not a JSON object"),
        (503, {}, "HTTP 503"),
    ],
)
async def test_a_server_that_does_not_add_them_is_left_alone_for_an_hour(
    *, directories, metadata, server, caplog, status, body, why
):
    first = await client_for(directories, metadata, "a")
    before = await kept(directories)
    server.answer_update = lambda _: (status, body)
    for _ in range(3):
        assert await client_for(directories, metadata, "a", "b") == first
    assert await kept(directories) == before
    assert len(server.updates) == 1
    assert why in caplog.text
    assert "secret-1" not in caplog.text
    await client_for(directories, metadata, "a", "c")  # these it was not asked for
    assert len(server.updates) == 2
    directories.clock.advance(timedelta(hours=1))
    server.answer_update = None
    await client_for(directories, metadata, "a", "b")
    assert (await kept(directories)).scope == "a b"


async def test_a_server_that_gives_fewer_than_it_is_asked_for_is_believed(directories, metadata, server):
    server.answer = lambda wishes: (201, server.reply_to(wishes) | {"scope": "a"})
    await client_for(directories, metadata, "a", "b")
    await client_for(directories, metadata, "a", "b")
    assert server.updates == []  # the registration has asked for it
    server.answer_update = lambda wishes: (200, wishes | {"scope": "a c", "registration_access_token": "next"})
    await client_for(directories, metadata, "a", "c", "d")
    await client_for(directories, metadata, "a", "c", "d")
    assert len(server.updates) == 1
    assert (await kept(directories)).scope == "a c"


async def test_a_server_that_asks_for_a_pause_is_asked_after_it(directories, metadata, server, caplog):
    await client_for(directories, metadata, "a")
    server.answer_update = lambda _: (429, {})
    for _ in range(2):
        await client_for(directories, metadata, "a", "b")
    assert len(server.updates) == 1
    assert caplog.text.count("stay as they are") == 1
    directories.clock.advance(timedelta(minutes=59))
    server.answer_update = None
    await client_for(directories, metadata, "a", "b")
    assert (await kept(directories)).scope == "a b"


async def test_switched_off_nothing_is_changed(directories, metadata, server, dcr):
    first = await client_for(directories, metadata, "a")
    directories.registrars[1] = dcr(dcr_allowed_issuers=["https://other.example"])
    assert await client_for(directories, metadata, "a", "b") == first
    assert server.updates == []


async def test_eight_users_in_eight_processes_make_one_update(directories, metadata, server):
    await client_for(directories, metadata, "a")
    directories.wait_for_release()
    clients = await asyncio.gather(*[client_for(directories, metadata, "a", "b") for _ in range(8)])
    assert set(clients) == {ClientCredentials("client-1", "secret-again-1", "client_secret_basic")}
    assert [update["scope"] for update in server.updates] == ["a b"]


async def test_users_who_want_different_scopes_get_them_in_turn(directories, metadata, server):
    await client_for(directories, metadata, "a")
    directories._pause = asyncio.sleep  # each holds the lease in turn, for as long as it takes
    directory = directories.directory()
    await asyncio.gather(*[directory.client_for(GATEWAY, metadata, CALLBACK, ("a", scope)) for scope in "bcd"])
    assert set((await kept(directories)).scope.split()) == set("abcd")
    assert len(server.updates) == 3


# -- what the rows go through meanwhile ---------------------------------------------------------------


class _Dead(Exception):
    """The process was killed there."""


async def test_a_process_that_dies_between_the_rows_loses_neither(directories, metadata, server, monkeypatch):
    await client_for(directories, metadata, "a")
    row = await kept(directories)

    async def die(client):
        raise _Dead

    with monkeypatch.context() as patch:
        patch.setattr(directories.records.clients, "put", die)
        with pytest.raises(_Dead):
            await client_for(directories, metadata, "a", "b")
    assert await directories.records.clients.list() == []
    assert (await directories.directory().existing(GATEWAY, metadata)).client_secret == "secret-again-1"
    after = await kept(directories)
    assert (after.id, after.scope) == (row.id, "a b")
    assert await directories.directory().drop(GATEWAY.id, metadata.issuer)
    assert await directories.directory().existing(GATEWAY, metadata) is None  # it does not come back
    assert len(server.asked) == 1


async def test_who_reads_between_the_rows_finds_the_new_one(directories, metadata, monkeypatch):
    await client_for(directories, metadata, "a")
    put, seen = directories.records.clients.put, []

    async def read_before(client):
        monkeypatch.setattr(directories.records.clients, "put", put)
        seen.append(await directories.directory().existing(GATEWAY, metadata))
        await put(client)

    monkeypatch.setattr(directories.records.clients, "put", read_before)
    client = await client_for(directories, metadata, "a", "b")
    assert seen == [client]
    assert (await kept(directories)).scope == "a b"


async def test_a_client_that_is_deleted_meanwhile_stays_deleted(directories, metadata, server):
    await client_for(directories, metadata, "a")
    row = await kept(directories)
    registrar = directories.registrars[1]
    update = type(registrar).update

    class Slow(type(registrar)):
        async def update(self, *args, **kwargs):
            answer = await update(self, *args, **kwargs)
            await directories.directory().delete(row.id)
            return answer

    directories.registrars[1] = Slow(registrar.settings, registrar.upstream, registrar.clock)
    with pytest.raises(RegistrationFailed, match="was deleted while"):
        await client_for(directories, metadata, "a", "b")
    assert await directories.records.clients.list() == []
    assert await directories.directory().existing(GATEWAY, metadata) is None
    assert server.forgotten[-1] == ("client-1", "Bearer manage-again-1")
