"""The device flow (RFC 8628): a program without a browser gets in, and nobody else by the code that it shows."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from latchpin_authorization_server.devices import guesses, records
from latchpin_authorization_server.devices.user_code import LETTERS, make_user_code, parse_user_code, show_user_code
from latchpin_authorization_server.server import open_server
from latchpin_authorization_server.web.asker import find_address
from latchpin_demo.browser import Browser, Page

from tests.authorization_server.conftest import StockClient
from tests.providers import sign_in
from tests.support.gateway_in_process import ALICE, BASE, InnerGateway

NEEDS = ("latchpin_authorization_server", "latchpin_proxy", "latchpin_memory_store", "latchpin_dcr")
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
MALLORY = "mallory@example.com"


@dataclass
class Device(StockClient):
    """A program without a browser."""

    http: httpx.AsyncClient
    mcp_url: str
    shown: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(self.http, self.mcp_url)

    async def introduce(self, **wishes: Any) -> None:
        await super().introduce(**{"grant_types": [DEVICE_CODE, "refresh_token"], "redirect_uris": []} | wishes)

    async def ask(self, **changes: str | None) -> httpx.Response:
        """Ask for a code to show."""
        form = {"client_id": self.client["client_id"], "resource": self.mcp_url} | changes
        sent = {name: value for name, value in form.items() if value is not None}
        answer = await self.http.post(self.metadata["device_authorization_endpoint"], data=sent)
        self.shown = answer.json()
        return answer

    async def poll(self, **changes: str) -> httpx.Response:
        """Ask whether the person has answered."""
        return await self.token(**{"grant_type": DEVICE_CODE, "device_code": self.shown["device_code"]} | changes)


async def type_code(browser: Browser, code: str) -> Page:
    page = await browser.open(f"{BASE}/device")
    return await browser.submit(page.form(action="/device"), user_code=code)


async def answer(browser: Browser, code: str, decision: str = "allow") -> Page:
    """Type the code, decide, and sign in at the MCP server."""
    page = await type_code(browser, code)
    await browser.submit(page.form(action="/oauth2/decision"), press=decision)
    return await sign_in(browser)


@pytest.fixture
async def device(gateway: InnerGateway, files: Any) -> AsyncIterator[Device]:
    """A device that shows a code; time stands."""
    gateway.clock.stop()
    headers = {"user-agent": "television/7"}
    async with gateway.client(None, **headers) as http:
        opened = Device(http, files.url)
        await opened.introduce()
        (await opened.ask()).raise_for_status()
        yield opened


def error_of(response: httpx.Response) -> str:
    assert response.status_code == 400, response.text
    found: str = response.json()["error"]
    return found


# -- the way through -----------------------------------------------------------------------------------------


async def test_it_gets_in_once_its_person_has_typed_the_code(device: Device, browser, log):
    assert re.fullmatch(f"[{LETTERS}]{{4}}-[{LETTERS}]{{4}}", device.shown["user_code"])
    assert device.shown["verification_uri"] == f"{BASE}/device"
    assert (device.shown["expires_in"], device.shown["interval"]) == (600, 5)
    assert "verification_uri_complete" not in device.shown
    assert error_of(await device.poll()) == "authorization_pending"
    page = await answer(browser, device.shown["user_code"])
    assert page.title == "Done", page.text
    tokens = (await device.poll()).raise_for_status().json()
    assert (await device.call(tokens["access_token"])).status_code == 200
    again = (await device.refresh(tokens["refresh_token"])).raise_for_status().json()
    assert (await device.call(again["access_token"])).status_code == 200
    assert f"may use {device.mcp_url} as {ALICE}" in log()


async def test_the_page_says_what_asks_from_where_since_when_and_for_what(device: Device, browser, gateway):
    page = await type_code(browser, device.shown["user_code"].lower().replace("-", " "))
    moment = gateway.clock().strftime("%Y-%m-%d %H:%M:%S")
    for told in ("Plain", "127.0.0.1", "television/7", moment, device.mcp_url, ALICE, "nobody has checked that"):
        assert told in page.text, told


async def test_it_waits_until_the_person_is_connected_too(device: Device, browser):
    page = await type_code(browser, device.shown["user_code"])
    await browser.submit(page.form(action="/oauth2/decision"), press="allow")
    assert error_of(await device.poll()) == "authorization_pending"
    assert (await sign_in(browser)).title == "Done"
    assert (await device.poll()).status_code == 200


async def test_a_person_who_says_no_is_told_to_the_device(device: Device, browser):
    page = await type_code(browser, device.shown["user_code"])
    page = await browser.submit(page.form(action="/oauth2/decision"), press="deny")
    assert page.title == "Not allowed"
    assert error_of(await device.poll()) == "access_denied"
    assert "No device waits" in (await type_code(browser, device.shown["user_code"])).text


async def test_who_allowed_a_device_before_is_asked_again(device: Device, browser, gateway):
    await answer(browser, device.shown["user_code"])
    server = await open_server(gateway.application.services.context)
    assert not await server.consents.has(ALICE, device.client["client_id"], "", device.mcp_url)
    await device.ask()
    page = await type_code(browser, device.shown["user_code"])
    assert page.form(action="/oauth2/decision")


async def test_nobody_types_a_code_without_signing_in(device: Device, gateway):
    async with gateway.client(None) as http:
        page = await http.get(f"{BASE}/device", headers={"accept": "text/html"})
        assert page.headers["location"].endswith("/login?next=%2Fdevice"), page.headers
        assert (await http.post(f"{BASE}/device", data={"user_code": device.shown["user_code"]})).status_code == 401


# -- attacks -------------------------------------------------------------------------------------------------


async def test_a_form_of_another_site_types_no_code(device: Device, gateway):
    async with gateway.client(ALICE) as http:
        sent = await http.post(f"{BASE}/device", data={"user_code": device.shown["user_code"]})
    assert sent.status_code == 403


async def test_who_polls_too_fast_has_to_wait_longer(device: Device, gateway):
    assert error_of(await device.poll()) == "authorization_pending"
    gateway.clock.advance(seconds=2)
    assert error_of(await device.poll()) == "slow_down"
    gateway.clock.advance(seconds=6)  # ten seconds apart from now on
    assert error_of(await device.poll()) == "slow_down"
    gateway.clock.advance(seconds=15)
    assert error_of(await device.poll()) == "authorization_pending"


async def test_a_device_code_works_once(device: Device, browser):
    await answer(browser, device.shown["user_code"])
    assert (await device.poll()).status_code == 200
    assert error_of(await device.poll()) == "invalid_grant"


async def test_of_two_workers_that_saw_the_answer_one_gives_tokens(device: Device, browser, gateway, monkeypatch):
    await answer(browser, device.shown["user_code"])
    server = await open_server(gateway.application.services.context)
    seen = await server.devices.of_code(device.shown["device_code"])
    assert (await device.poll()).status_code == 200

    async def saw_it_before(_code: str) -> object:
        return seen

    monkeypatch.setattr(server.devices, "of_code", saw_it_before)
    assert error_of(await device.poll()) == "invalid_grant"


async def test_questions_do_not_get_in_the_way_of_the_persons_answer(device: Device, browser):
    page = await type_code(browser, device.shown["user_code"])
    form = page.form(action="/oauth2/decision")
    await asyncio.gather(browser.submit(form, press="deny"), *(device.poll() for _ in range(5)))
    assert error_of(await device.poll()) == "access_denied"


async def test_a_user_code_is_answered_once(device: Device, browser):
    page = await type_code(browser, device.shown["user_code"])
    second = await type_code(browser, device.shown["user_code"])
    await browser.submit(page.form(action="/oauth2/decision"), press="deny")
    late = await browser.submit(second.form(action="/oauth2/decision"), press="allow")
    late = await sign_in(browser)
    assert late.status == 400, late.title
    assert error_of(await device.poll()) == "access_denied"


async def test_a_code_that_somebody_typed_is_nobody_elses(device: Device, browser, gateway):
    await type_code(browser, device.shown["user_code"])
    async with Browser(gateway.client(MALLORY)) as other:
        assert "No device waits" in (await type_code(other, device.shown["user_code"])).text


@pytest.mark.parametrize("same_person", [True, False])
async def test_only_the_same_person_in_the_same_browser_answers(device: Device, browser, gateway, same_person):
    page = await type_code(browser, device.shown["user_code"])
    request = page.form(action="/oauth2/decision").fields["request"]
    async with Browser(gateway.client(ALICE if same_person else MALLORY)) as other:
        form = (await other.open(f"{BASE}/device")).form(action="/device")
        form.action = f"{BASE}/oauth2/decision"
        refused = await other.submit(form, request=request, decision="allow")
    assert refused.status == 400
    assert error_of(await device.poll()) == "authorization_pending"


async def test_another_clients_device_code_gives_nothing_and_ends(device: Device, browser, gateway):
    await answer(browser, device.shown["user_code"])
    thief = Device(device.http, device.mcp_url, device.shown)
    await thief.introduce()
    assert error_of(await thief.poll()) == "invalid_grant"
    assert error_of(await device.poll()) == "invalid_grant"


async def test_the_id_of_a_device_code_without_its_secret_gives_nothing(device: Device, browser):
    await answer(browser, device.shown["user_code"])
    device_id = device.shown["device_code"].partition(".")[0]
    for guess in (device_id, f"{device_id}.", f"{device_id}.{'A' * 43}", "", "x" * 5000):
        assert error_of(await device.poll(device_code=guess)) == "invalid_grant"
    assert (await device.poll()).status_code == 200


async def test_a_code_expires_for_both(device: Device, browser, gateway):
    gateway.clock.advance(minutes=10)
    assert "No device waits" in (await type_code(browser, device.shown["user_code"])).text
    assert error_of(await device.poll()) == "expired_token"


async def test_an_answer_that_nobody_fetched_in_time_is_worth_nothing(device: Device, browser, gateway):
    await answer(browser, device.shown["user_code"])
    gateway.clock.advance(minutes=10)
    assert error_of(await device.poll()) == "expired_token"


async def test_what_is_asked_for_is_an_endpoint_that_the_person_may_use(device: Device, browser):
    assert error_of(await device.ask(resource=None)) == "invalid_target"
    assert error_of(await device.ask(resource="https://elsewhere.example/mcp")) == "invalid_target"
    for odd in ("\0", "é", "\r\nx", "x" * 2000):
        assert error_of(await device.ask(resource=f"{BASE}/{odd}")) == "invalid_target"
    (await device.ask(resource=f"{BASE}/gateways/{'0' * 32}/mcp")).raise_for_status()
    assert (await type_code(browser, device.shown["user_code"])).status == 404
    assert error_of(await device.poll(resource=device.mcp_url)) == "invalid_target"


async def test_only_a_client_that_registered_for_it_gets_a_code(device: Device):
    await device.introduce(grant_types=["authorization_code"], redirect_uris=["http://127.0.0.1/x"])
    assert error_of(await device.ask()) == "unauthorized_client"


async def test_what_an_administrator_ended_is_not_fetched_afterwards(device: Device, browser, gateway):
    from latchpin.sdk.identity import end_everything_of

    await answer(browser, device.shown["user_code"])
    await end_everything_of(gateway.application.services.kept, ALICE, gateway.clock())
    gateway.clock.advance(minutes=1)
    assert error_of(await device.poll()) == "access_denied"


async def test_a_session_that_another_worker_still_takes_allows_no_device(device: Device, browser, gateway):
    """The proxy's header stands for one that ended a moment ago."""
    from latchpin.sdk.identity import end_everything_of

    await answer(browser, device.shown["user_code"])  # so that she is connected
    await device.ask()
    page = await type_code(browser, device.shown["user_code"])
    await end_everything_of(gateway.application.services.kept, ALICE, gateway.clock())
    gateway.clock.advance(seconds=0.5)
    await browser.submit(page.form(action="/oauth2/decision"), press="allow")
    gateway.clock.advance(minutes=1)
    assert error_of(await device.poll()) == "authorization_pending"


# -- guessing ------------------------------------------------------------------------------------------------


async def test_who_types_too_many_wrong_codes_is_not_told_which_is_right(device: Device, browser, gateway):
    for _ in range(guesses.MOST_OF_ONE_PERSON):
        page = await type_code(browser, show_user_code(make_user_code()))
        assert (page.status, "No device waits" in page.text) == (400, True)
    assert (await type_code(browser, device.shown["user_code"])).status == 429
    gateway.clock.advance(minutes=9, seconds=59)
    assert (await type_code(browser, device.shown["user_code"])).status == 429
    gateway.clock.advance(seconds=1)
    await device.ask()
    assert (await type_code(browser, device.shown["user_code"])).status == 200


async def test_right_codes_do_not_count(device: Device, browser):
    for _ in range(guesses.MOST_OF_ONE_PERSON + 2):
        assert (await type_code(browser, device.shown["user_code"])).status == 200


@pytest.mark.parametrize("limit", ["MOST_FROM_ONE_ADDRESS", "MOST"])
async def test_many_people_together_do_not_guess_without_end(device: Device, gateway, monkeypatch, limit):
    monkeypatch.setattr(guesses, limit, 5)
    for number in range(6):
        async with Browser(gateway.client(f"m{number}@example.com")) as other:
            page = await type_code(other, "BBBB-BBBB")
    assert page.status == 429


async def test_what_is_no_code_counts_as_a_wrong_one(device: Device, browser):
    for _ in range(guesses.MOST_OF_ONE_PERSON):
        assert (await type_code(browser, "AEIOU")).status == 400
    assert (await type_code(browser, device.shown["user_code"])).status == 429


@pytest.mark.parametrize(("limit", "status"), [("MOST_FROM_ONE_ADDRESS", 429), ("MOST", 503)])
async def test_devices_that_wait_are_limited(device: Device, monkeypatch, limit, status):
    monkeypatch.setattr(records, limit, 2)
    assert (await device.ask()).status_code == 200
    refused = await device.ask()
    assert (refused.status_code, refused.json()["error"]) == (status, "temporarily_unavailable")


async def test_nothing_that_lets_anybody_in_is_kept_as_it_is(device: Device, gateway):
    from latchpin.model import CollectionSpec

    kept = gateway.application.services.context.collection(records.DEVICES)
    assert isinstance(records.DEVICES, CollectionSpec)
    text = "".join(f"{each.id} {each.dump_body()} {each.fields}" for each in await kept.scan(limit=10))
    assert text
    for secret in (device.shown["user_code"], device.shown["device_code"].partition(".")[2]):
        assert secret not in text
        assert secret.replace("-", "") not in text


# -- the pure parts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", ["", "BCDF-GHJ", "BCDF-GHJKL", "BCDF-GHJA", "BCDF-GHJ1", "BCDF-GHJß", "B" * 41])
def test_what_is_no_user_code(entry):
    assert parse_user_code(entry) is None


@pytest.mark.parametrize("entry", ["BCDF-GHJK", "bcdf ghjk", "bcdfghjk", " B-C-D-F-G-H-J-K "])
def test_a_user_code_however_it_is_typed(entry):
    assert parse_user_code(entry) == "BCDFGHJK"


@pytest.mark.parametrize(
    ("peer", "listed", "found"),
    [
        ("198.51.100.7", ["203.0.113.9"], "198.51.100.7"),  # anybody's word
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1", "203.0.113.9", "10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9", "<script>"], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("", ["203.0.113.9"], ""),
    ],
)
def test_where_a_request_comes_from(peer, listed, found):
    assert find_address(peer, listed, proxies=["10.0.0.0/8"]) == found
