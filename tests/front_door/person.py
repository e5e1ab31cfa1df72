"""A person at a browser, to whom clients bring a URL: signed in there, answers each page, and counts them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from latchpin_demo.browser import Browser, Form, Page
from latchpin_demo.front_channel import PASSWORD

__all__ = ["Person", "Visit"]

_MOST_PAGES = 10


@dataclass(slots=True)
class Visit:
    """One time that a client opened the browser.

    Attributes:
        url: what the client opened.
        pages: the titles of the pages that waited for the person.
        clicks: how often the person pressed a button that is not of a sign-in.
        sign_ins: how often the person gave a password.
        end: the page that it ended on.
    """

    url: str
    pages: list[str] = field(default_factory=list)
    clicks: int = 0
    sign_ins: int = 0
    end: Page | None = None


class Person:
    """Does what a client's user does.

    Args:
        browser: theirs.
        email: who they are, at the gateway and at the servers behind it.
    """

    def __init__(self, browser: Browser, email: str) -> None:
        self.email = email
        self.visits: list[Visit] = []
        self._browser = browser
        self._shown = asyncio.Event()

    async def visit(self, url: str) -> Visit:
        """Open what a client asks to be opened, and go on until no page wants an answer."""
        visit = Visit(url)
        self.visits.append(visit)
        visit.end = await self._browser.open(url)
        while (form := _find_form(visit.end)) is not None:
            assert len(visit.pages) < _MOST_PAGES, visit.pages
            visit.pages.append(visit.end.title)
            visit.end = await self._answer(form, visit)
        assert visit.end.status < 500, visit.end.text  # else the client waits for nobody
        self._shown.set()
        return visit

    async def shown(self) -> None:
        """Return when the next visit has come to its end."""
        self._shown.clear()
        await self._shown.wait()

    def forget(self, header: str) -> None:
        """The browser sends this header no more."""
        del self._browser.headers[header]

    async def _answer(self, form: Form, visit: Visit) -> Page:
        if "password" in form.fields:
            visit.sign_ins += 1
            name = "login" if "login" in form.fields else "email"
            return await self._browser.submit(form, **{name: self.email}, password=PASSWORD)
        visit.clicks += 1
        return await self._browser.submit(form, press="allow" if form.buttons else "")


def _find_form(page: Page) -> Form | None:
    """The question that the page asks; None if it asks nothing that a person says yes to."""
    for form in page.forms:
        asks = form.fields.get("prompt") == "consent" or any(value == "allow" for _, value in form.buttons)
        if "password" in form.fields or asks:
            return form
    return None


# Where the browsers that programs open knock: ``BROWSER`` brings the URL to the person.


_KNOCK = """
import socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect({path!r})
    line.sendall(sys.argv[1].encode() + b"\\n")
"""


@asynccontextmanager
async def open_desk(folder: Path, visit: Callable[[str], Awaitable[object]]) -> AsyncIterator[Path]:
    """Give the program to name as ``BROWSER``: each URL that it is started with is visited.

    Args:
        folder: an empty one with a short path, for a local socket.
        visit: what the person does with a URL; where it fails, the block does.
    """

    async def open_url(url: str) -> None:
        await visit(url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        url = (await reader.readline()).decode().strip()
        writer.close()
        visits.create_task(open_url(url))

    path, script, program = folder / "desk", folder / "knock.py", folder / "browser"
    script.write_text(_KNOCK.format(path=str(path)))
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{script}" "$1"\n')
    program.chmod(0o700)
    async with asyncio.TaskGroup() as visits:
        server = await asyncio.start_unix_server(serve, path)
        try:
            yield program
        finally:
            server.close()
