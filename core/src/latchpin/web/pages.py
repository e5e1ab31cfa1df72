"""The pages people see: what failed and why, what was connected, what was fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.responses import HTMLResponse

from latchpin.errors import AuthorizationRequired, LatchpinError, NotSignedIn, SignInFailed
from latchpin.errors.causes import Cause
from latchpin.gateways.tools.toolbox import Fetched
from latchpin.model import Gateway, StoredToken, StoredTool
from latchpin.web.rendering import WITH_SCRIPTS, render

__all__ = [
    "SUCCESS_TITLE",
    "GatewayRow",
    "ShownTool",
    "confirm_shared",
    "failure",
    "fetched",
    "shown_tools",
    "success",
]

SUCCESS_TITLE = "OAuth Authorization Successful"


@dataclass(frozen=True, slots=True)
class ShownTool:
    """A tool as a page shows it."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """One gateway in the list.

    Attributes:
        status: the caller's token's status, one of ``latchpin.oauth.status.TokenStatus``, ``""`` without OAuth.
        status_text: the same for people.
        authorizes: whether there is something to authorize for a person.
        connected: whether there is a token to disconnect.
        shared: there is one account for all.
        connected_by: who connected that.
        account: the label of the caller's account that serves.
    """

    id: str
    name: str
    url: str
    auth_type: str
    status: str
    status_text: str
    authorizes: bool
    connected: bool
    tools: Sequence[ShownTool]
    shared: bool = False
    connected_by: str | None = None
    account: str = ""


def failure(
    error: LatchpinError,
    *,
    detail: str,
    trace: tuple[str, str],
    around: Mapping[str, Any],
    seen: Cause | None = None,
    support_link: str | None = None,
    headers: Mapping[str, str] | None = None,
    announce: bool = False,
    gateway_id: str | None = None,
) -> HTMLResponse:
    """The failure page: what happened, why, and the one action that mends it.

    Args:
        error: what happened.
        detail: the public text, with the facts if they may be shown.
        trace: what to look for in the log: ``flow`` or ``request``, and its id.
        around: what surrounds the page, of ``latchpin.web.frame``.
        seen: its cause, as the person in front may know it; the error's own if None.
        support_link: where the flow can be looked at, if there is one.
        headers: added to the answer.
        announce: tell the gateway's other open pages that an authorization ended.
        gateway_id: at which gateway, if that is known: the page then offers to begin another.
    """
    seen, base = seen or error.as_cause(), around["base"]
    link, label, remedy = f"{base}/admin/gateways", "Back to the gateways", seen.remedy
    if isinstance(error, AuthorizationRequired):  # its own remedy names the document's field
        link, label, remedy = error.authorize_url, "Authorize", "Authorize this gateway, then try again."
    elif isinstance(error, NotSignedIn | SignInFailed):
        link, label = f"{base}/login", "Sign in"
    return render(
        "failure",
        **around,
        title=seen.title,
        status=error.status,
        headers={**(headers or {}), **(WITH_SCRIPTS if announce else {})},
        announce=announce,
        gateway_id=gateway_id if announce else None,
        detail=detail,
        remedy=remedy,
        cause=seen.slug,
        trace_name=f"{trace[0].capitalize()} id",
        trace_id=trace[1],
        support_link=support_link,
        link=link,
        label=label,
        return_to=error.return_to,
    )


def confirm_shared(
    *, around: Mapping[str, Any], gateway: Gateway, replaced: StoredToken | None, return_to: str = ""
) -> HTMLResponse:
    """The page before an administrator connects the account that all of a gateway use.

    Args:
        around: what surrounds the page, with the proof for its form.
        gateway: whose account it will be.
        replaced: the account that is connected now, if there is one.
        return_to: the path of ours that the browser goes on to afterwards, if any.
    """
    return render(
        "confirm_shared",
        **around,
        title=f"Connect the account that all of {gateway.name} use?",
        gateway=gateway,
        replaced=replaced,
        next=return_to,
    )


def success(
    *,
    around: Mapping[str, Any],
    email: str,
    gateway: Gateway,
    shared: bool = False,
    account: str = "",
    mcp_url: str | None = None,
) -> HTMLResponse:
    """The page after a finished authorization: whose account was connected to what, and the next step.

    Args:
        around: what surrounds the page; without a ``csrf_token`` there is a link to the list instead of a form.
        email: the user of this gateway who now has the token.
        gateway: what the token is for.
        shared: it serves all whom the gateway allows.
        account: the label of the account, if it has one.
        mcp_url: where MCP clients reach it, if a plugin serves them.
    """
    return render(
        "success",
        **around,
        title=SUCCESS_TITLE,
        headers=WITH_SCRIPTS,
        email=email,
        gateway=gateway,
        shared=shared,
        account=account,
        mcp_url=mcp_url,
        issuer=gateway.pinned_issuer or (gateway.oauth.issuer if gateway.oauth else None),
    )


def fetched(
    fetched: Fetched, tools: Sequence[ShownTool], *, around: Mapping[str, Any], mcp_url: str | None = None
) -> HTMLResponse:
    """The page after Fetch Tools: what was found, what changed, and what had to be left out.

    Args:
        fetched: what fetching brought.
        tools: those that are there now.
        around: what surrounds the page, of ``latchpin.web.frame``.
        mcp_url: where MCP clients reach the gateway, if a plugin serves them.
    """
    return render(
        "fetched",
        **around,
        title="Tools fetched",
        headers=WITH_SCRIPTS,
        gateway=fetched.gateway,
        mcp_url=mcp_url,
        fetched=fetched,
        tools=tools,
    )


def shown_tools(tools: Sequence[StoredTool]) -> list[ShownTool]:
    """What a page shows of stored tools; a server may have put anything into a definition."""
    shown = []
    for tool in tools:
        description = tool.definition.get("description")
        shown.append(ShownTool(tool.name, description if isinstance(description, str) else ""))
    return shown
