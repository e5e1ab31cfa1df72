"""One demo and one Chromium for all tests here; each test has browser contexts and users of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.pages import RunningDemo, Watch, running_demo, sign_in
from tests.servers.programs import find_chromium

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DEADLINE_MS = 60_000
"""For everything that is waited for: far more than it takes, on a machine that is busy."""

expect.set_options(timeout=DEADLINE_MS)

Visit = Callable[..., Page]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium."""
    path = find_chromium()
    assert path is not None, "no Chromium on this machine; tox env 'browser' installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """The demo, as a newcomer starts it in an empty folder."""
    with running_demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture(scope="session")
def sessions(chromium: Browser, demo: RunningDemo) -> Callable[..., Any]:
    """Gives the cookies of a user who signed in by a link; each user signs in once."""
    known: dict[tuple[str, bool], Any] = {}

    def cookies_of(email: str, *, admin: bool = False) -> Any:
        if (email, admin) not in known:
            context = chromium.new_context()
            context.set_default_timeout(DEADLINE_MS)
            sign_in(context.new_page(), demo.create_link(email, admin=admin))
            known[email, admin] = context.storage_state()
            context.close()
        return known[email, admin]

    return cookies_of


@pytest.fixture
def watch() -> Watch:
    """What all of the test's pages did; a test that provokes something says so there."""
    return Watch()


@pytest.fixture
def visit(chromium: Browser, demo: RunningDemo, watch: Watch, sessions: Callable[..., Any]) -> Iterator[Visit]:
    """Opens an empty page in a browser of its own, signed in as ``email`` if given; held to the rules at the end.

    With ``admin`` it is an administrator's.
    """
    contexts = []

    def open_page(email: str | None = None, *, admin: bool = False, **options: Any) -> Page:
        state = sessions(email, admin=admin) if email is not None else None
        context = chromium.new_context(storage_state=state, **options)
        contexts.append(context)
        context.set_default_timeout(DEADLINE_MS)
        watch.attach(context)
        page = context.new_page()
        watch.attach_page(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    watch.check(demo.origin, demo.provider_origin)
