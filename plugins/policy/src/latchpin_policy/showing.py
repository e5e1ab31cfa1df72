"""What the pages of rules, groups and changed tools share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from latchpin.model import Caller
from latchpin.sdk.gateway import Application
from latchpin.sdk.web import WITH_SCRIPTS, frame, render
from starlette.datastructures import FormData

__all__ = ["entered", "go_to", "show"]

TEMPLATES = Path(__file__).parent / "templates"


def entered(form: FormData, names: tuple[str, ...]) -> dict[str, str]:
    """What stands in the fields."""
    return {name: str(form.get(name, "")).strip() for name in names}


def go_to(application: Application, path: str) -> Response:
    """Lead on to a page, after something was entered."""
    return RedirectResponse(application.services.settings.base_url + path, 303)


async def show(request: Request, caller: Caller, template: str, **values: Any) -> Response:  # noqa: ANN401
    """A page of the plugin's."""
    return render(template, folder=TEMPLATES, headers=WITH_SCRIPTS, **values, **await frame(request, caller))
