"""The pages people see: templates in, HTML answers out. Everything is autoescaped, and nothing needs a script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi.responses import HTMLResponse

from latchpin.causes import Cause
from latchpin.contracts import NavigationEntry
from latchpin.errors import AuthorizationRequired, LatchpinError, NotSignedIn, SignInFailed
from latchpin.model import StoredTool

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = [
    "SUCCESS_TITLE",
    "WITH_SCRIPTS",
    "GatewayRow",
    "ShownTool",
    "failure",
    "fetched",
    "problem",
    "problems",
    "render",
    "render_text",
    "shown_tools",
    "success",
]

SUCCESS_TITLE = "OAuth Authorization Successful"
_TEMPLATES = Path(__file__).parent / "templates"

WITH_SCRIPTS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
}
"""The header of a page that uses one of our script files: no inline script or style runs there either."""


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


def render(
    template: str,
    *,
    title: str,
    base: str,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    caller: str | None = None,
    csrf_token: str = "",
    navigation: Sequence[NavigationEntry] = (),
    here: str = "",
    folder: Path | None = None,
    **values: Any,  # noqa: ANN401  what the template wants
) -> HTMLResponse:
    """Render one page. For a signed-in person most of it comes from ``latchpin.web.frame``.

    Args:
        template: a file in ``templates/`` without its ending.
        title: the page's title.
        base: BASE_URL's path prefix, in front of every link.
        status: the HTTP status.
        headers: added to the answer.
        caller: the signed-in user's address, shown on every page.
        csrf_token: for the page's forms; see ``latchpin.web.csrf``.
        navigation: the links to plugins' pages that the user is shown.
        here: the page's own path, marked in the menu.
        folder: a plugin's own templates, looked at first; they may extend ``layout.html``.
        values: what else the template wants; a missing one is an error, not an empty place.
    """
    known = {"title": title, "base": base, "caller": caller, "csrf_token": csrf_token}
    text = render_text(template, folder=folder, navigation=navigation, here=here, **known, **values)
    return HTMLResponse(text.encode("utf-8", "replace"), status, dict(headers or {}))


def render_text(template: str, *, folder: Path | None = None, **values: Any) -> str:  # noqa: ANN401
    """Render a template to text: a piece of a page, or a page that is sent in pieces."""
    return _environment(folder).get_template(f"{template}.html").render(values)


def failure(
    error: LatchpinError,
    *,
    detail: str,
    flow_id: str,
    base: str,
    seen: Cause | None = None,
    support_link: str | None = None,
    headers: Mapping[str, str] | None = None,
    announce: bool = False,
) -> HTMLResponse:
    """The failure page: what happened, why, and the one action that mends it.

    Args:
        error: what happened.
        detail: the public text, with the facts if they may be shown.
        flow_id: what to look for in the log.
        base: BASE_URL's path prefix.
        seen: its cause, as the person in front may know it; the error's own if None.
        support_link: where the flow can be looked at, if there is one.
        headers: added to the answer.
        announce: tell the gateway's other open pages that an authorization ended.
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
        detail=detail,
        remedy=remedy,
        cause=seen.slug,
        flow_id=flow_id,
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
    csrf_token: str = "",
    navigation: Sequence[NavigationEntry] = (),
) -> HTMLResponse:
    """The page after Fetch Tools: what was found, and what changed."""
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
        tools=tools,
    )


def shown_tools(tools: Sequence[StoredTool]) -> list[ShownTool]:
    """What a page shows of stored tools; a server may have put anything into a definition."""
    shown = []
    for tool in tools:
        description = tool.definition.get("description")
        shown.append(ShownTool(tool.name, description if isinstance(description, str) else ""))
    return shown


@cache
def _environment(folder: Path | None) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415  the API does without pages

    return Environment(
        loader=FileSystemLoader([_TEMPLATES] if folder is None else [folder, _TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
