"""Adding, changing and removing a gateway; for administrators."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from latchpin.errors import Conflict, InvalidRequest, IssuerMissing, LatchpinError
from latchpin.model import NO_PROFILE, Caller, Gateway
from latchpin.sdk.gateway import Application, Step, parse_gateway_body, wants_key
from latchpin.sdk.web import AdminCaller, CurrentApplication, GatewayId, WritingAdmin
from latchpin_inspection.discovering import discover

from latchpin_admin_ui.forms import (
    ASSERTION_TEXTS,
    PLAIN,
    SECRETS,
    TEXTS,
    has_advanced,
    parse_form,
    show_gateway,
    show_submitted,
)
from latchpin_admin_ui.growing import Tell, grow
from latchpin_admin_ui.pages import show
from latchpin_admin_ui.views import describe_server as show_server

__all__ = ["router"]

router = APIRouter(prefix="/admin/gateways", include_in_schema=False)

_TRAIL = [("/admin/gateways", "Gateways")]


async def _form(request: Request) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


# -- adding -------------------------------------------------------------------------------------------


@router.get("/new")
async def show_new(request: Request, caller: AdminCaller) -> Response:
    """Ask for the URL of an MCP server."""
    return await show(request, caller, "new", title="Add a gateway", trail=_TRAIL, url="", wrong="")


@router.post("/new")
async def search(request: Request, caller: WritingAdmin, application: CurrentApplication) -> Response:
    """Find out about the server, shown live, and end with a form that adds it."""
    url = (await _form(request)).get("url", "")
    try:
        draft = application.gateways.draft(parse_gateway_body({"url": url}), caller)
    except InvalidRequest as exc:
        return await show(
            request, caller, "new", title="Add a gateway", status=exc.status, trail=_TRAIL, url=url, wrong=exc.detail
        )

    async def work(tell: Tell) -> None:
        await _search(application, draft, tell)

    return await grow(
        request,
        caller,
        "growing",
        work,
        title="Looking at the server",
        trail=_TRAIL,
        lead=f"What {draft.url} and its authorization server say:",
        label="Discovery",
        back=("/admin/gateways/new", "Try another URL"),
    )


async def _search(application: Application, draft: Gateway, tell: Tell) -> None:
    asked: list[Step] = []

    def on_step(step: Step) -> None:
        asked.append(step)
        tell("step", outcome="good" if step.passed else "info", what=step.asked, text=step.got)

    discovered = await discover(application, draft, on_step)
    said = discovered.describe()
    failure = None if said["found"] else discovered.obstacle
    # A server that answers a bare request and names nobody to authorize at wants no authorization.
    is_open = isinstance(failure, IssuerMissing) and bool(asked) and "HTTP 200" in asked[0].got
    tell(
        "new_found",
        facts=show_server(said) if said and failure is None else (),
        said=said,
        failure=None if is_open else failure,
        is_open=is_open,
        gateway=draft,
        schemes=_schemes(application),
        fields={"name": draft.name, "allowed_users": "", "auth_type": "oauth", "api_key_header": ""},
    )


@router.post("")
async def create(request: Request, caller: WritingAdmin, application: CurrentApplication) -> Response:
    """Add it, and go to its page."""
    form = await _form(request)
    try:
        gateway = await application.gateways.create(parse_gateway_body(parse_form(form)), caller)
    except InvalidRequest as exc:
        return await show(
            request,
            caller,
            "new",
            title="Add a gateway",
            status=exc.status,
            trail=_TRAIL,
            url=form.get("url", ""),
            wrong=exc.detail,
        )
    return RedirectResponse(f"{application.services.settings.base_url}/admin/gateways/{gateway.id}", 303)


# -- changing -----------------------------------------------------------------------------------------


@router.get("/{gateway_id}/edit")
async def show_form(
    request: Request, caller: AdminCaller, application: CurrentApplication, gateway_id: GatewayId
) -> Response:
    """Every key of the entry; secrets go in and never come out."""
    gateway = await application.gateways.get_to_change(gateway_id, caller)
    return await _show_form(request, caller, application, gateway, show_gateway(gateway))


@router.post("/{gateway_id}/edit")
async def change(
    request: Request, caller: WritingAdmin, application: CurrentApplication, gateway_id: GatewayId
) -> Response:
    """Change it; what does not hold is shown above the form, with everything as it was entered."""
    gateway = await application.gateways.get_to_change(gateway_id, caller)
    form = await _form(request)
    try:
        await application.gateways.change(gateway.id, parse_gateway_body(parse_form(form)), caller)
    except (InvalidRequest, Conflict) as exc:
        fields = show_submitted(form, gateway)
        return await _show_form(request, caller, application, gateway, fields, wrong=exc)
    return RedirectResponse(f"{application.services.settings.base_url}/admin/gateways/{gateway.id}", 303)


async def _show_form(
    request: Request,
    caller: Caller,
    application: Application,
    gateway: Gateway,
    fields: dict[str, str],
    *,
    wrong: LatchpinError | None = None,
) -> Response:
    are_set = {each.key for each in SECRETS if gateway.oauth is not None and getattr(gateway.oauth, each.key)}
    return await show(
        request,
        caller,
        "edit",
        title=f"Edit {gateway.name}",
        status=wrong.status if wrong else 200,
        gateway=gateway,
        schemes=_schemes(application, gateway),
        fields=fields,
        texts=TEXTS,
        assertion_texts=ASSERTION_TEXTS,
        secrets=SECRETS,
        methods=[("", "as the server says"), *((name, name) for name in application.services.authentications)],
        providers=[
            ("", "recognized by its issuer"),
            *((provider.name, provider.label) for provider in application.services.providers),
            (NO_PROFILE, "none: as the standard has it"),
        ],
        are_set=are_set,
        plain=PLAIN,
        unfolded=has_advanced(fields, are_set),
        redirect_uri=application.services.settings.redirect_uri,
        ruled=(await application.entry_notes("gateways")).get(gateway.id, ""),
        wrong="" if wrong is None else wrong.detail,
    )


def _schemes(application: Application, gateway: Gateway | None = None) -> list[tuple[str, str]]:
    """Ways other than OAuth. The gateway's own is one without its plugin too: else the form would set another."""
    schemes = {name: scheme.label for name, scheme in application.services.auth_schemes.items()}
    if gateway is not None and wants_key(gateway):
        schemes.setdefault(gateway.auth_type, f"{gateway.auth_type}, whose plugin is not installed")
    return list(schemes.items())


# -- removing -----------------------------------------------------------------------------------------


@router.get("/{gateway_id}/remove")
async def ask_to_remove(
    request: Request, caller: AdminCaller, application: CurrentApplication, gateway_id: GatewayId
) -> Response:
    """Ask before it is removed, and say what goes with it."""
    gateway = await application.gateways.get_to_change(gateway_id, caller)
    return await show(
        request,
        caller,
        "remove",
        title=f"Remove {gateway.name}",
        gateway=gateway,
        people=len(await application.connections.list(caller, gateway_id=gateway.id)),
        clients=len(await application.services.records.clients.list(gateway_id=gateway.id)),
        ruled=(await application.entry_notes("gateways")).get(gateway.id, ""),
    )


@router.post("/{gateway_id}/remove")
async def remove(
    request: Request, caller: WritingAdmin, application: CurrentApplication, gateway_id: GatewayId
) -> Response:
    """Remove it, and say what its servers answered."""
    removed = await application.removal.remove(gateway_id, caller)
    return await show(
        request,
        caller,
        "removed",
        title="Gateway removed",
        name=removed.gateway.name,
        answers=removed.sentences(),
    )
