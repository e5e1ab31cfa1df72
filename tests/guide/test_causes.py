"""Each cause of the guide brought about, and what its greps then find: the line of that cause, and of no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.guide import commands as guide
from tests.guide.conftest import (
    COMPLETED,
    FAILED,
    STORED,
    USED,
    VALIDATED,
    GuidedGateway,
    named,
    open_guided,
    payload_of,
    state_of,
    without_times,
)
from tests.providers import FaultSwitch
from tests.servers import GatewayBackend, Reservation
from tests.support.gateway_process import ALICE

pytestmark = pytest.mark.slow

OPAQUE_FAILURE = FAILED + guide.OPAQUE.text


def like(example: guide.Entry, gateway: str, store: str) -> list[str]:
    """The guide's example of a log, for this gateway, store and user."""
    text = example.text.replace("abc123", gateway).replace("user@example.com", ALICE)
    for name in ("Redis", "memory", "database"):
        text = text.replace(f" {name} ", f" {store} ")
    return text.splitlines()


async def test_a_healthy_flow_logs_the_guides_three_lines(guided: GuidedGateway):
    gateway = await guided.add_gateway()
    async with guided.deployed.browser() as browser:
        callback = await guided.deployed.begin(browser, gateway)
        await guided.finish(browser, callback)
    stored, validated, completed = like(guide.HEALTHY_FLOW, gateway, guided.backend.label)
    assert without_times(guided.shell.lines(guide.LOG_STORED)) == [stored]
    assert validated in without_times(guided.shell.lines(guide.LOG_VALIDATION))
    assert without_times(guided.shell.lines(guide.LOG_VALIDATED)) == [validated]
    assert without_times(guided.shell.lines(guide.LOG_COMPLETED)) == [completed]
    for nothing in (guide.LOG_NOT_FOUND, guide.LOG_USED, guide.LOG_MISMATCH, guide.LOG_SIGNATURE):
        assert guided.shell.found(nothing) == []
    assert named(guided.new_log()) == {STORED, VALIDATED, COMPLETED}
    assert set(guide.STATE_FIELDS.text.split()) <= set(payload_of(state_of(callback)))


async def test_a_reloaded_a_forged_and_a_misdirected_callback_are_three_different_lines(guided: GuidedGateway):
    gateway = await guided.add_gateway()
    async with guided.deployed.browser() as browser:
        callback = await guided.deployed.begin(browser, gateway)
        await guided.finish(browser, callback)
        guided.new_log()

        page = await browser.open(callback)  # reloaded
        assert (page.status, guide.OPAQUE.text in page.text) == (400, True)
        assert named(guided.new_log()) == {USED, OPAQUE_FAILURE}
        line = guided.shell.lines(guide.LOG_USED)[-1]  # before it stands what to do about it
        assert f"WARNING - {guide.USED.text.format(gateway_id=gateway)}" in line
        assert line in guided.shell.lines(guide.LOG_VALIDATION)

        state = state_of(callback)
        page = await browser.open(callback.replace(state[:10], state[:9] + "x"))  # tampered with
        assert (page.status, guide.BAD_SIGNATURE.text in page.text) == (400, True)
        assert named(guided.new_log()) == {f"WARNING - {guide.BAD_SIGNATURE.text}", FAILED + guide.BAD_SIGNATURE.text}
        warning, error = guided.shell.lines(guide.LOG_SIGNATURE)
        assert f"WARNING - {guide.BAD_SIGNATURE.text}" in warning
        assert f"ERROR - {FAILED}{guide.BAD_SIGNATURE.text}" in error

        callback = await guided.deployed.begin(browser, gateway)
        guided.new_log()
        page = await browser.open(callback.replace("/oauth/callback", f"/oauth/callback/{'0' * 32}"))
        assert (page.status, guide.MISMATCH.text in page.text) == (400, True)
        assert named(guided.new_log()) == {f"WARNING - {guide.MISMATCH.text}", FAILED + guide.MISMATCH.text}
        warning, error = guided.shell.lines(guide.LOG_MISMATCH)
        assert f"WARNING - {guide.MISMATCH.text}" in warning
        assert f"ERROR - {FAILED}{guide.MISMATCH.text}" in error


async def test_states_are_lost_in_a_restart_with_memory_and_with_nothing_else(
    backend: GatewayBackend, provider: FaultSwitch, tmp_path: Path
):
    with Reservation() as place:
        port = str(place.port)
        with open_guided(backend, tmp_path, provider, PORT=port) as guided:
            gateway = await guided.add_gateway()
            async with guided.deployed.browser() as browser:
                callback = await guided.deployed.begin(browser, gateway)
                cookies = browser.cookies
        with open_guided(backend, tmp_path, provider, PORT=port) as guided:
            async with guided.deployed.browser() as browser:
                browser.cookies.update(cookies)
                page = await browser.open(callback)
                if backend.name != "memory":
                    assert page.title == guide.SUCCESS_TITLE.text
                    assert guided.shell.found(guide.LOG_NOT_FOUND) == []
                    return
            line = guided.shell.lines(guide.LOG_NOT_FOUND)[0]
            assert f"WARNING - {guide.NOT_FOUND.text.format(store='memory', gateway_id=gateway)}" in line
            assert guide.OPAQUE.text in page.text


@pytest.mark.backends("sqlite", "postgres", "redis")
async def test_a_changed_secret_is_an_invalid_signature(backend: GatewayBackend, provider: FaultSwitch, tmp_path: Path):
    with Reservation() as place:
        port = str(place.port)
        with open_guided(backend, tmp_path, provider, PORT=port) as guided:
            gateway = await guided.add_gateway()
            async with guided.deployed.browser() as browser:
                callback = await guided.deployed.begin(browser, gateway)
                cookies = browser.cookies
        changed = "another-secret-of-the-tests-with-48-characters!!"
        with open_guided(backend, tmp_path, provider, PORT=port, AUTH_ENCRYPTION_SECRET=changed) as guided:
            async with guided.deployed.browser() as browser:
                browser.cookies.update(cookies)
                page = await browser.open(callback)
            assert (page.status, guide.BAD_SIGNATURE.text in page.text) == (400, True)
            warning, _ = guided.shell.lines(guide.LOG_SIGNATURE)
            assert "signed under a key this instance does not have" in warning
        with open_guided(
            backend,
            tmp_path,
            provider,
            PORT=port,
            AUTH_ENCRYPTION_SECRET=changed,
            AUTH_ENCRYPTION_SECRETS_OLD="a-secret-of-the-tests-with-48-characters-in-all!",
        ) as guided:  # the flow was not used up, and the earlier secret verifies it
            async with guided.deployed.browser() as browser:
                browser.cookies.update(cookies)
                assert (await browser.open(callback)).title == guide.SUCCESS_TITLE.text
