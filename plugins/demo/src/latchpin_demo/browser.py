"""A browser without a screen: cookies, redirects, forms. For ``latchpin demo --once`` and for tests.

It sends what browsers send with a navigation or a form (``Sec-Fetch-Site``, ``Origin``), so that a server's
checks of these are met as a person's browser would meet them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

import httpx

__all__ = ["Browser", "Form", "Page"]

_MOST_REDIRECTS = 20
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(slots=True)
class Form:
    """A form on a page: where it goes, how, and with what.

    Attributes:
        fields: the inputs' values as the page gives them, buttons left out.
        buttons: the name and value of each button that has a name.
        label: the words on the form's first button.
    """

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    label: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """What the browser shows.

    Attributes:
        url: in the address bar.
        trail: the URLs that redirected here, first to last.
        refresh: where the page sends the browser by itself (``<meta http-equiv="refresh">``); empty if nowhere.
        labelled: where its links lead, of those that have a label for people who do not see the page.
    """

    url: str
    status: int
    text: str
    headers: httpx.Headers
    forms: tuple[Form, ...]
    trail: tuple[str, ...] = ()
    refresh: str = ""
    labelled: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The page's title, empty if it has none."""
        return self.text.partition("<title>")[2].partition("</title>")[0].strip()

    def link(self, label: str) -> str:
        """Where the link with that label leads.

        Raises:
            LookupError: there is none; says what the page is instead.
        """
        if label in self.labelled:
            return self.labelled[label]
        raise LookupError(f"No link {label!r} on the page {self.title!r} (HTTP {self.status}) at {_place(self.url)}")

    def form(self, *, action: str = "", button: str = "") -> Form:
        """The first form whose action holds ``action`` and whose button's words hold ``button``.

        Raises:
            LookupError: there is none; says what the page is instead.
        """
        for form in self.forms:
            if action in form.action and button.lower() in form.label.lower():
                return form
        wanted = " ".join(word for word in (action, button) if word)
        raise LookupError(f"No form {wanted!r} on the page {self.title!r} (HTTP {self.status}) at {_place(self.url)}")


class Browser:
    """One browser with its cookies.

    Args:
        client: carries the requests; it is closed with the browser. None makes one.
        stops_before: addresses that begin so are not opened, as those of a program that is not there: the page then has
            this address and the status 0.
    """

    def __init__(self, client: httpx.AsyncClient | None = None, *, stops_before: str | None = None) -> None:
        self._stops_before = stops_before
        self._client = client or httpx.AsyncClient(timeout=20, trust_env=False)
        self.page: Page | None = None

    async def __aenter__(self) -> Self:
        """Open the browser."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self._client.aclose()

    @property
    def cookies(self) -> httpx.Cookies:
        """What servers stored here."""
        return self._client.cookies

    @property
    def headers(self) -> httpx.Headers:
        """What it sends with every request, as a proxy in front of servers would add it."""
        return self._client.headers

    async def open(self, url: str, *, follow: bool = True) -> Page:
        """Go to ``url`` as if it was typed in."""
        return await self._go("GET", url, origin="", data=None, follow=follow)

    async def submit(self, form: Form, *, follow: bool = True, press: str = "", **entries: str) -> Page:
        """Fill in ``entries`` and send the form, with the button whose value is ``press``."""
        data = form.fields | entries | {name: value for name, value in form.buttons if value == press}
        if press and press not in [value for _, value in form.buttons]:
            raise LookupError(f"No button {press!r} in the form that goes to {_place(form.action)}")
        return await self._go(form.method, form.action, origin=self._origin(), data=data, follow=follow)

    def _origin(self) -> str:
        if self.page is None:
            return ""
        return _origin_of(self.page.url)

    async def _go(self, method: str, url: str, *, origin: str, data: dict[str, str] | None, follow: bool) -> Page:
        trail: list[str] = []
        while True:
            if self._stops_before is not None and url.startswith(self._stops_before):
                self.page = Page(url, 0, "", httpx.Headers(), (), tuple(trail))
                return self.page
            response = await self._client.send(self._request(method, url, origin, data), follow_redirects=False)
            reader = _PageReader(url, response)
            moved = response.status_code in _REDIRECTS
            target = response.headers.get("location") if moved else reader.refresh or None
            if not follow or target is None:
                break
            trail.append(url)
            if len(trail) > _MOST_REDIRECTS:
                raise LookupError(f"More than {_MOST_REDIRECTS} redirects, the last from {_place(url)}")
            if response.status_code not in {307, 308}:
                method, data = "GET", None
            if not moved:  # the page itself goes on
                origin = _origin_of(url)
            url = urljoin(url, target)
        self.page = Page(
            url,
            response.status_code,
            response.text,
            response.headers,
            tuple(reader.forms),
            tuple(trail),
            reader.refresh,
            reader.labelled,
        )
        return self.page

    def _request(self, method: str, url: str, origin: str, data: dict[str, str] | None) -> httpx.Request:
        parts = urlsplit(url)
        headers = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "Sec-Fetch-Mode": "navigate"}
        headers["Sec-Fetch-Dest"] = "document"
        here = f"{parts.scheme}://{parts.netloc}"
        headers["Sec-Fetch-Site"] = "none" if not origin else "same-origin" if origin == here else "cross-site"
        if method == "POST":
            # a page with this policy sends its forms with an opaque origin
            hidden = self.page is not None and self.page.headers.get("referrer-policy") == "no-referrer"
            headers["Origin"] = "null" if hidden else origin
            return self._client.build_request(method, url, headers=headers, data=data or {})
        return self._client.build_request(method, url, headers=headers, params=data)


def _place(url: str) -> str:
    """A URL without its query, which may hold secrets."""
    return url.partition("?")[0]


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class _PageReader(HTMLParser):
    def __init__(self, url: str, response: httpx.Response) -> None:
        super().__init__()
        self._url = url
        self.forms: list[Form] = []
        self.refresh = ""
        self.labelled: dict[str, str] = {}
        self._inside = False
        self._in_button = False
        if "html" in response.headers.get("content-type", ""):
            self.feed(response.text)
            self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = {name: value or "" for name, value in attrs}
        if tag == "form":
            method = facts.get("method", "get").upper()
            self.forms.append(Form(urljoin(self._url, facts.get("action", "")), method))
            self._inside = True
        elif tag == "a" and facts.get("aria-label") and facts.get("href"):
            self.labelled[facts["aria-label"]] = urljoin(self._url, facts["href"])
        elif tag == "meta" and facts.get("http-equiv") == "refresh":
            self.refresh = facts.get("content", "").partition("url=")[2]
        elif self._inside and tag == "input" and facts.get("name"):
            self.forms[-1].fields[facts["name"]] = facts.get("value", "")
        elif self._inside and tag == "button":
            self._in_button = not self.forms[-1].label
            if facts.get("name"):
                self.forms[-1].buttons.append((facts["name"], facts.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "button":
            self._in_button = False

    def handle_data(self, data: str) -> None:
        if self._in_button:
            self.forms[-1].label += data.strip()
