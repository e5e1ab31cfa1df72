"""The pages of groups: for administrators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from latchpin.errors import Conflict, InvalidRequest, LatchpinError
from latchpin.model import Caller
from latchpin.sdk.gateway import Application, parse_body
from latchpin.sdk.web import AdminCaller, CurrentApplication, WritingAdmin

from latchpin_policy.book import book_of
from latchpin_policy.entry import GroupBody, parse_group_name
from latchpin_policy.group import PeopleGroup
from latchpin_policy.showing import entered, go_to, show

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

GROUPS = "/admin/groups"
_TEXTS = ("name", "members", "note", "revision")


@router.get(GROUPS)
async def show_groups(request: Request, caller: AdminCaller, application: CurrentApplication, q: str = "") -> Response:
    """The groups that have ``q`` in them."""
    groups, wanted = (await (await book_of(application)).current()).groups, q.strip()[:200]
    return await show(
        request,
        caller,
        "groups",
        title="Groups",
        rows=[group for group in groups if _has(group, wanted.lower())],
        total=len(groups),
        wanted=wanted,
    )


@router.get(f"{GROUPS}/new")
async def show_new_group(request: Request, caller: AdminCaller, application: CurrentApplication) -> Response:
    """Ask who is in it."""
    return await _show_group(request, caller, application, dict.fromkeys(_TEXTS, ""))


@router.post(f"{GROUPS}/new")
async def create_group(request: Request, caller: WritingAdmin, application: CurrentApplication) -> Response:
    """Make it; what does not hold is shown above the form, with everything as it was entered."""
    form = await request.form()
    fields = entered(form, _TEXTS)
    try:
        body = parse_body(GroupBody, {"members": fields["members"], "note": fields["note"]})
        await (await book_of(application)).edit_group(parse_group_name(fields["name"]), _new(body), caller)
    except (InvalidRequest, Conflict) as exc:
        return await _show_group(request, caller, application, fields, wrong=exc)
    return go_to(application, GROUPS)


@router.get(GROUPS + "/{name}/edit")
async def show_group(request: Request, caller: AdminCaller, application: CurrentApplication, name: str) -> Response:
    """Show who is in it, to be changed."""
    group = await (await book_of(application)).group(parse_group_name(name))
    fields = {
        "name": group.name,
        "members": "\n".join(group.members),
        "note": group.note,
        "revision": str(group.revision),
    }
    return await _show_group(request, caller, application, fields, name=group.name)


@router.post(GROUPS + "/{name}/edit")
async def change_group(request: Request, caller: WritingAdmin, application: CurrentApplication, name: str) -> Response:
    """Change it; what does not hold is shown as before."""
    form, wanted = await request.form(), parse_group_name(name)
    fields = entered(form, _TEXTS)
    document: dict[str, Any] = {"members": fields["members"], "note": fields["note"]}
    if fields["revision"].isdecimal():
        document["revision"] = int(fields["revision"])
    try:
        await (await book_of(application)).put_group(wanted, parse_body(GroupBody, document), caller)
    except (InvalidRequest, Conflict) as exc:
        return await _show_group(request, caller, application, fields, name=wanted, wrong=exc)
    return go_to(application, GROUPS)


@router.get(GROUPS + "/{name}/remove")
async def ask_to_remove_group(
    request: Request, caller: AdminCaller, application: CurrentApplication, name: str
) -> Response:
    """Ask before it is removed."""
    group = await (await book_of(application)).group(parse_group_name(name))
    ruled = (await application.entry_notes("groups")).get(group.name, "")
    return await show(request, caller, "group_remove", title="Remove a group", group=group, ruled=ruled)


@router.post(GROUPS + "/{name}/remove")
async def remove_group(caller: WritingAdmin, application: CurrentApplication, name: str) -> Response:
    """Remove it."""
    await (await book_of(application)).remove_group(parse_group_name(name), caller)
    return go_to(application, GROUPS)


def _new(body: GroupBody) -> Any:  # noqa: ANN401  a function of the earlier group
    def edit(earlier: PeopleGroup | None) -> GroupBody:
        if earlier is not None:
            raise Conflict(f"there is a group {earlier.name} already", remedy="Change that one.")
        return body

    return edit


def _has(group: PeopleGroup, wanted: str) -> bool:
    return any(wanted in text.lower() for text in (group.name, group.note, *group.members))


async def _show_group(
    request: Request,
    caller: Caller,
    application: Application,
    fields: Mapping[str, str],
    *,
    name: str = "",
    wrong: LatchpinError | None = None,
) -> Response:
    return await show(
        request,
        caller,
        "group_form",
        title="Change a group" if name else "Make a group",
        status=wrong.status if wrong else 200,
        name=name,
        fields=fields,
        ruled=(await application.entry_notes("groups")).get(name, ""),
        wrong="" if wrong is None else wrong.detail,
    )
