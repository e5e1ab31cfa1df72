"""Webhooks to a real receiver that checks signatures, is down, slow, wrong and gone."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from latchpin.assembly.clock import utc_now
from latchpin.errors import SettingsError
from latchpin.model import Document, Span
from latchpin.settings import load
from latchpin_attention.book import look
from latchpin_attention.outbox import Entry, Undelivered
from latchpin_webhook.endpoints import open_endpoints
from latchpin_webhook.settings import WebhookSettings
from latchpin_webhook.signing import read_secret, sign
from latchpin_webhook.turns import OUTBOX, PAUSES, Turns, open_outbox

from tests.notify.conftest import DAY, OLD_SECRET, SECRET, Receiver, connect, gateway_of
from tests.servers import GatewayBackend, run_latchpin
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway
from tests.support.gateway_process import deploy_gateway, settings_of
from tests.token_refresh.conftest import open_application

pytestmark = pytest.mark.needs("latchpin_demo", "latchpin_memory_store", "latchpin_webhook")

BOB = "bob@example.com"


async def turns_of(gateway: InnerGateway) -> Turns:
    application = gateway.application
    return Turns(application, await open_endpoints(load(WebhookSettings), application.services.context))


async def take(gateway: InnerGateway, turns: Turns, **later: float) -> int:
    """Look and take a turn, a while later."""
    gateway.clock.advance(**(later or {"seconds": 11}))
    await look(gateway.application)
    return await turns.take()


def test_a_message_is_signed_as_standard_webhooks_says():
    # The example of its specification and libraries.
    key = read_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    fields = sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [key])
    assert fields == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize(
    "wrong", ["hunter2hunter2", "whsec_", "whsec_!hunter2", "whsec_aHVudGVyMg==", "whsec_" + "QUFB" * 30]
)
def test_a_secret_that_is_none_is_refused_and_not_repeated(wrong: str, monkeypatch):
    monkeypatch.setenv("WEBHOOK_SECRETS", wrong)
    with pytest.raises(SettingsError, match="latchpin webhook secret") as refused:
        load(WebhookSettings)
    assert wrong.removeprefix("whsec_") not in refused.value.detail or wrong == "whsec_"


@pytest.mark.parametrize(
    ("urls", "more"),
    [
        ("https://hooks.example.com/", {}),  # no secret
        ("http://hooks.example.com/", {"WEBHOOK_SECRETS": SECRET}),
        ("https://user:hunter2@hooks.example.com/", {"WEBHOOK_SECRETS": SECRET}),
        ("ftp://hooks.example.com/", {"WEBHOOK_SECRETS": SECRET}),
        ("https://a.example.com https://a.example.com", {"WEBHOOK_SECRETS": SECRET}),
    ],
)
def test_settings_that_do_not_hold_are_refused(urls: str, more: dict[str, str], monkeypatch):
    monkeypatch.setenv("WEBHOOK_URLS", urls)
    for name, value in more.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load(WebhookSettings)
    assert "hunter2" not in caught.value.detail


async def test_a_need_is_told_once_and_its_end_once(told, gateway: InnerGateway, receiver: Receiver):
    entry = await gateway_of(gateway.application, "Notes <b>\u202e")
    await connect(gateway.application, entry, ALICE, spent=True, label="work")
    turns = await turns_of(gateway)
    assert [await take(gateway, turns) for _ in range(3)] == [1, 0, 0]
    ((name, event, data),) = receiver.got
    assert (event, data["owner"], data["person"], data["account"]) == ("connection.needs_person", ALICE, ALICE, "work")
    assert data["authorize_url"] == f"{BASE}/oauth/authorize/{entry.id}?account=work"
    assert (data["cause"], data["works"], data["gateway"]["name"]) == ("refresh-refused", False, "Notes <b>\u202e")
    assert receiver.raw[0].isascii()
    assert name.startswith("msg_")
    await connect(gateway.application, entry, ALICE, label="work")
    assert [await take(gateway, turns) for _ in range(2)] == [1, 0]
    assert receiver.events == ["connection.needs_person", "connection.mended"]
    assert receiver.got[1][2]["need"] == data["need"]
    assert receiver.bad == 0


async def test_no_token_and_no_secret_leaves_or_is_logged(
    told, gateway: InnerGateway, receiver: Receiver, log: Callable[[], str]
):
    entry = await gateway_of(gateway.application)
    token = await connect(gateway.application, entry, ALICE, spent=True)
    receiver.answers = [500]
    turns = await turns_of(gateway)
    await take(gateway, turns)
    sent = receiver.raw[0].decode()
    for secret in (token.access_token, token.id, "secret-path"):
        assert secret not in sent
    for secret in (SECRET.removeprefix("whsec_"), "secret-path"):
        assert secret not in log()


async def test_a_receiver_that_fails_is_tried_again_under_the_same_id(told, gateway: InnerGateway, receiver: Receiver):
    receiver.answers = [500, 301, 503]
    receiver.headers = [("location", f"{receiver.url}/elsewhere"), ("retry-after", "900")]
    entry = await gateway_of(gateway.application)
    await connect(gateway.application, entry, ALICE, spent=True)
    turns = await turns_of(gateway)
    assert await take(gateway, turns) == 0
    assert await take(gateway, turns) == 0  # the first pause is five seconds
    assert await take(gateway, turns, minutes=6) == 0
    assert await take(gateway, turns, minutes=14) == 0, "it asked for a quarter of an hour"
    assert await take(gateway, turns, minutes=30) == 1
    assert len(receiver.got) == 4
    assert len(set(receiver.ids)) == 1
    assert not any("elsewhere" in path for path in receiver.paths), "no redirect is followed"


async def test_what_is_mended_before_it_could_be_told_is_not_told(told, gateway: InnerGateway, receiver: Receiver):
    receiver.answers = [500]
    entry = await gateway_of(gateway.application)
    await connect(gateway.application, entry, ALICE, spent=True)
    turns = await turns_of(gateway)
    assert await take(gateway, turns) == 0
    await connect(gateway.application, entry, ALICE)
    for _ in range(4):
        assert await take(gateway, turns, minutes=10) == 0
    assert receiver.events == ["connection.needs_person"], "neither again, nor that it is over"


async def test_who_is_gone_is_told_nothing_more(told, gateway: InnerGateway, receiver: Receiver):
    receiver.answers = [410]
    entry = await gateway_of(gateway.application)
    await connect(gateway.application, entry, ALICE, spent=True)
    turns = await turns_of(gateway)
    assert await take(gateway, turns) == 0
    await connect(gateway.application, entry, BOB, spent=True)
    assert await take(gateway, turns, minutes=10) == 0
    assert len(receiver.got) == 1


async def test_a_receiver_that_never_takes_it_is_given_up(told, gateway: InnerGateway, receiver: Receiver):
    entry = await gateway_of(gateway.application)
    await connect(gateway.application, entry, ALICE, spent=True)
    receiver.answers = [500] * 50
    turns = await turns_of(gateway)
    for pause in (*PAUSES, DAY):
        await take(gateway, turns, seconds=1.2 * pause.total_seconds())
    await take(gateway, turns, days=2)
    assert len(receiver.got) == len(PAUSES) + 1
    (dead,) = await turns._outbox.list("dead")
    assert dead.reason == "it answered 500"


async def test_what_ended_long_before_the_setting_is_not_told(told, gateway: InnerGateway, receiver: Receiver):
    entry = await gateway_of(gateway.application)
    await connect(gateway.application, entry, ALICE, spent=True)
    turns = await turns_of(gateway)
    assert await take(gateway, turns, days=31) == 0
    assert receiver.got == []


async def test_with_several_secrets_each_signs(told, environment, gateway: InnerGateway, receiver: Receiver):
    environment.setenv("WEBHOOK_SECRETS", f"{SECRET},{OLD_SECRET}")
    entry = await gateway_of(gateway.application)
    turns = await turns_of(gateway)
    for number, known in enumerate((SECRET, OLD_SECRET)):
        receiver.keys = [known]
        await connect(gateway.application, entry, f"person-{number}@example.com", spent=True)
        assert await take(gateway, turns) == 1
    assert receiver.bad == 0
    environment.setenv("WEBHOOK_SECRETS", OLD_SECRET)
    receiver.keys = [SECRET]
    await connect(gateway.application, entry, ALICE, spent=True)
    assert await take(gateway, await turns_of(gateway)) == 0
    assert receiver.bad == 1


async def test_a_private_address_is_refused_unless_a_setting_lets_it(environment, receiver: Receiver):
    environment.setenv("OAUTH_ALLOW_PRIVATE_NETWORKS", "false")
    environment.setenv("WEBHOOK_URLS", receiver.url.replace("http://", "https://"))
    environment.setenv("WEBHOOK_SECRETS", SECRET)
    async with open_application({}) as application:
        endpoints = await open_endpoints(load(WebhookSettings), application.services.context)
        turns = Turns(application, endpoints)
        entry = await gateway_of(application)
        await connect(application, entry, ALICE, spent=True)
        await look(application)
        assert await turns.take() == 0
        (waiting,) = await turns._outbox.list("waiting")
        assert "is loopback" in waiting.reason
        assert "WEBHOOK_ALLOW_PRIVATE_NETWORKS" in waiting.reason
    assert receiver.paths == []


@pytest.mark.backends("sqlite", "redis", "postgres")
async def test_two_workers_tell_once_and_one_goes_on_where_another_died(told, pair, receiver: Receiver):
    one, two = pair
    for each in pair:
        each.clock.stop()
    two.clock.stopped_at = one.clock.stopped_at
    entry = await gateway_of(one.application)
    for number in range(20):
        await connect(one.application, entry, f"person-{number}@example.com", spent=True)
    await look(one.application)
    turns = [await turns_of(each) for each in pair]
    delivered = [sum(await asyncio.gather(*(each.take() for each in turns))) for _ in range(2)]
    assert sum(delivered) == len(receiver.ids) == len(set(receiver.ids)) == 20

    receiver.hold = threading.Event()
    receiver.came = threading.Semaphore(0)
    await connect(one.application, entry, ALICE, spent=True)
    await look(one.application)
    for each in pair:
        each.clock.advance(seconds=11)
    dying = asyncio.create_task(turns[0].take())
    await receiver.wait()
    dying.cancel()
    await asyncio.wait([dying])
    receiver.hold.set()
    assert await turns[1].take() == 0, "it may be at it still"
    two.clock.advance(minutes=10)
    assert await turns[1].take() == 1
    assert receiver.ids[-1] == receiver.ids[-2], "delivered at least once, and always under one id"


@pytest.mark.backends("sqlite")
async def test_a_killed_worker_loses_nothing_and_the_commands_show_it(
    backend: GatewayBackend, receiver: Receiver, tmp_path: Path
):
    receiver.hold = threading.Event()
    settings = {
        "WEBHOOK_URLS": receiver.url,
        "WEBHOOK_SECRETS": SECRET,
        "WEBHOOK_ALLOW_PRIVATE_NETWORKS": "true",
    }
    environment = settings_of(backend) | settings
    async with open_application(environment, utc_now) as application:  # before it serves: it takes a turn at once
        entry = await gateway_of(application)
        await connect(application, entry, ALICE, spent=True)
        await look(application)
    with deploy_gateway(backend, tmp_path, "serve", **settings) as deployed:
        await receiver.wait()
        deployed.process.kill()
    receiver.hold.set()
    listed = await asyncio.to_thread(run_latchpin, "webhook", "list", "--json", env=environment, cwd=tmp_path)
    (message,) = json.loads(listed.stdout)["messages"]
    assert (message["id"], message["tries"]) == (receiver.ids[0], 1)
    assert "secret-path" not in listed.stdout
    async with open_application(environment, lambda: utc_now() + timedelta(minutes=10)) as application:
        endpoints = await open_endpoints(load(WebhookSettings), application.services.context)
        assert await Turns(application, endpoints).take() == 1
    assert receiver.ids == [message["id"]] * 2
    tried = await asyncio.to_thread(run_latchpin, "webhook", "test", env=environment, cwd=tmp_path)
    assert tried.returncode == 0, tried.stderr
    assert receiver.events[-1] == "webhook.test"
    receiver.answers = [500]
    failed = await asyncio.to_thread(run_latchpin, "webhook", "test", env=environment, cwd=tmp_path)
    assert failed.returncode == 1
    assert "did not take it: it answered 500" in failed.stderr
    assert "secret-path" not in failed.stderr


@pytest.mark.backends("sqlite")
async def test_a_message_that_was_given_up_is_tried_again_and_a_receiver_that_was_gone_with_it(
    backend: GatewayBackend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    named = {"WEBHOOK_URLS": "https://hooks.example.com/secret-path", "WEBHOOK_SECRETS": SECRET}
    settings = settings_of(backend) | named
    for name, value in named.items():
        monkeypatch.setenv(name, value)

    async def refuse(_: Entry) -> None:
        raise Undelivered("it answered 410", final=True)

    async def retry(name: str) -> tuple[int, str]:
        done = await asyncio.to_thread(run_latchpin, "webhook", "retry", name, env=settings, cwd=tmp_path)
        return done.returncode, done.stderr

    async with open_application(settings, utc_now) as application:
        context = application.services.context
        outbox, endpoints = open_outbox(context), await open_endpoints(load(WebhookSettings), context)
        (endpoint,) = endpoints.all.values()
        for name in ("one", "two", "three"):
            await outbox.put(name, {"endpoint": endpoint.id, "event": "connection.mended"})
        await outbox.work_off(refuse)
        await endpoints.note_gone(endpoint)
    code, said = await retry("other")
    assert (code, "no message 'other' was given up" in said) == (1, True)
    async with open_application(settings, utc_now) as application:
        endpoints = await open_endpoints(load(WebhookSettings), application.services.context)
        assert await endpoints.gone_since(endpoint) is not None
    code, said = await retry("two")
    assert (code, "1 message is tried again" in said) == (0, True)
    assert "2 messages are tried again" in (await retry("all"))[1]
    async with open_application(settings, utc_now) as application:
        context = application.services.context
        assert [each.id for each in await open_outbox(context).list("waiting")] == ["one", "three", "two"]
        endpoints = await open_endpoints(load(WebhookSettings), context)
        assert await endpoints.gone_since(endpoint) is None


Change = Callable[[dict[str, Any]], object]
CHANGES: dict[str, Change] = {
    "another event": lambda body: body.update(event="wire.money"),
    "the event of a test": lambda body: body.update(event="webhook.test"),
    "no text for an event": lambda body: body.update(event=["connection.mended"]),
    "another need": lambda body: body["need"].update(id="0" * 32),
    "a need with dots": lambda body: body["need"].update(id="a.1.b"),
    "a path for a gateway": lambda body: body["need"].update(gateway_id="../../logout?"),
    "a cause that there is not": lambda body: body["need"].update(cause="because I say so"),
    "an object for an owner": lambda body: body["need"].update(owner={"said": "anything"}),
    "objects for scopes": lambda body: body["need"].update(wanted=[{"said": "anything"}]),
    "a member more": lambda body: body["need"].update(more="anything"),
    "a member less": lambda body: body["need"].pop("owner"),
    "a text for a need": lambda body: body.update(need="anything"),
}


@pytest.mark.parametrize("event", ["connection.needs_person", "connection.mended"])
async def test_nothing_is_signed_that_somebody_wrote_into_the_store(
    told, gateway: InnerGateway, receiver: Receiver, event: str
):
    turns = await turns_of(gateway)
    written = await put_off(gateway, turns, receiver, event)
    for what, change in CHANGES.items():
        await rewrite(gateway, written, change)
        assert await turns.take() == 0
        assert receiver.raw == [], what
        (dead,) = await turns._outbox.list("dead")
        assert "it was changed in the store" in dead.reason, what
    await rewrite(gateway, written, lambda body: body)
    assert await turns.take() == 1, "as it was, it is told"


async def test_a_message_under_an_id_that_somebody_chose_is_not_signed(told, gateway: InnerGateway, receiver: Receiver):
    """Dots in an id would let one signature stand for other bodies."""
    turns = await turns_of(gateway)
    written = await put_off(gateway, turns, receiver, "connection.needs_person")
    chosen = 'msg_a.1.{"type":"wire.money"}'
    await rewrite(gateway, replace(written, id=chosen), lambda body: body)
    await turns.take()
    assert set(receiver.ids) <= {written.id}
    assert [each.id for each in await turns._outbox.list("dead")] == [chosen]


async def test_what_needs_somebody_is_told_as_it_is_whatever_the_outbox_says(
    told, gateway: InnerGateway, receiver: Receiver
):
    turns = await turns_of(gateway)
    written = await put_off(gateway, turns, receiver, "connection.needs_person")
    lies = {"gateway_name": "Pay here", "connected_by": BOB, "cause": "refused", "wanted": ["everything"]}
    await rewrite(gateway, written, lambda body: body["need"].update(lies))
    assert await turns.take() == 1
    ((_, _, data),) = receiver.got
    said = (data["gateway"]["name"], data["owner"], data["person"], data["cause"], data["scopes"])
    assert said == ("Notes", ALICE, ALICE, "refresh-refused", [])


async def put_off(gateway: InnerGateway, turns: Turns, receiver: Receiver, event: str) -> Document:
    """Have one message of that event wait, due, for its second try; what was sent until then is forgotten."""
    entry = await gateway_of(gateway.application, "Notes")
    await connect(gateway.application, entry, ALICE, spent=True)
    if event == "connection.mended":
        assert await take(gateway, turns) == 1
        await connect(gateway.application, entry, ALICE)
    receiver.answers = [500]
    assert await take(gateway, turns) == 0
    assert receiver.events[-1] == event
    receiver.got.clear()
    receiver.raw.clear()
    gateway.clock.advance(minutes=10)
    (waiting,) = await gateway.application.services.context.collection(OUTBOX).scan(
        "state", Span.only("waiting"), limit=9
    )
    return waiting


async def rewrite(gateway: InnerGateway, written: Document, change: Change) -> None:
    """Put a message in its place, changed, as somebody does who can write the store and has no key."""
    documents = gateway.application.services.context.collection(OUTBOX)
    body = json.loads(json.dumps(dict(written.body)))
    change(body["body"])
    held = await documents.get(written.id)
    await documents.put(replace(written, body=body, revision=0 if held is None else held.revision))
