"""What every provider gives, and how a person gets through its pages."""

from __future__ import annotations

from dataclasses import dataclass

from latchpin_demo.browser import Browser, Page
from latchpin_demo.front_channel import PASSWORD

__all__ = ["Provider", "sign_in"]


@dataclass(frozen=True, slots=True)
class Provider:
    """A protected MCP server with its authorization server, both running.

    Attributes:
        mcp_url: the MCP server's endpoint; all else can be discovered from it.
        issuer: exactly as its metadata says.
        tools: the names of its tools.
    """

    mcp_url: str
    issuer: str
    tools: frozenset[str]


async def sign_in(
    browser: Browser, *, user: str = "alice@example.com", allow: bool = True, follow: bool = True
) -> Page:
    """Answer the authorization server's pages until the browser has left them.

    Start on the page that an authorization request leads to. Servers without a login or a consent page
    are left alone.

    Args:
        browser: shows the server's first page, or is back at the client already.
        user: who signs in.
        allow: what the person answers.
        follow: whether the answer's redirect to the client is followed; without, the page is that redirect.
    """
    page = browser.page
    assert page is not None
    if any(form.action.endswith("/login") for form in page.forms) and any("password" in f.fields for f in page.forms):
        page = await browser.submit(page.form(action="/login"), email=user, password=PASSWORD)
    if any(form.action.endswith("/consent") for form in page.forms):
        page = await browser.submit(page.form(action="/consent"), press="allow" if allow else "deny", follow=follow)
    return page
