"""The sets' pages: whoever is signed in sees theirs, administrators make, change and remove them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from latchpin.errors import Conflict, InvalidRequest, LatchpinError
from latchpin.model import Caller, Gateway
from latchpin.sdk.gateway import Application
from latchpin.sdk.web import (
    WITH_SCRIPTS,
    AdminCaller,
    CurrentApplication,
    SignedInCaller,
    WritingAdmin,
    frame,
    render,
)
from starlette.datastructures import FormData

from latchpin_aggregator.sets.directory import open_sets
from latchpin_aggregator.sets.entry import parse_set_body
from latchpin_aggregator.sets.gateway_set import GatewaySet

__all__ = ["router"]

router = APIRouter(prefix="/admin/sets", include_in_schema=False)

TEMPLATES = Path(__file__).parent / "templates"
_TEXTS = ("slug", "name", "description", "allowed_users", "revision")


@dataclass(frozen=True, slots=True)
class SetRow:
    """A set as the page shows it.

    Attributes:
        gateways: the names of those that the caller may use.
        users: who may use it, in words.
    """

    slug: str
    name: str
    description: str
    url: str
    path: str
    gateways: tuple[str, ...]
    users: str

    @classmethod
    def of(cls, found: GatewaySet, gateways: Sequence[Gateway], base_url: str) -> SetRow:
        """As somebody sees it who may use ``gateways``."""
        names = tuple(each.name for each in found.among(gateways))
        users = ", ".join(found.allowed_users) or "everyone who is signed in"
        return cls(found.slug, found.name, found.description, base_url + found.path, found.path, names, users)

    def holds(self, wanted: str) -> bool:
        """Whether a part of its name, slug, description or gateways is ``wanted``."""
        return any(wanted in text.lower() for text in (self.slug, self.name, self.description, *self.gateways))


@router.get("")
async def show_sets(request: Request, caller: SignedInCaller, application: CurrentApplication, q: str = "") -> Response:
    """The sets that the caller may use; ``q`` is a part of what each says."""
    gateways, base_url = await application.gateways.list(caller), application.services.settings.base_url
    found = await (await open_sets(application)).list(caller)
    rows, wanted = [SetRow.of(each, gateways, base_url) for each in found], q.strip()[:200]
    return await _show(
        request,
        caller,
        "sets",
        title="Sets",
        rows=[row for row in rows if row.holds(wanted.lower())],
        total=len(rows),
        wanted=wanted,
    )


@router.get("/new")
async def show_new(request: Request, caller: AdminCaller, application: CurrentApplication) -> Response:
    """Ask what is to be made."""
    return await _show_form(request, caller, application, dict.fromkeys(_TEXTS, ""), ())


@router.post("/new")
async def create(request: Request, caller: WritingAdmin, application: CurrentApplication) -> Response:
    """Make it; what does not hold is shown above the form, with everything as it was entered."""
    form = await request.form()
    try:
        await (await open_sets(application)).create(parse_set_body(_read(form)), caller)
    except (InvalidRequest, Conflict) as exc:
        return await _show_form(request, caller, application, *_entered(form), wrong=exc)
    return _to_list(application)


@router.get("/{slug}/edit")
async def show_edit(request: Request, caller: AdminCaller, application: CurrentApplication, slug: str) -> Response:
    """Show what is entered, to be changed."""
    found = await (await open_sets(application)).get(slug, caller)
    fields = {
        "slug": found.slug,
        "name": found.name,
        "description": found.description,
        "allowed_users": " ".join(found.allowed_users),
        "revision": str(found.revision),
    }
    return await _show_form(request, caller, application, fields, found.gateways, slug=slug)


@router.post("/{slug}/edit")
async def change(request: Request, caller: WritingAdmin, application: CurrentApplication, slug: str) -> Response:
    """Change it; what does not hold is shown as before."""
    form = await request.form()
    try:
        await (await open_sets(application)).change(slug, parse_set_body(_read(form)), caller)
    except (InvalidRequest, Conflict) as exc:
        return await _show_form(request, caller, application, *_entered(form), slug=slug, wrong=exc)
    return _to_list(application)


@router.get("/{slug}/remove")
async def ask_to_remove(request: Request, caller: AdminCaller, application: CurrentApplication, slug: str) -> Response:
    """Ask before it is removed."""
    found = await (await open_sets(application)).get(slug, caller)
    row = SetRow.of(found, await application.gateways.list(caller), application.services.settings.base_url)
    return await _show(
        request, caller, "set_remove", title=f"Remove {found.name}", row=row, ruled=await _ruled(application, slug)
    )


@router.post("/{slug}/remove")
async def remove(caller: WritingAdmin, application: CurrentApplication, slug: str) -> Response:
    """Remove it."""
    await (await open_sets(application)).remove(slug, caller)
    return _to_list(application)


def _to_list(application: Application) -> Response:
    return RedirectResponse(f"{application.services.settings.base_url}/admin/sets", 303)


def _read(form: FormData) -> dict[str, Any]:
    """The form as the API's body."""
    fields, chosen = _entered(form)
    body: dict[str, Any] = {
        "slug": fields["slug"],
        "name": fields["name"] or None,
        "description": fields["description"],
        "gateways": list(chosen),
        "allowed_users": fields["allowed_users"],
    }
    return body | ({"revision": int(fields["revision"])} if fields["revision"].isdecimal() else {})


def _entered(form: FormData) -> tuple[dict[str, str], tuple[str, ...]]:
    """What stands in the fields, and the ids that are chosen, in their order."""
    fields = {name: str(form.get(name, "")).strip() for name in _TEXTS}
    return fields, tuple(str(each) for each in form.getlist("gateway"))


async def _show_form(
    request: Request,
    caller: Caller,
    application: Application,
    fields: dict[str, str],
    chosen: Sequence[str],
    *,
    slug: str = "",
    wrong: LatchpinError | None = None,
) -> Response:
    gateways = {each.id: each for each in await application.gateways.list(caller)}
    first = [gateways.pop(each) for each in dict.fromkeys(chosen) if each in gateways]
    return await _show(
        request,
        caller,
        "set_form",
        title=f"Change {fields['name'] or slug}" if slug else "Make a set",
        status=wrong.status if wrong else 200,
        slug=slug,
        fields=fields,
        chosen=first,
        others=list(gateways.values()),
        ruled=await _ruled(application, slug),
        start=f"{application.services.settings.base_url}/mcp/",
        wrong="" if wrong is None else wrong.detail,
    )


async def _ruled(application: Application, slug: str) -> str:
    """What is to be known of a set before it is changed."""
    return (await application.entry_notes("sets")).get(slug, "")


async def _show(request: Request, caller: Caller, template: str, **values: Any) -> Response:  # noqa: ANN401
    return render(template, folder=TEMPLATES, headers=WITH_SCRIPTS, **values, **await frame(request, caller))
