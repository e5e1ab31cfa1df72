"""``latchpin webhook``: try the receivers, list what waits or was given up, and make a secret."""

from __future__ import annotations

import base64
import secrets
import sys
from typing import Annotated, Any

import typer
from latchpin.errors import NotFound, SettingsError
from latchpin.sdk.commands import opened, print_json, print_table, run, say
from latchpin.sdk.settings import load
from latchpin_attention.outbox import Entry, Undelivered

from latchpin_webhook.delivery import post
from latchpin_webhook.endpoints import Endpoints, open_endpoints
from latchpin_webhook.settings import WebhookSettings

__all__ = ["app"]

app = typer.Typer(name="webhook", help="Try webhooks, and list what could not be told.", no_args_is_help=True)

SECRET_BYTES = 32


@app.callback()
def group() -> None:
    """Try webhooks, and list what could not be told."""


@app.command()
def secret() -> None:
    """Print a new secret for WEBHOOK_SECRETS."""
    sys.stdout.write(f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode('ascii')}\n")


@app.command("test")
def send_test(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Send one webhook.test to each receiver, now and once; exits with 1 if one did not take it."""
    settings = load(WebhookSettings)
    if not settings.webhook_urls:
        raise SettingsError("WEBHOOK_URLS is empty: there is nobody to tell", remedy="Set WEBHOOK_URLS.")

    async def work() -> list[dict[str, Any]]:
        from latchpin_webhook.events import TEST, format_event  # noqa: PLC0415  the help does without the gateway

        async with opened() as application:
            endpoints = await open_endpoints(settings, application.services.context)
            now, found = application.services.clock(), []
            for endpoint in endpoints.all.values():
                name = f"msg_{secrets.token_hex(16)}"
                try:
                    await post(endpoints, endpoint, name, format_event(TEST, now, {}), now)
                    reason = ""
                except Undelivered as exc:
                    reason = exc.reason
                found.append({"receiver": endpoint.shown, "id": name, "taken": not reason, "reason": reason})
            return found

    found = run(work())
    if as_json:
        print_json({"receivers": found})
    else:
        for each in found:
            say(f"{each['receiver']} {'took ' + each['id'] if each['taken'] else 'did not take it: ' + each['reason']}")
    if not all(each["taken"] for each in found):
        raise typer.Exit(1)


@app.command("list")
def list_messages(
    dead: Annotated[bool, typer.Option("--dead", help="Those that were given up, instead of those that wait.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the messages that wait for another try, or with --dead those that were given up."""

    async def work() -> list[dict[str, Any]]:
        from latchpin_webhook.turns import open_outbox  # noqa: PLC0415  the help does without the gateway

        async with opened() as application:
            context = application.services.context
            endpoints = await open_endpoints(load(WebhookSettings), context)
            entries = await open_outbox(context).list("dead" if dead else "waiting")
            return [_describe(each, endpoints) for each in entries]

    rows = run(work())
    if as_json:
        print_json({"messages": rows, "total": len(rows)})
    elif rows:
        columns = ("id", "receiver", "event", "tries", "next", "reason")
        print_table(columns, [[str(each[name]) for name in columns] for each in rows])
    else:
        say("No message was given up." if dead else "No message waits.")


@app.command()
def retry(
    name: Annotated[str, typer.Argument(metavar="ID", help="A message that was given up: its id, or all.")],
) -> None:
    """Try a message again that was given up, or all of them: a gateway that serves sends them in a moment."""

    async def work() -> int:
        from latchpin_webhook.turns import retry_dead  # noqa: PLC0415  the help does without the gateway

        async with opened() as application:
            context = application.services.context
            endpoints = await open_endpoints(load(WebhookSettings), context)
            return await retry_dead(context, endpoints, "" if name == "all" else name)

    count = run(work())
    if not count and name != "all":
        raise NotFound(f"no message {name[:64]!a} was given up", remedy="'latchpin webhook list --dead' lists them.")
    say(f"{count} message{' is' if count == 1 else 's are'} tried again.")


def _describe(entry: Entry, endpoints: Endpoints) -> dict[str, Any]:
    return {
        "id": entry.id,
        "receiver": endpoints.show(str(entry.body.get("endpoint", ""))),
        "event": entry.body.get("event", ""),
        "tries": entry.tries,
        "reason": entry.reason,
        "at": entry.at.isoformat(),
        "next": "" if entry.due_at is None else entry.due_at.isoformat()[:19],
    }
