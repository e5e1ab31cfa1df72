"""The pages of rules and groups: for administrators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from latchpin.errors import Conflict, InvalidRequest, LatchpinError
from latchpin.model import Caller
from latchpin.sdk.gateway import Application, parse_body
from latchpin.sdk.web import WITH_SCRIPTS, AdminCaller, CurrentApplication, WritingAdmin, frame, render
from starlette.datastructures import FormData

from latchpin_policy.book import Book, open_book
from latchpin_policy.entry import GroupBody, RuleBody, parse_group_name
from latchpin_policy.explaining import explain
from latchpin_policy.group import PeopleGroup
from latchpin_policy.rule import Rule

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

TEMPLATES = Path(__file__).parent / "templates"
RULES, GROUPS = "/admin/rules", "/admin/groups"
_EFFECTS = {"allow": "Allow", "deny": "Deny", "scopes": "At most the scopes"}
_WHENS = {"always": "", "read-only": "if they only read", "not-read-only": "unless they only read"}
_RULE_TEXTS = ("effect", "who", "gateway", "tools", "when", "scopes", "note", "revision")
_GROUP_TEXTS = ("name", "members", "note", "revision")


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule as the page shows it, in words."""

    id: str
    effect: str
    denies: bool
    what: str
    when: str
    who: str
    gateway: str
    note: str

    @classmethod
    def of(cls, rule: Rule, gateways: Mapping[str, str]) -> RuleRow:
        """As it is read where gateways have these names."""
        where = gateways.get(rule.gateway, "a gateway that is gone") if rule.gateway else "every gateway"
        what = ", ".join(rule.tools or rule.scopes)
        who = ", ".join(rule.who) or "everyone"
        named = "every tool" if rule.tools == ("*",) else what
        return cls(
            rule.id, _EFFECTS[rule.effect], rule.effect == "deny", named, _WHENS[rule.when], who, where, rule.note
        )

    def holds(self, wanted: str) -> bool:
        """Whether a part of what it says is ``wanted``."""
        texts = (self.id, self.effect, self.what, self.who, self.gateway, self.note)
        return any(wanted in text.lower() for text in texts)


# -- rules ------------------------------------------------------------------------------------------------


@router.get(RULES)
async def show_rules(request: Request, caller: AdminCaller, application: CurrentApplication, q: str = "") -> Response:
    """The rules that have ``q`` in them; with ``email`` and ``tool``, what holds for these two."""
    gateways = await application.gateways.list(caller)
    names = {each.id: each.name for each in gateways}
    rows = [RuleRow.of(rule, names) for rule in (await (await _book(application)).current()).rules]
    asked = {name: request.query_params.get(name, "").strip() for name in ("email", "tool", "gateway")}
    wanted, told, wrong = q.strip()[:200], None, ""
    if asked["email"] or asked["tool"]:
        chosen = [each for each in gateways if asked["gateway"] in {"", each.id}]
        try:
            told = await explain(application, asked["email"], asked["tool"], chosen)
        except InvalidRequest as exc:
            wrong = exc.detail
    return await _show(
        request,
        caller,
        "rules",
        title="Rules",
        rows=[row for row in rows if row.holds(wanted.lower())],
        total=len(rows),
        wanted=wanted,
        gateways=gateways,
        asked=asked,
        told=told,
        wrong=wrong,
    )


@router.get(f"{RULES}/new")
async def show_new_rule(request: Request, caller: AdminCaller, application: CurrentApplication) -> Response:
    """Ask what is to hold."""
    fields = dict.fromkeys(_RULE_TEXTS, "") | {"effect": "deny", "when": "always"}
    return await _show_rule(request, caller, application, fields)


@router.post(f"{RULES}/new")
async def create_rule(request: Request, caller: WritingAdmin, application: CurrentApplication) -> Response:
    """Make it; what does not hold is shown above the form, with everything as it was entered."""
    form = await request.form()
    try:
        body = parse_body(RuleBody, _read_rule(form))
        await (await _book(application)).create_rule(body, caller, gateways=await _known(application, caller))
    except (InvalidRequest, Conflict) as exc:
        return await _show_rule(request, caller, application, _entered(form, _RULE_TEXTS), wrong=exc)
    return _to(application, RULES)


@router.get(RULES + "/{rule_id}/edit")
async def show_rule(request: Request, caller: AdminCaller, application: CurrentApplication, rule_id: str) -> Response:
    """Show what is entered, to be changed."""
    rule = await (await _book(application)).rule(rule_id)
    fields = {
        "effect": rule.effect,
        "who": " ".join(rule.who),
        "gateway": rule.gateway,
        "tools": " ".join(rule.tools),
        "when": rule.when,
        "scopes": " ".join(rule.scopes),
        "note": rule.note,
        "revision": str(rule.revision),
    }
    return await _show_rule(request, caller, application, fields, rule_id=rule_id)


@router.post(RULES + "/{rule_id}/edit")
async def change_rule(
    request: Request, caller: WritingAdmin, application: CurrentApplication, rule_id: str
) -> Response:
    """Change it; what does not hold is shown as before."""
    form = await request.form()
    try:
        body = parse_body(RuleBody, _read_rule(form))
        await (await _book(application)).change_rule(rule_id, body, caller, gateways=await _known(application, caller))
    except (InvalidRequest, Conflict) as exc:
        fields = _entered(form, _RULE_TEXTS)
        return await _show_rule(request, caller, application, fields, rule_id=rule_id, wrong=exc)
    return _to(application, RULES)


@router.get(RULES + "/{rule_id}/remove")
async def ask_to_remove_rule(
    request: Request, caller: AdminCaller, application: CurrentApplication, rule_id: str
) -> Response:
    """Ask before it is removed."""
    names = {each.id: each.name for each in await application.gateways.list(caller)}
    row = RuleRow.of(await (await _book(application)).rule(rule_id), names)
    return await _show(request, caller, "rule_remove", title="Remove a rule", row=row)


@router.post(RULES + "/{rule_id}/remove")
async def remove_rule(caller: WritingAdmin, application: CurrentApplication, rule_id: str) -> Response:
    """Remove it."""
    await (await _book(application)).remove_rule(rule_id, caller)
    return _to(application, RULES)


# -- groups -----------------------------------------------------------------------------------------------


@router.get(GROUPS)
async def show_groups(request: Request, caller: AdminCaller, application: CurrentApplication, q: str = "") -> Response:
    """The groups that have ``q`` in them."""
    groups, wanted = (await (await _book(application)).current()).groups, q.strip()[:200]
    return await _show(
        request,
        caller,
        "groups",
        title="Groups",
        rows=[group for group in groups if _has(group, wanted.lower())],
        total=len(groups),
        wanted=wanted,
    )


@router.get(f"{GROUPS}/new")
async def show_new_group(request: Request, caller: AdminCaller) -> Response:
    """Ask who is in it."""
    return await _show_group(request, caller, dict.fromkeys(_GROUP_TEXTS, ""))


@router.post(f"{GROUPS}/new")
async def create_group(request: Request, caller: WritingAdmin, application: CurrentApplication) -> Response:
    """Make it; what does not hold is shown above the form, with everything as it was entered."""
    form = await request.form()
    fields = _entered(form, _GROUP_TEXTS)
    try:
        body = parse_body(GroupBody, {"members": fields["members"], "note": fields["note"]})
        await (await _book(application)).edit_group(parse_group_name(fields["name"]), _new(body), caller)
    except (InvalidRequest, Conflict) as exc:
        return await _show_group(request, caller, fields, wrong=exc)
    return _to(application, GROUPS)


@router.get(GROUPS + "/{name}/edit")
async def show_group(request: Request, caller: AdminCaller, application: CurrentApplication, name: str) -> Response:
    """Show who is in it, to be changed."""
    group = await (await _book(application)).group(parse_group_name(name))
    fields = {
        "name": group.name,
        "members": "\n".join(group.members),
        "note": group.note,
        "revision": str(group.revision),
    }
    return await _show_group(request, caller, fields, name=group.name)


@router.post(GROUPS + "/{name}/edit")
async def change_group(request: Request, caller: WritingAdmin, application: CurrentApplication, name: str) -> Response:
    """Change it; what does not hold is shown as before."""
    form, wanted = await request.form(), parse_group_name(name)
    fields = _entered(form, _GROUP_TEXTS)
    document: dict[str, Any] = {"members": fields["members"], "note": fields["note"]}
    if fields["revision"].isdecimal():
        document["revision"] = int(fields["revision"])
    try:
        await (await _book(application)).put_group(wanted, parse_body(GroupBody, document), caller)
    except (InvalidRequest, Conflict) as exc:
        return await _show_group(request, caller, fields, name=wanted, wrong=exc)
    return _to(application, GROUPS)


@router.get(GROUPS + "/{name}/remove")
async def ask_to_remove_group(
    request: Request, caller: AdminCaller, application: CurrentApplication, name: str
) -> Response:
    """Ask before it is removed."""
    group = await (await _book(application)).group(parse_group_name(name))
    return await _show(request, caller, "group_remove", title="Remove a group", group=group)


@router.post(GROUPS + "/{name}/remove")
async def remove_group(caller: WritingAdmin, application: CurrentApplication, name: str) -> Response:
    """Remove it."""
    await (await _book(application)).remove_group(parse_group_name(name), caller)
    return _to(application, GROUPS)


def _new(body: GroupBody) -> Any:  # noqa: ANN401  a function of the earlier group
    def edit(earlier: PeopleGroup | None) -> GroupBody:
        if earlier is not None:
            raise Conflict(f"there is a group {earlier.name} already", remedy="Change that one.")
        return body

    return edit


def _has(group: PeopleGroup, wanted: str) -> bool:
    return any(wanted in text.lower() for text in (group.name, group.note, *group.members))


# -- both -------------------------------------------------------------------------------------------------


def _entered(form: FormData, names: tuple[str, ...]) -> dict[str, str]:
    """What stands in the fields."""
    return {name: str(form.get(name, "")).strip() for name in names}


def _read_rule(form: FormData) -> dict[str, Any]:
    """The form as the API's body. What is not about the chosen effect does not count."""
    fields = _entered(form, _RULE_TEXTS)
    scopes = fields["effect"] == "scopes"
    body: dict[str, Any] = {
        "effect": fields["effect"],
        "who": fields["who"],
        "gateway": fields["gateway"],
        "tools": "" if scopes else fields["tools"],
        "when": "always" if scopes else fields["when"],
        "scopes": fields["scopes"] if scopes else "",
        "note": fields["note"],
    }
    return body | ({"revision": int(fields["revision"])} if fields["revision"].isdecimal() else {})


async def _book(application: Application) -> Book:
    return await open_book(application.services.context)


async def _known(application: Application, caller: Caller) -> set[str]:
    return {gateway.id for gateway in await application.gateways.list(caller)}


def _to(application: Application, path: str) -> Response:
    return RedirectResponse(application.services.settings.base_url + path, 303)


async def _show_rule(
    request: Request,
    caller: Caller,
    application: Application,
    fields: Mapping[str, str],
    *,
    rule_id: str = "",
    wrong: LatchpinError | None = None,
) -> Response:
    return await _show(
        request,
        caller,
        "rule_form",
        title="Change a rule" if rule_id else "Make a rule",
        status=wrong.status if wrong else 200,
        rule_id=rule_id,
        fields=fields,
        gateways=await application.gateways.list(caller),
        wrong="" if wrong is None else wrong.detail,
    )


async def _show_group(
    request: Request,
    caller: Caller,
    fields: Mapping[str, str],
    *,
    name: str = "",
    wrong: LatchpinError | None = None,
) -> Response:
    return await _show(
        request,
        caller,
        "group_form",
        title="Change a group" if name else "Make a group",
        status=wrong.status if wrong else 200,
        name=name,
        fields=fields,
        wrong="" if wrong is None else wrong.detail,
    )


async def _show(request: Request, caller: Caller, template: str, **values: Any) -> Response:  # noqa: ANN401
    return render(template, folder=TEMPLATES, headers=WITH_SCRIPTS, **values, **await frame(request, caller))
