"""The demo authorization server's pages: plain HTML, one stylesheet, no script."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

__all__ = ["render", "security_headers", "stylesheet"]

_ENVIRONMENT = Environment(
    loader=PackageLoader("latchpin_demo"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def security_headers(*, form_target: str | None = None) -> dict[str, str]:
    """The headers of every page.

    Args:
        form_target: a redirect URI that a form on the page leads to in the end. Browsers hold redirects after a form to
            ``form-action`` too, so that its origin must be named there.
    """
    action = "'self'"
    if form_target is not None:
        parts = urlsplit(form_target)
        action += f" {parts.scheme}://{parts.netloc}"
    policy = f"default-src 'none'; style-src 'self'; form-action {action}; base-uri 'none'; frame-ancestors 'none'"
    return {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }


def render(
    template: str, facts: Mapping[str, object], *, status: int = 200, form_target: str | None = None
) -> Response:
    """Fill a template. Every value is escaped."""
    text = _ENVIRONMENT.get_template(template).render(**facts)
    return HTMLResponse(text, status_code=status, headers=security_headers(form_target=form_target))


def stylesheet() -> Response:
    """The one stylesheet."""
    text = _ENVIRONMENT.get_template("style.css").render()
    return Response(text, media_type="text/css", headers={"Cache-Control": "max-age=3600"})
