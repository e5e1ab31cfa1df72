"""Everything a browser context asked for and complained about, so that each test can be held to the same rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page

__all__ = ["Watch"]

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
    """

    origins: set[str] = field(default_factory=set)
    referrers: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    provoked: str | None = None

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
        assert self.origins <= set(allowed_origins)

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
