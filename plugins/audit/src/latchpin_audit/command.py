"""``latchpin audit``: prove the audit log, write it out, forget a person in it."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from latchpin.errors import NotFound
from latchpin.model import Fact
from latchpin.sdk.commands import confirm, opened, print_json, run, say
from latchpin.sdk.identity import parse_email

from latchpin_audit import reading
from latchpin_audit.chain_sink import CALL, FACTS, describe_call
from latchpin_audit.log import AuditLog
from latchpin_audit.pseudonyms import Names, Pseudonyms
from latchpin_audit.retention import last_before

app = typer.Typer(name="audit", help="Verify and export the audit log.", no_args_is_help=True)

LATEST = timedelta(days=1)
"""How long after it happened an entry may be written, where the store was away: so far entries are in no order."""
OPERATOR = "operator@localhost"
COLUMNS = ("number", "at", "event", "actor", "subject", "gateway_id", "facts", "previous", "key_id", "signature")
CALL_COLUMNS = ("number", "at", "who", "gateway_id", *FACTS)
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
    calls: Annotated[bool, typer.Option("--calls", help="MCP calls instead (AUDIT_CALLS=chain).")] = False,
) -> None:
    """Write the log to stdout, oldest entry first: what was done, or with --calls the MCP calls."""

    async def work() -> None:
        async with opened() as application:
            log = AuditLog.of(application.services.context)
            wanted = await _wanted(log.pseudonyms, person)
            who = Names(log.pseudonyms) if names else None
            describe, columns = (describe_call, CALL_COLUMNS) if calls else (reading.describe, COLUMNS)
            write = _csv_writer(columns, names) if as_csv else _write_line
            begin = datetime.min.replace(tzinfo=UTC) if since is None else since.replace(tzinfo=UTC)
            after = 0 if since is None else await last_before(log.records, begin - LATEST)
            async for entry in reading.read(log.records, after=after):
                if entry.at < begin or (entry.event == CALL) is not calls:
                    continue
                if wanted is None or wanted in {entry.actor, entry.subject}:
                    write(await describe(entry, who))

    run(work())


@app.command()
def forget(
    email: Annotated[str, typer.Argument(help="Whose pseudonym is to lead nowhere.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Forget who a pseudonym stands for: the entries stay, and nothing leads from them to the person any more."""
    address = parse_email(email)
    if not yes:
        confirm(f"Forget {address} in the audit log? This cannot be undone.")

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
    sys.stdout.write(json.dumps(shown, separators=(",", ":")) + "\n")


def _csv_writer(columns: Sequence[str], names: bool) -> Any:  # noqa: ANN401  takes a row
    writer = csv.DictWriter(sys.stdout, [*columns, *(ADDRESSES if names else ())], extrasaction="ignore")
    writer.writeheader()

    def write(shown: dict[str, Any]) -> None:
        writer.writerow({name: _as_text(value) for name, value in shown.items()})

    return write


def _as_text(value: object) -> str:
    """A cell that no spreadsheet takes for a formula, and no terminal for a command."""
    text = json.dumps(value) if isinstance(value, dict) else str(value)
    text = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _entries(count: int) -> str:
    return f"{count} {'entry' if count == 1 else 'entries'}"
