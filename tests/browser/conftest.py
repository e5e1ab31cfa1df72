"""The demo in a browser: how it is started, watched, slowed down, and what a person does on its pages."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from latchpin_demo.authorization_server import PASSWORD, USERS
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Locator, Page, expect, sync_playwright

from tests.servers import Reservation, ServerProcess, latchpin_command, run_latchpin
from tests.servers.gateway import clean_environment
from tests.servers.programs import find_chromium

# A `latchpin demo` that waits for a person, and what its output tells that person.


@dataclass(frozen=True)
class RunningDemo:
    """Where the demo's parts are.

    Attributes:
        folder: the demo's own, where `latchpin` commands work on its gateway.
        origin: the gateway's.
        issuer: the authorization server's.
        gateway_id: of the first of the demo's two gateways, "Demo tools".
        link: the printed login link, unused.
    """

    folder: Path
    origin: str
    issuer: str
    gateway_id: str
    link: str

    @property
    def provider_origin(self) -> str:
        return "/".join(self.issuer.split("/")[:3])

    def run(self, *arguments: str) -> str:
        """Run a `latchpin` command in the demo's folder; its output."""
        done = run_latchpin(*arguments, env={}, cwd=self.folder)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def create_link(self, email: str, *, admin: bool = False) -> str:
        """A login link for ``email``, as an administrator would print it."""
        return self.run("login-link", "--email", email, *(["--admin"] if admin else []))


@contextlib.contextmanager
def running_demo(folder: Path) -> Iterator[RunningDemo]:
    """Start the demo in an empty ``folder``, and end it with the block."""
    with Reservation() as reserved:
        command = [latchpin_command(), "demo", "--port", str(reserved.port)]
        with ServerProcess(command, env=clean_environment({}), cwd=folder) as process:
            process.wait_for_output("Ctrl-C stops it.", timeout=180)
            yield RunningDemo(
                folder=folder / ".latchpin-demo",
                origin=f"http://localhost:{reserved.port}",
                issuer=_find(r"authorization server .*(http://\S+)", process.output),
                gateway_id=_find(r"id ([0-9a-f]{32})", process.output),
                link=_find(r"(http://localhost:\d+/login\?token=\S+)", process.output),
            )


def _find(pattern: str, output: str) -> str:
    found = re.search(pattern, output)
    assert found is not None, output
    return found[1]


# What a person does at the demo, by the words on the pages.


ACCOUNT = USERS[0]
SUCCESS = "OAuth Authorization Successful"


def press(page: Page, name: str) -> None:
    """Press the one button or link of that name."""
    exact = re.compile(rf"^{re.escape(name)}$")
    page.get_by_role("button", name=exact).or_(page.get_by_role("link", name=exact)).click()


def press_to_close(window: Page) -> None:
    """Have a window close itself, which it may do before the press has ended."""
    with window.expect_event("close"), contextlib.suppress(Error):
        press(window, "Close this window")


def card_of(page: Page, name: str) -> Locator:
    """The card of the gateway of that name, in a list of several."""
    return page.locator("li.card", has=page.get_by_role("heading", name=name, exact=True))


def arrive_at(page: Page, place: str) -> None:
    """Wait until the page's URL begins with ``place``."""
    expect(page).to_have_url(re.compile(f"^{re.escape(place)}"))


def sign_in(page: Page, link: str) -> None:
    """Open a login link, press its button, and wait until that has led somewhere: only then the session is there."""
    page.goto(link)
    with page.expect_navigation():
        page.get_by_role("button", name="Sign in as").click()


def open_gateways(page: Page, origin: str) -> None:
    """Go the guide's way: Admin Panel, Gateways."""
    page.goto(origin)
    expect(page).to_have_title("Admin Panel")
    page.get_by_role("main").get_by_role("link", name="Gateways").click()
    expect(page).to_have_title("Gateways")


def authorize(page: Page, name: str = "Demo tools") -> None:
    """Follow Authorize, or Reconnect where one is connected, in the same window, and arrive at the provider."""
    link = page.get_by_role("link", name=re.compile(f"^(Authorize|Reconnect) {re.escape(name)}$"))
    page.goto(urljoin(page.url, link.get_attribute("href")))
    expect(page).to_have_title(re.compile("Demo Accounts"))


def sign_in_at_provider(page: Page) -> None:
    """Sign in to the account that the demo's provider knows."""
    page.get_by_label("Email address").fill(ACCOUNT)
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Sign in")


def allow(page: Page) -> None:
    """Sign in at the provider and consent."""
    sign_in_at_provider(page)
    press(page, "Allow")


def connect(page: Page, origin: str) -> None:
    """From anywhere, signed in, to the success page."""
    open_gateways(page, origin)
    authorize(page)
    allow(page)
    expect(page).to_have_title(SUCCESS)


# Everything a browser context asked for and complained about, so that each test can be held to the same rules.


_LISTEN = """
addEventListener("securitypolicyviolation",
  event => latchpinTestViolation(`${event.effectiveDirective} ${event.blockedURI} at ${location.href}`));
"""
_ANSWERED_WITH_A_FAILURE = "Failed to load resource: the server responded with a status of"


@dataclass
class Watch:
    """What one browser context did.

    Attributes:
        origins: of every request; what a page only wanted to ask for, and its policy stopped, is a violation.
        referrers: the Referer header of each request that had one.
        violations: of a Content-Security-Policy, by the page's own events and by the console.
        complaints: other errors and warnings on the console, and uncaught exceptions.
        statuses: of the answers, by URL without the query.
        provoked: what a test makes the browser stop on purpose; violations that name it are as they should be.
        expected: origins of others, which a test leads the browser to.
    """

    origins: set[str] = field(default_factory=set)
    referrers: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    provoked: str | None = None
    expected: set[str] = field(default_factory=set)

    def attach(self, context: BrowserContext) -> None:
        """Watch ``context``; its pages each need ``attach_page`` too."""
        context.expose_binding("latchpinTestViolation", lambda _, text: self.violations.append(text))
        context.add_init_script(_LISTEN)
        context.on("request", lambda request: self._see_request(request.url))
        context.on("response", lambda response: self._see_status(response.url, response.status))
        context.on("console", self._see_console)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))

    def attach_page(self, page: Page) -> None:
        """Read the headers as they go over the wire, which only the protocol below playwright tells."""
        session = page.context.new_cdp_session(page)
        session.on("Network.requestWillBeSentExtraInfo", lambda event: self._see_headers(event["headers"]))
        session.send("Network.enable")

    def check(self, *allowed_origins: str) -> None:
        """Hold what was seen to the rules: nothing foreign, nothing stopped, nothing told to the next site."""
        assert [text for text in self.violations if self.provoked is None or self.provoked not in text] == []
        assert self.complaints == []
        assert self.referrers == []
        assert self.origins <= {*allowed_origins, *self.expected}

    def _see_request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "data":
            self.origins.add(f"{parts.scheme}://{parts.netloc}")

    def _see_status(self, url: str, status: int) -> None:
        self.statuses[url.partition("?")[0]] = status

    def _see_headers(self, headers: dict[str, str]) -> None:
        self.referrers += [value for name, value in headers.items() if name.lower() == "referer"]

    def _see_console(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            self.violations.append(message.text)
        elif message.type in {"error", "warning"} and not self._is_our_failure_page(message):
            self.complaints.append(message.text)

    def _is_our_failure_page(self, message: ConsoleMessage) -> bool:
        """The console names every 4xx; for a page itself that is what the test is about, for a file it is an error."""
        return (
            message.text.startswith(_ANSWERED_WITH_A_FAILURE)
            and message.page is not None
            and "/static/" not in message.location["url"]
        )


# An MCP server that says where its metadata is, and then takes its time with it until a test lets it.


@dataclass(frozen=True)
class SlowServer:
    """The server's URL, and what lets it answer."""

    url: str
    released: threading.Event


@contextlib.contextmanager
def slow_server() -> Iterator[SlowServer]:
    """Serve until the block ends."""
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(401)
            host = self.headers["Host"]
            self.send_header("WWW-Authenticate", f'Bearer resource_metadata="http://{host}/metadata"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            released.wait(60)
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield SlowServer(f"http://127.0.0.1:{server.server_port}/mcp", released)
        finally:
            released.set()
            server.shutdown()
            thread.join()


# One demo and one Chromium for all tests here; each test has browser contexts and users of its own.


FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Nothing here is another site: one process draws all pages, which saves the start of one for each context.
    "--renderer-process-limit=1",
    "--in-process-gpu",
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The walk comes first: the link that the demo prints holds for ten minutes, and a busy machine takes longer."""
    items.sort(key=lambda item: item.path.name != "test_walk.py")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """The demo, as a newcomer starts it in an empty folder."""
    with running_demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture(scope="session")
def sessions(chromium: Browser, demo: RunningDemo) -> Callable[..., Any]:
    """Gives the cookies of a user who signed in by a link; each user signs in once, and needs no page for it."""
    known: dict[tuple[str, bool], Any] = {}

    def cookies_of(email: str, *, admin: bool = False) -> Any:
        if (email, admin) not in known:
            context = chromium.new_context()
            form = {"token": demo.create_link(email, admin=admin).partition("token=")[2]}
            answer = context.request.post(f"{demo.origin}/login", form=form, headers={"Origin": demo.origin})
            assert answer.ok, answer.text()
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
