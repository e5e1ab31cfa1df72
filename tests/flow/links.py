"""Follows the links of the gateway's pages: each one, until there is no new one."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urldefrag, urljoin

import httpx

__all__ = ["dead_links"]

_LINK = re.compile(r'(?:href|src)="([^"]+)"')
_LEADS_AWAY = re.compile(r"/(oauth/authorize/|logout|problems/).*|/login")
"""Begins something, ends the session, or is one of some sixty pages of one kind."""


async def dead_links(client: httpx.AsyncClient, start: str = "/") -> dict[str, str]:
    """What does not answer with success, by the page that links to it, beginning at ``start``.

    Args:
        client: signed in; its ``base_url`` is the gateway's.
        start: the first page.
    """
    origin = str(client.base_url).rstrip("/")
    seen, waiting, dead = {start}, [(start, "")], {}
    while waiting:
        path, page = waiting.pop()
        answer = await client.get(path, headers={"Accept": "text/html"}, follow_redirects=True)
        if not answer.is_success:
            dead[path] = f"HTTP {answer.status_code}, linked from {page or 'nowhere'}"
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        for link in _LINK.findall(answer.text):
            url = urldefrag(urljoin(f"{origin}{path}", unescape(link))).url
            found = url.removeprefix(origin)
            if url.startswith(origin) and not _LEADS_AWAY.fullmatch(found) and found not in seen:
                seen.add(found)
                waiting.append((found, path))
    assert len(seen) > 5, seen
    return dead
