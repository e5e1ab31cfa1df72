"""``latchpin mail``: try the mail server, and list what waits or was given up."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

import typer
from latchpin.errors import InvalidRequest, NotFound, SettingsError
from latchpin.sdk.commands import opened, print_json, print_table, run, say
from latchpin.sdk.identity import parse_email
from latchpin.sdk.settings import load
from latchpin_attention.outbox import Undelivered

from latchpin_mail import smtp
from latchpin_mail.address import is_deliverable
from latchpin_mail.letter import Letter, build_test
from latchpin_mail.settings import MailSettings

__all__ = ["app"]

app = typer.Typer(name="mail", help="Try the mail server, and list what could not be sent.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Try the mail server, and list what could not be sent."""


@app.command("test")
def send_test(address: Annotated[str, typer.Argument(help="Whom to send a mail.")]) -> None:
    """Send one mail that says it came, now and once; exits with 1 if the mail server did not take it."""
    settings, to = load(MailSettings), parse_email(address)
    if not settings.mail_smtp_host:
        raise SettingsError("MAIL_SMTP_HOST is empty: mail goes nowhere", remedy="Set MAIL_SMTP_HOST and MAIL_FROM.")
    if not is_deliverable(to):
        raise InvalidRequest("no mail can be sent to that address", remedy="Use an address of plain ASCII.")

    async def work() -> str:
        async with opened() as application:
            services = application.services
            base_url = services.settings.base_url
            letter = Letter(secrets.token_hex(16), settings.mail_from, to, base_url, services.clock())
            try:
                await smtp.send(settings, build_test(letter), base_url=base_url)
            except Undelivered as exc:
                return exc.reason
            return ""

    reason = run(work())
    if reason:
        say(f"It was not taken: {reason}")
        raise typer.Exit(1)
    say(f"{settings.mail_smtp_host} took a mail to {to}.")


@app.command("list")
def list_mail(
    dead: Annotated[bool, typer.Option("--dead", help="What was given up, instead of what waits.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the mail that waits for another try, or with --dead what was given up."""

    async def work() -> list[dict[str, Any]]:
        from latchpin_mail.turns import open_outbox  # noqa: PLC0415  the help does without the gateway

        async with opened() as application:
            entries = await open_outbox(application.services.context).list("dead" if dead else "waiting")
            return [
                {
                    "id": each.id,
                    "to": each.body.get("to", ""),
                    "needs": len(each.body.get("needs", ())),
                    "tries": each.tries,
                    "next": "" if each.due_at is None else each.due_at.isoformat()[:19],
                    "reason": each.reason,
                }
                for each in entries
            ]

    rows = run(work())
    if as_json:
        print_json({"mail": rows, "total": len(rows)})
    elif rows:
        print_table(list(rows[0]), [[str(value) for value in each.values()] for each in rows], ids=["id"])
    else:
        say("No mail was given up." if dead else "No mail waits.")


@app.command()
def retry(name: Annotated[str, typer.Argument(metavar="ID", help="What was given up: its id, or all.")]) -> None:
    """Try mail again that was given up, or all of it: a gateway that serves sends it in a moment."""

    async def work() -> int:
        from latchpin_mail.turns import open_outbox  # noqa: PLC0415  the help does without the gateway

        async with opened() as application:
            return await open_outbox(application.services.context).retry("" if name == "all" else name)

    count = run(work())
    if not count and name != "all":
        raise NotFound(f"no mail {name[:64]!a} was given up", remedy="'latchpin mail list --dead' lists it.")
    say(f"{count} mail{' is' if count == 1 else 's are'} tried again.")
