"""The links by which a person authorizes what stands behind an endpoint."""

from __future__ import annotations

from urllib.parse import quote

from latchpin_proxy.bindings import Binder, NotBound
from latchpin_proxy.errors import OthersLink

__all__ = ["LINK", "check_link", "link_for"]

FOR = "authorize"
"""What a link is for; whom it is for is what it is bound to."""
LINK = "/oauth/authorize/{gateway_id}/for/{person}"


def link_for(base_url: str, gateway_id: str, binder: Binder, account: str) -> str:
    """The link by which one person authorizes the gateway: it holds no secret, and leads nobody else anywhere.

    Args:
        base_url: BASE_URL.
        gateway_id: which gateway.
        binder: the person's, for that account.
        account: the account's label.
    """
    chosen = f"?account={quote(account, safe='')}" if account else ""
    return f"{base_url}/oauth/authorize/{gateway_id}/for/{binder.bind('person', FOR)}{chosen}"


def check_link(text: str, binder: Binder) -> None:
    """Go on only if the end of a link was made for the person of ``binder``.

    Raises:
        OthersLink: it was made for somebody else.
    """
    try:
        if binder.release("person", text) == FOR:
            return
    except NotBound:
        pass
    raise OthersLink
