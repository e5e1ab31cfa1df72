"""The pages people see: what failed and why, the causes there are, what was connected, what was fetched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fastapi.responses import HTMLResponse

from latchpin.causes import Cause
from latchpin.contracts import NavigationEntry
from latchpin.errors import AuthorizationRequired, LatchpinError, NotSignedIn, SignInFailed
from latchpin.model import StoredTool
from latchpin.tools.listing import LeftOut
from latchpin.web.rendering import WITH_SCRIPTS, render

__all__ = [
    "SUCCESS_TITLE",
    "GatewayRow",
    "ShownTool",
    "failure",
    "fetched",
    "problem",
    "problems",
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


def failure(
    error: LatchpinError,
    *,
    detail: str,
    trace: tuple[str, str],
    base: str,
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
        base: BASE_URL's path prefix.
        seen: its cause, as the person in front may know it; the error's own if None.
        support_link: where the flow can be looked at, if there is one.
        headers: added to the answer.
        announce: tell the gateway's other open pages that an authorization ended.
        gateway_id: at which gateway, if that is known: the page then offers to begin another.
    """
    seen = seen or error.as_cause()
    link, label, remedy = f"{base}/admin/gateways", "Back to the gateways", seen.remedy
    if isinstance(error, AuthorizationRequired):  # its own remedy names the document's field
        link, label, remedy = error.authorize_url, "Authorize", "Authorize this gateway, then try again."
    elif isinstance(error, NotSignedIn | SignInFailed):
        link, label = f"{base}/login", "Sign in"
    return render(
        "failure",
        title=seen.title,
        base=base,
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
    )


def problem(cause: Cause, *, base: str) -> HTMLResponse:
    """What is true of every failure with this cause."""
    return render("problem", title=cause.title, base=base, cause=cause)


def problems(causes: Iterable[Cause], *, base: str) -> HTMLResponse:
    """The catalogue of causes."""
    return render("problems", title="Causes", base=base, causes=list(causes))


def success(
    *,
    base: str,
    email: str,
    gateway_id: str,
    gateway_name: str,
    gateway_url: str,
    issuer: str | None,
    csrf_token: str,
    navigation: Sequence[NavigationEntry] = (),
) -> HTMLResponse:
    """The page after a finished authorization: whose account was connected to what, and the next step.

    Args:
        base: BASE_URL's path prefix.
        email: the user of this gateway who now has the token.
        gateway_id: the gateway, for the Fetch Tools form; ``gateway_name`` and ``gateway_url`` are shown.
        gateway_name: its name.
        gateway_url: the MCP server's URL.
        issuer: the authorization server that issued the token, if known.
        csrf_token: for the form; empty where nobody is signed in, then there is a link to the list instead.
        navigation: the menu.
    """
    return render(
        "success",
        title=SUCCESS_TITLE,
        base=base,
        headers=WITH_SCRIPTS,
        caller=email if csrf_token else None,
        csrf_token=csrf_token,
        navigation=navigation,
        email=email,
        gateway_id=gateway_id,
        gateway_name=gateway_name,
        gateway_url=gateway_url,
        issuer=issuer,
    )


def fetched(
    *,
    base: str,
    email: str,
    gateway_name: str,
    message: str,
    updated: int,
    removed: int,
    tools: Sequence[ShownTool],
    left_out: Sequence[LeftOut] = (),
    remarks: Sequence[str] = (),
    csrf_token: str = "",
    navigation: Sequence[NavigationEntry] = (),
) -> HTMLResponse:
    """The page after Fetch Tools: what was found, what changed, and what had to be left out."""
    return render(
        "fetched",
        title="Tools fetched",
        base=base,
        caller=email,
        csrf_token=csrf_token,
        navigation=navigation,
        gateway_name=gateway_name,
        message=message,
        updated=updated,
        removed=removed,
        left_out=left_out,
        remarks=remarks,
        tools=tools,
    )


def shown_tools(tools: Sequence[StoredTool]) -> list[ShownTool]:
    """What a page shows of stored tools; a server may have put anything into a definition."""
    shown = []
    for tool in tools:
        description = tool.definition.get("description")
        shown.append(ShownTool(tool.name, description if isinstance(description, str) else ""))
    return shown
