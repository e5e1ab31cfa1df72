"""``latchpin adopt contextforge``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from latchpin.errors import SettingsError
from latchpin.sdk.commands import TO_SERVERS, opened, print_json, print_table, run, say

if TYPE_CHECKING:
    from latchpin_adopt_contextforge.report import Report

app = typer.Typer(name="adopt", help="Take over what another gateway has kept.", no_args_is_help=True)

INCOMPLETE = 3
"""The exit code where something was left out; 1 is a failure, 2 a wrong command line."""
TOLD = 10
"""So often people are told how far it is."""


@app.callback()
def group() -> None:
    """Take over what another gateway has kept."""


@app.command()
def contextforge(
    database_url: Annotated[
        str,
        typer.Argument(
            help="ContextForge's DATABASE_URL (SQLite or PostgreSQL), or where to read it: env:NAME or file:PATH.",
        ),
    ],
    secret: Annotated[
        str | None,
        typer.Option(
            help="Where to read ContextForge's AUTH_ENCRYPTION_SECRET: env:NAME or file:PATH. Else you are asked."
        ),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Take over. Without this, only show what would be taken over.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print each gateway, client, token and key as JSON.")] = False,
) -> None:
    """Take over gateways, registered clients, tokens and keys of ContextForge 1.x, so that nobody authorizes again.

    ContextForge's database is only read. Stop ContextForge before --write. Many servers take each refresh token once:
    if ContextForge and Latchpin both send the same one, the server ends the connection.

    You can run it again. What Latchpin already has stays as it is.

    The exit code is 0 if nothing is left out, else 3. What is left out is listed, with the reason and what helps.
    """
    url = _read_reference(database_url, "DATABASE_URL")
    opens = _read_secret(secret)
    report = run(_adopt(url or database_url, opens, write=write))
    if as_json:
        print_json(report.describe())
    else:
        _show(report)
    if report.left_out:
        raise typer.Exit(INCOMPLETE)


async def _adopt(url: str, secret: str, *, write: bool) -> Report:
    from latchpin_adopt_contextforge.adoption import Adoption, check_secret  # noqa: PLC0415  the help does without
    from latchpin_adopt_contextforge.sealing import Opener  # noqa: PLC0415  as above
    from latchpin_adopt_contextforge.source import parse_source_url, read_source  # noqa: PLC0415  as above

    source, opener = read_source(parse_source_url(url)), Opener(secret)
    await check_secret(source, opener)
    async with opened(*TO_SERVERS) as application:
        return await Adoption(application, source, opener, write=write, tell=_tell).run()


def _tell(what: str, done: int, of: int) -> None:
    """Say a word at each tenth of something long."""
    if of >= 2 * TOLD and done * TOLD // of > (done - 1) * TOLD // of:
        say(f"{done} of {of} {what}")


def _show(report: Report) -> None:
    new = "taken over" if report.written else "would be taken over"
    print_table(("what", new, "here already", "left out"), report.counts())
    told = report.told
    if told:
        print()  # noqa: T201  a line between two tables
        rows = [(row.named, "left out" if row.outcome == "left out" else "note", row.why, row.remedy) for row in told]
        print_table(("what", "", "why", "what helps"), rows)
    for note in report.notes:
        say(note)
    if not report.written:
        say("Nothing was written. Stop ContextForge, then run it again with --write.")


def _ask_secret() -> str:
    try:
        return str(typer.prompt("AUTH_ENCRYPTION_SECRET of ContextForge", hide_input=True, err=True))
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        raise SettingsError(
            "nobody can be asked here for the secret of ContextForge",
            remedy="Put it into a variable or a file, and give --secret env:NAME or --secret file:PATH.",
        ) from None


def _read_secret(reference: str | None) -> str:
    """The secret that opens what ContextForge sealed.

    Raises:
        SettingsError: it was given as it is, or is not where it should be.
    """
    if reference is None:
        secret = _ask_secret()
    else:
        found = _read_reference(reference, "--secret")
        if found is None:
            raise SettingsError(
                "--secret is the secret itself, and every user of this machine may read it while the command runs",
                remedy="Put it into a variable or a file, and give --secret env:NAME or --secret file:PATH.",
            )
        secret = found
    if not secret:
        raise SettingsError("the secret is empty", remedy="Give ContextForge's AUTH_ENCRYPTION_SECRET.")
    return secret


def _read_reference(text: str, what: str) -> str | None:
    """What ``env:NAME`` or ``file:PATH`` names, without a line's end; None if ``text`` is neither.

    Raises:
        SettingsError: there is no such variable or file.
    """
    kind, _, name = text.partition(":")
    if kind == "env":
        if name not in os.environ:
            raise SettingsError(f"{what} names the variable {name}, which is not set", remedy=f"Set {name}.")
        return os.environ[name].strip("\r\n")
    if kind == "file":
        try:
            return Path(name).read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeError) as exc:
            raise SettingsError(
                f"{what} names {name}, which cannot be read: {exc}", remedy="Correct the path."
            ) from exc
    return None
