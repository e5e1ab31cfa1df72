"""``latchpin audit``: prove the audit log, write it out, forget a person in it."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from latchpin.errors import NotFound
from latchpin.model import Fact
from latchpin.sdk.commands import opened, print_json, run, say
from latchpin.sdk.identity import parse_email

from latchpin_audit import reading
from latchpin_audit.log import AuditLog
from latchpin_audit.pseudonyms import Pseudonyms

app = typer.Typer(name="audit", help="Verify and export the audit log.", no_args_is_help=True)

OPERATOR = "operator@localhost"
COLUMNS = ("number", "at", "event", "actor", "subject", "gateway_id", "facts", "previous", "key_id", "signature")
ADDRESSES = ("actor_address", "subject_address")


@app.callback()
def group() -> None:
    """Verify and export the audit log."""


@app.command()
def verify(
    expect: Annotated[str, typer.Option(help="A head noted before (NUMBER:SIGNATURE) that must still be there.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Prove that no entry was changed, removed or put in; exits with 1 if one was.

    Note the printed head somewhere else: with --expect it shows later whether the end was cut off.
    """

    async def work() -> reading.Verdict:
        async with opened() as application:
            log = AuditLog.of(application.services.context)
            return await reading.verify(log.records, log.signer, expect=expect)

    verdict = run(work())
    if as_json:
        print_json(asdict(verdict))
    elif verdict.broken is None and not verdict.entries:
        say("The audit log is empty.")
    elif verdict.broken is None:
        since = f", from entry {verdict.begins} on: retention removed the earlier ones" if verdict.begins > 1 else ""
        say(f"{_entries(verdict.entries)} hold{'s' if verdict.entries == 1 else ''}{since}; the head is:")
        sys.stdout.write(f"{verdict.head}\n")
    else:
        say(f"{_entries(verdict.entries)} hold{'s' if verdict.entries == 1 else ''}, then: {verdict.broken}")
    if verdict.broken is not None:
        raise typer.Exit(1)


@app.command()
def export(
    since: Annotated[datetime | None, typer.Option(help="Leave out what is older (UTC).")] = None,
    person: Annotated[str | None, typer.Option(help="Only what this address did, or what concerns it.")] = None,
    names: Annotated[bool, typer.Option("--names", help="With the addresses of those who are not forgotten.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV instead of a JSON object on each line.")] = False,
) -> None:
    """Write the log to stdout, oldest entry first."""

    async def work() -> None:
        async with opened() as application:
            log = AuditLog.of(application.services.context)
            wanted = await _wanted(log.pseudonyms, person)
            write = _csv_writer(names) if as_csv else _write_line
            async for entry in reading.read(log.records):
                if since is not None and entry.at < since.replace(tzinfo=UTC):
                    continue
                if wanted is None or wanted in {entry.actor, entry.subject}:
                    write(await reading.describe(entry, log.pseudonyms if names else None))

    run(work())


@app.command()
def forget(
    email: Annotated[str, typer.Argument(help="Whose pseudonym is to lead nowhere.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Forget who a pseudonym stands for: the entries stay, and nothing leads from them to the person any more."""
    address = parse_email(email)
    if not yes:
        typer.confirm(f"Forget {address} in the audit log? This cannot be undone.", abort=True, err=True)

    async def work() -> None:
        async with opened() as application:
            log = AuditLog.of(application.services.context)
            if not await log.pseudonyms.forget(address):
                raise _unknown(address)
            await log.keep(Fact("person.forgotten", application.services.clock(), OPERATOR))

    run(work())
    say(f"Forgot {address}: the entries stay, and nothing leads from them to that address any more")


async def _wanted(pseudonyms: Pseudonyms, person: str | None) -> str | None:
    if person is None:
        return None
    found = await pseudonyms.find(parse_email(person))
    if found is None:
        raise _unknown(person)
    return found


def _unknown(address: str) -> NotFound:
    return NotFound(
        f"the audit log knows nobody of the address {address}",
        remedy="Check the address: who is in the log is shown by 'latchpin audit export --names'; "
        "who was forgotten is not found any more.",
    )


def _write_line(shown: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(shown, separators=(",", ":"), ensure_ascii=False) + "\n")


def _csv_writer(names: bool) -> Any:  # noqa: ANN401  takes a row
    writer = csv.DictWriter(sys.stdout, [*COLUMNS, *(ADDRESSES if names else ())])
    writer.writeheader()

    def write(shown: dict[str, Any]) -> None:
        addresses = {name: _as_text(shown[name]) for name in ADDRESSES if name in shown}
        writer.writerow(shown | addresses | {"facts": json.dumps(shown["facts"])})

    return write


def _as_text(address: str) -> str:
    """An address that no spreadsheet takes for a formula."""
    return f"'{address}" if address.startswith(("=", "+", "-", "@")) else address


def _entries(count: int) -> str:
    return f"{count} {'entry' if count == 1 else 'entries'}"
