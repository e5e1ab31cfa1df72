"""Templates in, HTML answers out. Everything is autoescaped, and nothing needs a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi.responses import HTMLResponse

from latchpin.contracts import NavigationEntry
from latchpin.web.menu import MenuGroup

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["WITH_SCRIPTS", "render", "render_text"]

_TEMPLATES = Path(__file__).parent / "templates"

WITH_SCRIPTS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
}
"""The header of a page that uses one of our script files: no inline script or style runs there either."""


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
    menu: Sequence[MenuGroup] = (),
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
        menu: the same with the gateway's own pages, in groups.
        folder: a plugin's own templates, looked at first; they may extend ``layout.html``.
        values: what else the template wants; a missing one is an error, not an empty place.
    """
    known = {"title": title, "base": base, "caller": caller, "csrf_token": csrf_token}
    text = render_text(template, folder=folder, navigation=navigation, menu=menu, **known, **values)
    return HTMLResponse(text.encode("utf-8", "replace"), status, dict(headers or {}))


def render_text(template: str, *, folder: Path | None = None, **values: Any) -> str:  # noqa: ANN401
    """Render a template to text: a piece of a page, or a page that is sent in pieces."""
    return _environment(folder).get_template(f"{template}.html").render(values)


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
