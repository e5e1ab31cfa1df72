"""What was given up stands on a page of administrators, with its reason and a button that tries it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from latchpin_attention import undelivered
from latchpin_attention.outbox import Entry, Outbox, Undelivered
from latchpin_mail.turns import open_outbox as open_mail
from latchpin_webhook.endpoints import open_endpoints
from latchpin_webhook.settings import WebhookSettings
from latchpin_webhook.turns import open_outbox as open_webhooks
from latchpin_webhook.turns import retry_dead

from tests.admin_ui.conftest import BrowserUser
from tests.notify.conftest import SECRET
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, InnerGateway

pytestmark = pytest.mark.needs("latchpin_mail", "latchpin_memory_store", "latchpin_webhook")

URL = "https://hooks.example.com/secret-path"
MAIL, WEBHOOKS = "/admin/undelivered/mail", "/admin/undelivered/webhooks"


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    environment.setenv("WEBHOOK_URLS", URL)
    environment.setenv("WEBHOOK_SECRETS", SECRET)
    return environment


async def give_up(outbox: Outbox, **entries: dict[str, Any]) -> None:
    async def refuse(entry: Entry) -> None:
        raise Undelivered(f"no <b>mailbox</b> for {entry.id}", final=True)

    for name, body in entries.items():
        await outbox.put(name, body)
    await outbox.work_off(refuse)


async def states(outbox: Outbox) -> tuple[list[str], list[str]]:
    """What is dead, and what waits."""
    return [each.id for each in await outbox.list("dead")], [each.id for each in await outbox.list("waiting")]


def to(person: str) -> dict[str, Any]:
    return {"to": person, "needs": []}


async def test_mail_that_was_given_up_is_shown_and_tried_again(gateway: InnerGateway):
    gateway.clock.stop()
    outbox = open_mail(gateway.application.services.context)
    await give_up(outbox, one=to(ALICE), two=to("bob@example.com"))
    gateway.clock.advance(minutes=5)
    await give_up(outbox, three=to("carol@example.com"))
    async with BrowserUser.visiting(gateway, ADMIN) as admin:
        await admin.open(MAIL)
        assert "3 given up, 0 waiting" in admin.text
        assert "no <b>mailbox</b> for one" in admin.text
        assert "MAIL_SMTP_HOST is empty" in admin.text
        assert admin.page.index("entry-three") < min(admin.page.index("entry-one"), admin.page.index("entry-two"))
        assert (await admin.send(f"{MAIL}/retry", id="")).status_code == 400, "it names none, and does not mean all"
        assert (await states(outbox))[1] == []
        await admin.open(MAIL)
        done = await admin.send(f"{MAIL}/retry", id="two")
        assert (done.status_code, done.headers["location"]) == (303, BASE + MAIL)
        assert await states(outbox) == (["one", "three"], ["two"])
        await admin.open(MAIL)
        assert "2 given up, 1 waiting" in admin.text
        await admin.send(f"{MAIL}/retry")
        assert await states(outbox) == ([], ["one", "three", "two"])
        await admin.open(MAIL)
        assert "No mail was given up. 3 mails wait for another try." in admin.text
        assert "Undelivered webhooks" in admin.text, "the menu"


async def test_messages_to_receivers_likewise_and_one_that_was_gone_is_told_again(gateway: InnerGateway):
    context = gateway.application.services.context
    outbox, endpoints = open_webhooks(context), await open_endpoints(WebhookSettings(), context)
    (endpoint,) = endpoints.all.values()
    await give_up(outbox, one={"endpoint": endpoint.id}, two={"endpoint": "an earlier one"})
    await endpoints.note_gone(endpoint)
    async with BrowserUser.visiting(gateway, ADMIN) as admin:
        await admin.open(WEBHOOKS)
        assert "https://hooks.example.com " in admin.text
        assert "one that is not configured any more" in admin.text
        assert "secret-path" not in admin.page
        assert "WEBHOOK_URLS is empty" not in admin.text
        await admin.send(f"{WEBHOOKS}/retry", id="nothing-like-this")
        assert await endpoints.gone_since(endpoint) is not None
        await admin.open(WEBHOOKS)
        await admin.send(f"{WEBHOOKS}/retry", id="one")
    assert await endpoints.gone_since(endpoint) is None
    assert await states(outbox) == (["two"], ["one"])


async def test_a_receiver_that_was_gone_stays_so_where_a_message_to_another_is_tried_again(
    gateway: InnerGateway, environment: pytest.MonkeyPatch
):
    environment.setenv("WEBHOOK_URLS", f"{URL} https://hooks.example.org/other")
    environment.setenv("WEBHOOK_SECRETS", f"{SECRET} {SECRET}")
    context = gateway.application.services.context
    endpoints = await open_endpoints(WebhookSettings(), context)
    first, other = endpoints.all.values()
    await give_up(open_webhooks(context), one={"endpoint": first.id}, two={"endpoint": other.id})
    for each in (first, other):
        await endpoints.note_gone(each)
    assert await retry_dead(context, endpoints, "one") == 1
    assert await endpoints.gone_since(first) is None
    assert await endpoints.gone_since(other) is not None
    assert await retry_dead(context, endpoints) == 1
    assert await endpoints.gone_since(other) is None


@pytest.mark.parametrize("path", [MAIL, WEBHOOKS])
async def test_it_is_for_administrators_and_no_other_site_can_press_the_button(gateway: InnerGateway, path: str):
    opened: Callable[..., Outbox] = open_mail if path == MAIL else open_webhooks
    outbox = opened(gateway.application.services.context)
    await give_up(outbox, one={"to": ALICE, "needs": [], "endpoint": "x"})
    async with BrowserUser.visiting(gateway, ALICE) as user:
        assert (await user.open(path)).status_code == 403
        assert (await user.send(f"{path}/retry", proof=False)).status_code == 403
        await user.open("/")
        assert "Undelivered" not in user.text
    async with BrowserUser.visiting(gateway, ADMIN) as admin:
        await admin.open(path)
        assert (await admin.send(f"{path}/retry", proof=False)).status_code == 403
    assert await states(outbox) == (["one"], [])


async def test_of_many_the_newest_are_shown_and_all_are_tried_again(gateway: InnerGateway, monkeypatch):
    monkeypatch.setattr(undelivered, "MOST_ROWS", 2)
    gateway.clock.stop()
    outbox = open_mail(gateway.application.services.context)
    for number in range(3):
        await give_up(outbox, **{f"entry-{number}": to(ALICE)})
        gateway.clock.advance(minutes=1)
    async with BrowserUser.visiting(gateway, ADMIN) as admin:
        await admin.open(MAIL)
        assert "3 given up, 0 waiting for a try; the newest 2 are shown, and latchpin mail list --dead" in admin.text
        assert "entry-entry-0" not in admin.page
        await admin.send(f"{MAIL}/retry")
    assert await states(outbox) == ([], ["entry-0", "entry-1", "entry-2"])


@pytest.mark.parametrize("path", [MAIL, WEBHOOKS])
async def test_an_entry_that_does_not_say_for_whom_it_was_is_shown_all_the_same(gateway: InnerGateway, path: str):
    opened: Callable[..., Outbox] = open_mail if path == MAIL else open_webhooks
    await give_up(opened(gateway.application.services.context), one={})
    async with BrowserUser.visiting(gateway, ADMIN) as admin:
        assert (await admin.open(path)).status_code == 200
        assert "no <b>mailbox</b> for one" in admin.text
