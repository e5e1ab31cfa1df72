"""What a caller is told whose person has to authorize first, in the words of the protocol: one function a way. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from latchpin.contracts import AUTHORIZE_FIRST

from latchpin_proxy.asked import INTERACTIVE, Asked
from latchpin_proxy.resuming import QUESTION

__all__ = [
    "INVALID_PARAMS",
    "Way",
    "build_asking",
    "build_error",
    "build_opening",
    "build_result",
    "choose",
]

INVALID_PARAMS = -32602
_OPEN_LINKS_FIRST = -32042

Way = Literal["ask", "open", "sign-in", "result", "error", "refuse"]
"""How a caller is told: with a question within the request (2026-07-28), with links to open (2025-11-25), with 401,
with the result of a tool, with an error in a message, with an HTTP status alone."""


def choose(
    asked: Asked | None,
    *,
    mends: bool = True,
    session_opens_links: bool = False,
    signs_in: bool = False,
    sign_in_helps: bool = False,
) -> Way:
    """The way that gets the caller on, of those that its program has.

    Args:
        asked: the request, None where the message is none, or could not be read.
        mends: an authorization may mend it; else it is only told.
        session_opens_links: the program said at ``initialize`` that it asks people to open links.
        signs_in: the program runs OAuth with our authorization server.
        sign_in_helps: the person was not there a moment ago.
    """
    if mends and asked is not None and asked.method != "initialize":
        interactive = asked.method in INTERACTIVE
        if asked.opens_links and interactive and "requestState" not in asked.params:
            return "ask"
        if session_opens_links and not asked.modern and (interactive or not signs_in):
            return "open"
    if mends and signs_in and sign_in_helps:
        return "sign-in"
    if asked is None:
        return "refuse"
    return "result" if asked.method == "tools/call" else "error"


def build_asking(asked: Asked, *, message: str, url: str | None, state: str) -> dict[str, Any]:
    """An ``InputRequiredResult`` (2026-07-28): open ``url``, then ask again; without one, just ask again."""
    result: dict[str, Any] = {"resultType": "input_required", "requestState": state}
    if url is not None:
        params = {"mode": "url", "message": message, "url": url}
        result["inputRequests"] = {QUESTION: {"method": "elicitation/create", "params": params}}
    return _answer(asked, result=result)


def build_opening(asked: Asked, *, message: str, url: str, elicitation_id: str) -> dict[str, Any]:
    """The error that names links to open first (2025-11-25, ``URLElicitationRequiredError``)."""
    link = {"mode": "url", "elicitationId": elicitation_id, "url": url, "message": message}
    error = {"code": _OPEN_LINKS_FIRST, "message": message, "data": {"elicitations": [link]}}
    return _answer(asked, error=error)


def build_result(asked: Asked, *, message: str) -> dict[str, Any]:
    """The result of a tool that did not run; the program shows it to its model, which tells the person."""
    result: dict[str, Any] = {"content": [{"type": "text", "text": message}], "isError": True}
    if asked.modern:
        result["resultType"] = "complete"
    return _answer(asked, result=result)


def build_error(asked: Asked, *, message: str, data: Mapping[str, Any], code: int = AUTHORIZE_FIRST) -> dict[str, Any]:
    """An error that people read; ``data`` is the problem document."""
    return _answer(asked, error={"code": code, "message": message, "data": dict(data)})


def _answer(asked: Asked, **member: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    return {"jsonrpc": "2.0", "id": asked.id, **member}
