"""The pages of rules, and of what they say of a person and a tool: for administrators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from latchpin.errors import Conflict, InvalidRequest, LatchpinError
from latchpin.model import Caller
from latchpin.sdk.gateway import Application, parse_body
from latchpin.sdk.web import AdminCaller, CurrentApplication, WritingAdmin
from starlette.datastructures import FormData

from latchpin_policy.book import book_of
from latchpin_policy.entry import RuleBody
from latchpin_policy.explaining import explain
from latchpin_policy.rule import Rule
from latchpin_policy.showing import entered, go_to, show

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

RULES = "/admin/rules"
_EFFECTS = {"allow": "Allow", "deny": "Deny", "scopes": "At most the scopes"}
_WHENS = {"always": "", "read-only": "if they only read", "not-read-only": "unless they only read"}
_TEXTS = ("effect", "who", "gateway", "tools", "when", "scopes", "note", "revision")


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


@router.get(RULES)
async def show_rules(request: Request, caller: AdminCaller, application: CurrentApplication, q: str = "") -> Response:
    """The rules that have ``q`` in them; with ``email`` and ``tool``, what holds for these two."""
    gateways = await application.gateways.list(caller)
    names = {each.id: each.name for each in gateways}
    rows = [RuleRow.of(rule, names) for rule in (await (await book_of(application)).current()).rules]
    asked = {name: request.query_params.get(name, "").strip() for name in ("email", "tool", "gateway")}
    wanted, told, wrong = q.strip()[:200], None, ""
    if asked["email"] or asked["tool"]:
        chosen = [each for each in gateways if asked["gateway"] in {"", each.id}]
        try:
            told = await explain(application, asked["email"], asked["tool"], chosen)
        except InvalidRequest as exc:
            wrong = exc.detail
    return await show(
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
        ruled=await application.entry_notes("rules"),
    )


@router.get(f"{RULES}/new")
async def show_new_rule(request: Request, caller: AdminCaller, application: CurrentApplication) -> Response:
    """Ask what is to hold."""
    fields = dict.fromkeys(_TEXTS, "") | {"effect": "deny", "when": "always"}
    return await _show_rule(request, caller, application, fields)


@router.post(f"{RULES}/new")
async def create_rule(request: Request, caller: WritingAdmin, application: CurrentApplication) -> Response:
    """Make it; what does not hold is shown above the form, with everything as it was entered."""
    form = await request.form()
    try:
        body = parse_body(RuleBody, _read_rule(form))
        await (await book_of(application)).create_rule(body, caller, gateways=await _known(application, caller))
    except (InvalidRequest, Conflict) as exc:
        return await _show_rule(request, caller, application, entered(form, _TEXTS), wrong=exc)
    return go_to(application, RULES)


@router.get(RULES + "/{rule_id}/edit")
async def show_rule(request: Request, caller: AdminCaller, application: CurrentApplication, rule_id: str) -> Response:
    """Show what is entered, to be changed."""
    rule = await (await book_of(application)).rule(rule_id)
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
        known = await _known(application, caller)
        await (await book_of(application)).change_rule(rule_id, body, caller, gateways=known)
    except (InvalidRequest, Conflict) as exc:
        fields = entered(form, _TEXTS)
        return await _show_rule(request, caller, application, fields, rule_id=rule_id, wrong=exc)
    return go_to(application, RULES)


@router.get(RULES + "/{rule_id}/remove")
async def ask_to_remove_rule(
    request: Request, caller: AdminCaller, application: CurrentApplication, rule_id: str
) -> Response:
    """Ask before it is removed."""
    names = {each.id: each.name for each in await application.gateways.list(caller)}
    row = RuleRow.of(await (await book_of(application)).rule(rule_id), names)
    ruled = (await application.entry_notes("rules")).get(rule_id, "")
    return await show(request, caller, "rule_remove", title="Remove a rule", row=row, ruled=ruled)


@router.post(RULES + "/{rule_id}/remove")
async def remove_rule(caller: WritingAdmin, application: CurrentApplication, rule_id: str) -> Response:
    """Remove it."""
    await (await book_of(application)).remove_rule(rule_id, caller)
    return go_to(application, RULES)


def _read_rule(form: FormData) -> dict[str, Any]:
    """The form as the API's body. What is not about the chosen effect does not count."""
    fields = entered(form, _TEXTS)
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


async def _known(application: Application, caller: Caller) -> set[str]:
    return {gateway.id for gateway in await application.gateways.list(caller)}


async def _show_rule(
    request: Request,
    caller: Caller,
    application: Application,
    fields: Mapping[str, str],
    *,
    rule_id: str = "",
    wrong: LatchpinError | None = None,
) -> Response:
    return await show(
        request,
        caller,
        "rule_form",
        title="Change a rule" if rule_id else "Make a rule",
        status=wrong.status if wrong else 200,
        rule_id=rule_id,
        fields=fields,
        gateways=await application.gateways.list(caller),
        ruled=(await application.entry_notes("rules")).get(rule_id, ""),
        wrong="" if wrong is None else wrong.detail,
    )
