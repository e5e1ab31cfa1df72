"""Mail through a real mail server: over TLS, signed in, once, bounded, and never more than its reader may know."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import json
import os
import re
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import latchpin_offboarding.people
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from latchpin.assembly.clock import utc_now
from latchpin.errors import SettingsError
from latchpin.model import COMPANY, Caller
from latchpin.settings import load
from latchpin_attention.book import look
from latchpin_attention.need import Need
from latchpin_attention.outbox import Entry, Undelivered
from latchpin_mail.address import is_deliverable
from latchpin_mail.letter import Letter, build_letter
from latchpin_mail.people import Bounds, People, Told, draft
from latchpin_mail.settings import MailSettings
from latchpin_mail.turns import PAUSES, Turns, open_outbox

from tests.admin_ui.conftest import BrowserUser
from tests.notify.conftest import DAY, PATIENCE, connect, gateway_of
from tests.servers import GatewayBackend, Reservation, run_latchpin
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, InnerGateway
from tests.support.gateway_process import deploy_gateway, settings_of
from tests.support.http_servers import write_certificate
from tests.token_refresh.conftest import open_application

pytestmark = pytest.mark.needs("latchpin_demo", "latchpin_mail", "latchpin_memory_store")

USER, PASSWORD = "gateway", "a-password-of-the-tests"


@dataclass
class MailServer:
    """What came.

    Attributes:
        port: where it listens, on localhost.
        answers: what it answers to the next messages instead of taking them.
        refuses: what it answers to recipients; ``""``: it takes all.
        got: what it took, each with its envelope's recipients.
        sign_ins: with which user names somebody signed in, and whether over TLS.
        seen: commands that came, in order.
        came: is released for each message that came, taken or not.
    """

    port: int = 0
    answers: list[str] = field(default_factory=list)
    refuses: str = ""
    got: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    sign_ins: list[tuple[str, bool]] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    came: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    async def handle_EHLO(self, server: Any, session: Any, envelope: Any, hostname: str, responses: Any) -> Any:  # noqa: N802  aiosmtpd names it
        self.seen.append("EHLO")
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802  aiosmtpd names it
        self.seen.append("RCPT")
        if self.refuses:
            return self.refuses
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd names it
        self.seen.append("DATA")
        self.came.release()
        if self.answers:
            return self.answers.pop(0)
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.got.append((list(envelope.rcpt_tos), cast("EmailMessage", parsed)))
        return "250 OK"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.sign_ins.append((data.login.decode(), session.ssl is not None))
        good = (data.login.decode(), data.password.decode()) == (USER, PASSWORD)
        return AuthResult(success=good, handled=good)


@contextlib.contextmanager
def run_mail_server(
    tls: ssl.SSLContext | None, *, implicit: bool = False, signs_in: bool = False
) -> Iterator[MailServer]:
    """Serve on loopback. ``tls``: its certificate; ``implicit``: from the first byte on, else with STARTTLS."""
    found = MailServer()

    class Listening(Controller):
        def factory(self) -> SMTP:
            return SMTP(
                found,
                tls_context=None if implicit else tls,
                require_starttls=tls is not None and not implicit,
                authenticator=found.authenticate if signs_in else None,
                auth_required=signs_in,
                auth_require_tls=tls is not None and not implicit,
                hostname="mail.test",
            )

    with Reservation() as reservation:
        found.port = reservation.port
        listening = Listening(found, hostname="127.0.0.1", port=found.port, ssl_context=tls if implicit else None)
        listening.start()
        try:
            yield found
        finally:
            listening.stop()


BOB = "bob@example.com"
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
BOUNDS = Bounds(pause=DAY, remind_after=7 * DAY, reminders=2)


def settings_for(server: MailServer, **more: str) -> dict[str, str]:
    found = {
        "MAIL_SMTP_HOST": "localhost",
        "MAIL_SMTP_PORT": str(server.port),
        "MAIL_SMTP_USER": USER,
        "MAIL_SMTP_PASSWORD": PASSWORD,
        "MAIL_FROM": "latchpin@example.com",
    }
    return found | more


@pytest.fixture
def mail(environment: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[MailServer]:
    """A server with STARTTLS that wants a sign-in, which gateways of this test use."""
    (tmp_path / "tls").mkdir()
    roots, tls = write_certificate(tmp_path / "tls", "localhost")
    with run_mail_server(tls, signs_in=True) as server:
        environment.setenv("SSL_CERT_FILE", str(roots))
        for name, value in settings_for(server).items():
            environment.setenv(name, value)
        yield server


async def take(gateway: InnerGateway, **later: float) -> int:
    """Look and take a turn, a while later."""
    gateway.clock.advance(**(later or {"minutes": 6}))
    await look(gateway.application)
    return await Turns(gateway.application, load(MailSettings)).take()


def a_need(number: int = 0, **changed: object) -> Need:
    made = Need(
        id=f"need-{number}",
        connection="a" * 32,
        gateway_id="0" * 32,
        gateway_name="Notes",
        owner=ALICE,
        connected_by=None,
        account="",
        cause="refresh-refused",
        since=NOW,
    )
    return replace(made, **changed)


# -- who is told when -------------------------------------------------------------------------------------


def test_a_person_is_told_a_while_after_and_reminded_so_often():
    told, mails, now = Told(ALICE), [], NOW
    for _ in range(24 * 60):
        decided = draft(told, [a_need()], BOUNDS, now)
        if decided is not None:
            assert decided.draft is not None
            mails.append((now - NOW, decided.draft.id))
            told = replace(decided, draft=None)
        now += HOUR
    assert [after for after, _ in mails] == [HOUR, 7 * DAY + HOUR, 14 * DAY + HOUR]
    assert len({name for _, name in mails}) == 3


def test_many_at_once_are_in_one_mail_and_what_comes_later_waits_for_the_next():
    first = draft(Told(ALICE), [a_need(number) for number in range(40)], BOUNDS, NOW + HOUR)
    assert first is not None
    assert first.draft is not None
    assert len(first.draft.needs) == 40
    needs = [a_need(number) for number in range(42)]
    told = replace(first, draft=None)
    assert draft(told, needs, BOUNDS, NOW + 24 * HOUR) is None
    second = draft(told, needs, BOUNDS, NOW + 25 * HOUR)
    assert second is not None
    assert second.draft is not None
    assert set(second.draft.needs) == {"need-40", "need-41"}


def test_the_same_decision_has_the_same_name_and_old_needs_are_not_told():
    needs = [a_need(1), a_need(2)]
    one, two = (draft(Told(ALICE), each, BOUNDS, NOW + HOUR) for each in (needs, needs[::-1]))
    assert one is not None
    assert two is not None
    assert one.draft is not None
    assert two.draft is not None
    assert one.draft.id == two.draft.id
    assert draft(Told(ALICE), needs, BOUNDS, NOW + 31 * DAY) is None


# -- what they read ---------------------------------------------------------------------------------------


def letter(to: str = ALICE) -> Letter:
    return Letter("0f" * 16, "latchpin@example.com", to, "https://gateway.example.com", NOW)


def test_nothing_that_anybody_chose_gets_out_of_its_line():
    bad = "Notes\r\nBcc: all@example.com\r\n\r\n<b>\u202e\u2028\x00"
    url = "https://gateway.example.com/oauth/authorize/" + "0" * 32
    message = build_letter(letter(), [(a_need(gateway_name=bad, account=bad), url)])
    raw = message.as_bytes()
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"Bcc" not in head
    assert message["Subject"] == "A connection needs you"
    text = message.get_content()
    assert "\nNotes Bcc: all@example.com <b> (Notes Bcc: all@example.com <b>)\n" in text
    assert url in text
    assert message.get_content_type() == "text/plain"
    assert body.count(b"Bcc: all") == 2


@pytest.mark.parametrize(
    "address",
    ["a@b\r\nBcc: c@d", "a,b@example.com", "<a@example.com", "a@example.com>", "ä@example.com", '"a"@b', "a@b c", "a"],
)
def test_an_address_that_means_more_than_one_is_not_written_to(address: str):
    assert not is_deliverable(address)
    with pytest.raises(ValueError, match="cannot be sent"):
        build_letter(letter(address), [(a_need(), "https://x.example.com/")])


@pytest.mark.parametrize(
    "wrong",
    [
        {"MAIL_SMTP_HOST": "smtp.example.com"},
        {"MAIL_SMTP_HOST": "smtp.example.com", "MAIL_FROM": "Latchpin <latchpin@example.com>"},
        {"MAIL_SMTP_HOST": "smtp.example.com", "MAIL_FROM": "a@b", "MAIL_SMTP_USER": "gateway"},
        {"MAIL_SMTP_HOST": "smtp.example.com:25", "MAIL_FROM": "a@b"},
        {
            "MAIL_SMTP_HOST": "smtp.example.com",
            "MAIL_FROM": "a@b",
            "MAIL_SMTP_USER": "gateway",
            "MAIL_SMTP_PASSWORD": PASSWORD,
            "MAIL_SMTP_SECURITY": "none",
        },
    ],
)
def test_settings_that_do_not_hold_are_refused(wrong: dict[str, str], monkeypatch):
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load(MailSettings)
    assert PASSWORD not in caught.value.detail


# -- whole --------------------------------------------------------------------------------------------------


async def test_a_person_is_told_once_over_tls(mail: MailServer, gateway: InnerGateway, log):
    entry = await gateway_of(gateway.application)
    token = await connect(gateway.application, entry, ALICE, spent=True, label="work")
    await connect(gateway.application, entry, BOB)
    assert await take(gateway, minutes=4) == 0, "they may be at it"
    assert [await take(gateway) for _ in range(3)] == [1, 0, 0]
    ((to, message),) = mail.got
    assert to == [ALICE]
    assert (message["To"], message["From"]) == (ALICE, "Latchpin <latchpin@example.com>")
    assert message["Auto-Submitted"] == "auto-generated"
    text = message.get_content()
    assert f"Authorize: {BASE}/oauth/authorize/{entry.id}?account=work" in text
    assert "Notes (work)" in text
    assert f"{BASE}/admin/mail" in text
    assert token.access_token not in text
    assert mail.sign_ins == [(USER, True)]
    assert PASSWORD not in log()
    assert await take(gateway, days=8) == 1, "a reminder"
    assert await take(gateway, days=8) == 1
    assert await take(gateway, days=8) == 0
    assert len({message["Message-ID"] for _, message in mail.got}) == 3


async def test_who_is_connected_again_meanwhile_is_not_told(mail: MailServer, gateway: InnerGateway):
    entry = await gateway_of(gateway.application)
    await connect(gateway.application, entry, ALICE, spent=True)
    mail.answers = ["451 later"]
    assert await take(gateway) == 0
    await connect(gateway.application, entry, ALICE)
    assert await take(gateway) == 0
    assert mail.seen.count("DATA") == 1


async def test_a_server_that_is_busy_is_tried_again_with_the_same_message_id(mail: MailServer, gateway: InnerGateway):
    entry = await gateway_of(gateway.application)
    await connect(gateway.application, entry, ALICE, spent=True)
    mail.answers = ["451 later", "452 still later"]
    assert [await take(gateway) for _ in range(3)] == [0, 0, 1]
    assert len(mail.got) == 1


async def test_a_mailbox_that_is_not_there_is_given_up_at_once(mail: MailServer, gateway: InnerGateway):
    entry = await gateway_of(gateway.application)
    await connect(gateway.application, entry, ALICE, spent=True)
    mail.refuses = "550 no such user"
    assert await take(gateway) == 0
    turns = Turns(gateway.application, load(MailSettings))
    (dead,) = await turns._outbox.list("dead")
    assert "550" in dead.reason


async def test_a_server_that_is_away_is_tried_for_two_days(mail: MailServer, environment, gateway: InnerGateway):
    environment.setenv("MAIL_SMTP_PORT", "1")
    entry = await gateway_of(gateway.application)
    await connect(gateway.application, entry, ALICE, spent=True)
    await take(gateway)
    for pause in PAUSES:
        assert await Turns(gateway.application, load(MailSettings))._outbox.count("waiting") == 1
        await take(gateway, seconds=1.2 * pause.total_seconds())
    (dead,) = await Turns(gateway.application, load(MailSettings))._outbox.list("dead")
    assert "localhost:1" in dead.reason


async def test_nothing_is_sent_where_somebody_takes_tls_away(environment, gateway: InnerGateway):
    entry = await gateway_of(gateway.application)
    await connect(gateway.application, entry, ALICE, spent=True)
    with run_mail_server(None) as server:
        for name, value in settings_for(server).items():
            environment.setenv(name, value)
        assert await take(gateway) == 0
        assert (server.seen, server.got, server.sign_ins) == (["EHLO"], [], [])
        (waiting,) = await Turns(gateway.application, load(MailSettings))._outbox.list("waiting")
        assert "no STARTTLS" in waiting.reason


async def test_a_certificate_of_another_is_refused(environment, gateway: InnerGateway, tmp_path):
    entry = await gateway_of(gateway.application)
    await connect(gateway.application, entry, ALICE, spent=True)
    (tmp_path / "tls").mkdir()
    roots, tls = write_certificate(tmp_path / "tls", "mail.elsewhere.example")
    environment.setenv("SSL_CERT_FILE", str(roots))
    with run_mail_server(tls, signs_in=True) as server:
        for name, value in settings_for(server).items():
            environment.setenv(name, value)
        assert await take(gateway) == 0
        assert (server.got, server.sign_ins) == ([], [])
        (waiting,) = await Turns(gateway.application, load(MailSettings))._outbox.list("waiting")
        assert "TLS failed" in waiting.reason or "CERTIFICATE" in waiting.reason


@pytest.mark.parametrize("security", ["tls", "none"])
async def test_mail_goes_with_tls_from_the_first_byte_and_in_plain_where_that_is_set(
    security: str, environment, gateway: InnerGateway, tmp_path
):
    entry = await gateway_of(gateway.application)
    await connect(gateway.application, entry, ALICE, spent=True)
    (tmp_path / "tls").mkdir()
    roots, tls = write_certificate(tmp_path / "tls", "localhost")
    environment.setenv("SSL_CERT_FILE", str(roots))
    with run_mail_server(tls if security == "tls" else None, implicit=security == "tls") as server:
        more = {"MAIL_SMTP_SECURITY": security, "MAIL_SMTP_USER": "", "MAIL_SMTP_PASSWORD": ""}
        for name, value in settings_for(server, **more).items():
            environment.setenv(name, value)
        assert await take(gateway) == 1
        assert [to for to, _ in server.got] == [[ALICE]]


async def test_who_wants_no_mail_gets_none(mail: MailServer, gateway: InnerGateway):
    entry = await gateway_of(gateway.application)
    await connect(gateway.application, entry, ALICE, spent=True)
    mail.answers = ["451 later"]
    assert await take(gateway) == 0
    async with BrowserUser.visiting(gateway, ALICE) as user:
        await user.open("/admin/mail")
        assert "You get a mail when" in user.text
        refused = await user.send("/admin/mail", proof=False, headers={"sec-fetch-site": "cross-site"}, wanted="no")
        assert refused.status_code == 403
        await user.open("/admin/mail")
        assert (await user.send("/admin/mail", wanted="no")).status_code == 303
        await user.open("/admin/mail")
        assert "You get no mail" in user.text
        assert await take(gateway) == 0, "what waited is not sent either"
        assert (await user.send("/admin/mail", wanted="yes")).status_code == 303
        assert await People.of(gateway.application.services.context).wants_mail(ALICE)
    assert mail.got == []


async def test_who_may_not_use_a_gateway_any_more_is_not_told_of_it(mail: MailServer, gateway: InnerGateway):
    entry = await gateway_of(gateway.application)
    await connect(gateway.application, entry, ALICE, spent=True)
    closed = replace(entry, allowed_users=(BOB,), revision=entry.revision + 1)
    await gateway.application.services.records.gateways.replace(closed)
    assert await take(gateway) == 0
    assert mail.seen == []


@pytest.mark.parametrize("connected_by", ["boss@example.com", None])
async def test_what_all_share_is_told_to_who_connected_it(
    connected_by: str | None, mail: MailServer, gateway: InnerGateway
):
    entry = await gateway_of(gateway.application)
    shared = replace(entry, connection="shared", revision=entry.revision + 1)
    await gateway.application.services.records.gateways.replace(shared)
    await connect(gateway.application, shared, COMPANY, spent=True, connected_by=connected_by)
    assert await take(gateway) == 1
    assert [to for to, _ in mail.got] == [[connected_by or ADMIN]]


async def test_who_left_is_told_nothing_and_administrators_are_instead(mail: MailServer, gateway: InnerGateway):
    boss, root = "boss@example.com", Caller("root@example.com", is_admin=True, via="bearer")
    entry = await gateway_of(gateway.application)
    shared = replace(entry, connection="shared", revision=entry.revision + 1)
    await gateway.application.services.records.gateways.replace(shared)
    await connect(gateway.application, shared, COMPANY, spent=True, connected_by=boss)
    mail.answers = ["450 4.2.0 Busy"]
    await take(gateway)
    await latchpin_offboarding.people.People(gateway.application).end(boss, root, way="command")
    await take(gateway)  # what waited for them is not sent either
    assert [to for to, _ in mail.got] == [[ADMIN]]


async def test_a_worker_that_dies_between_decision_and_outbox_leaves_the_mail_to_the_next(
    mail: MailServer, gateway: InnerGateway, monkeypatch
):
    entry = await gateway_of(gateway.application)
    await connect(gateway.application, entry, ALICE, spent=True)

    async def die(*_: object) -> bool:
        raise asyncio.CancelledError

    with monkeypatch.context() as dying:
        dying.setattr(Turns, "_send_off", die)
        with pytest.raises(asyncio.CancelledError):
            await take(gateway)
    assert mail.got == []
    assert await take(gateway) == 1
    assert await take(gateway) == 0
    assert len(mail.got) == 1


@pytest.mark.backends("sqlite", "redis", "postgres")
async def test_of_two_workers_one_sends(mail: MailServer, pair):
    entry = await gateway_of(pair[0].application)
    for number in range(5):
        await connect(pair[0].application, entry, f"person-{number}@example.com", spent=True)
    await look(pair[0].application)
    for each in pair:
        each.clock.advance(minutes=6)
    turns = [Turns(each.application, load(MailSettings)) for each in pair]
    await asyncio.gather(*(each.fill() for each in turns))
    await asyncio.gather(*(each.take() for each in turns))
    assert sorted(to[0] for to, _ in mail.got) == [f"person-{number}@example.com" for number in range(5)]


@pytest.mark.backends("sqlite")
async def test_a_gateway_that_serves_sends_it_and_the_commands_say_what_is_wrong(
    backend: GatewayBackend, mail: MailServer, tmp_path: Path
):
    settings = {name: os.environ[name] for name in (*settings_for(mail), "SSL_CERT_FILE")}
    environment = settings_of(backend) | settings
    async with open_application(environment, lambda: utc_now() - timedelta(minutes=10)) as application:
        entry = await gateway_of(application)
        await connect(application, entry, ALICE, spent=True)
        await look(application)
    with deploy_gateway(backend, tmp_path, "serve", **settings):  # it takes a turn at once
        assert await asyncio.to_thread(mail.came.acquire, timeout=PATIENCE)
    tested = await asyncio.to_thread(run_latchpin, "mail", "test", BOB, env=environment, cwd=tmp_path)
    assert tested.returncode == 0, tested.stderr
    assert [to for to, _ in mail.got] == [[ALICE], [BOB]]
    wrong = environment | {"MAIL_SMTP_PASSWORD": "another-password"}
    failed = await asyncio.to_thread(run_latchpin, "mail", "test", BOB, env=wrong, cwd=tmp_path)
    assert failed.returncode == 1
    assert re.search(r"does not take MAIL_SMTP_USER and its password: 5\d\d", failed.stderr)
    for text in (failed.stderr, failed.stdout, tested.stderr):
        assert PASSWORD not in text
        assert "another-password" not in text


@pytest.mark.backends("sqlite")
async def test_what_was_given_up_is_listed_and_tried_again_by_its_id_or_all_of_it(
    backend: GatewayBackend, tmp_path: Path
):
    settings = settings_of(backend)

    async def refuse(_: Entry) -> None:
        raise Undelivered("no such mailbox", final=True)

    async def retry(name: str) -> tuple[int, str]:
        done = await asyncio.to_thread(run_latchpin, "mail", "retry", name, env=settings, cwd=tmp_path)
        return done.returncode, done.stderr

    async def listed(*words: str) -> list[tuple[str, str]]:
        done = await asyncio.to_thread(run_latchpin, "mail", "list", "--json", *words, env=settings, cwd=tmp_path)
        return [(each["id"], each["reason"]) for each in json.loads(done.stdout)["mail"]]

    async with open_application(settings, utc_now) as application:
        outbox = open_outbox(application.services.context)
        for name in ("one", "two", "three"):
            await outbox.put(name, {"to": ALICE, "needs": []})
        await outbox.work_off(refuse)
    why = "no such mailbox"
    assert await listed("--dead") == [("one", why), ("three", why), ("two", why)]
    code, said = await retry("two")
    assert (code, "1 mail is tried again" in said) == (0, True)
    code, said = await retry("two")
    assert (code, "no mail 'two' was given up" in said) == (1, True)
    assert await listed("--dead") == [("one", why), ("three", why)]
    assert "2 mails are tried again" in (await retry("all"))[1]
    assert await listed("--dead") == []
    assert [name for name, _ in await listed()] == ["one", "three", "two"]


async def test_doctor_says_how_the_mail_server_is_reached(mail: MailServer, gateway, environment, diagnose):
    def found(report) -> list[tuple[str, str]]:
        return [(str(each.severity), each.title) for each in report.findings if "mail" in each.title.lower()]

    where = f"localhost:{mail.port}"
    assert found(await diagnose()) == [("ok", f"The mail server {where} takes mail (starttls)")]
    environment.setenv("MAIL_SMTP_PASSWORD", "another-password")
    assert found(await diagnose()) == [("failure", f"The mail server {where} takes no mail")]
    assert mail.got == []
