"""The page where people say whether they want mail, and the one of what could not be sent."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from latchpin.sdk.gateway import Application
from latchpin.sdk.settings import load
from latchpin.sdk.web import CurrentApplication, SignedInCaller, WritingCaller, frame, render
from latchpin_attention.undelivered import OutboxPage, OutboxShown, make_router

from latchpin_mail.address import is_deliverable
from latchpin_mail.people import People
from latchpin_mail.settings import MailSettings
from latchpin_mail.turns import open_outbox

__all__ = ["router", "undelivered"]

router = APIRouter(include_in_schema=False)

TEMPLATES = Path(__file__).parent / "templates"
PAGE = "/admin/mail"


@router.get(PAGE)
async def show_choice(request: Request, caller: SignedInCaller, application: CurrentApplication) -> Response:
    """What holds now."""
    return render(
        "mail",
        folder=TEMPLATES,
        title="Mail to me",
        on=bool(load(MailSettings).mail_smtp_host),
        possible=is_deliverable(caller.email),
        wanted=await People.of(application.services.context).wants_mail(caller.email),
        **await frame(request, caller),
    )


@router.post(PAGE)
async def choose(request: Request, caller: WritingCaller, application: CurrentApplication) -> Response:
    """Take mail, or take none."""
    wanted = (await request.form()).get("wanted") == "yes"
    await People.of(application.services.context).choose(caller.email, wanted=wanted)
    return RedirectResponse(application.services.settings.base_url + PAGE, 303)


async def _open(application: Application) -> OutboxShown:
    outbox = open_outbox(application.services.context)
    return OutboxShown(
        outbox,
        "MAIL_SMTP_HOST",
        bool(load(MailSettings).mail_smtp_host),
        lambda entry: str(entry.body.get("to", "")),
        outbox.retry,
    )


undelivered = make_router(
    OutboxPage(
        path="/admin/undelivered/mail",
        title="Undelivered mail",
        one="mail",
        many="mails",
        command="latchpin mail list --dead",
        open=_open,
    )
)
