"""What is kept as one document: to download, and on a page with what files rule."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import Response
from latchpin.sdk.web import WITH_SCRIPTS, AdminCaller, CurrentApplication, frame, problems, render

from latchpin_config.kinds import installed_kinds
from latchpin_config.marks import Marks

if TYPE_CHECKING:
    from latchpin.model import Caller
    from latchpin.sdk.gateway import Application

    from latchpin_config.exporting import Exported

__all__ = ["router"]

router = APIRouter(tags=["operation"])
TEMPLATES = Path(__file__).parent / "templates"
_YAML = {
    "content": {"application/yaml": {"schema": {"anyOf": [{"type": "object"}, {"type": "null"}]}}},
    "description": "The document.",
}


@router.get(
    "/configuration",
    summary="Export the configuration",
    response_class=Response,
    responses={200: _YAML, **problems()},
)
async def export_configuration(caller: AdminCaller, application: CurrentApplication) -> Response:
    """What is entered as the YAML that `latchpin apply` takes, without secrets."""
    exported = await _export(application, caller)
    headers = {"content-disposition": 'attachment; filename="latchpin.yaml"', "cache-control": "no-store"}
    return Response(exported.text, media_type="application/yaml", headers=headers)


@router.get("/admin/configuration", include_in_schema=False)
async def show_configuration(request: Request, caller: AdminCaller, application: CurrentApplication) -> Response:
    """The document, and which files rule what."""
    exported = await _export(application, caller)
    marks = (await Marks.of(application.services.context).all()).values()
    return render(
        "configuration",
        folder=TEMPLATES,
        headers=WITH_SCRIPTS,
        title="Configuration",
        text=exported.text,
        left_out=exported.left_out,
        marks=sorted(marks, key=lambda each: (each.kind, each.name)),
        **await frame(request, caller),
    )


async def _export(application: Application, caller: Caller) -> Exported:
    from latchpin_config.exporting import export  # noqa: PLC0415  YAML is loaded where somebody asks for it

    return await export(application, installed_kinds(), caller)
