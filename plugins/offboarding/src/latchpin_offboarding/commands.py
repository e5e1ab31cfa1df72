"""``latchpin people``: end all that somebody has here, see who is out, and let them in again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from latchpin.sdk.commands import OPERATOR, confirm, opened, print_json, print_table, run, say
from latchpin.sdk.hooks import SIDE_BY_SIDE
from latchpin.sdk.identity import parse_email

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

    from latchpin_offboarding.people import Departed, People

app = typer.Typer(name="people", help="End people who leave, see who is out, let them in again.", no_args_is_help=True)

Email = Annotated[str, typer.Argument(help="Whose address.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def group() -> None:
    """End people who leave, see who is out, let them in again."""


@app.command()
def end(
    email: Email,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """End everything that a person has here, and keep them out.

    Within a second nothing of theirs works on any worker: sessions, tokens of every kind, calls and streams under way.
    Their connections are gone, and revoked at the servers: once now, and by the workers until each server has answered.
    """
    address = parse_email(email)
    if not yes:
        confirm(f"Everything of {address} ends, and they are kept out. Go on?")

    async def work() -> Departed:
        async with opened(*SIDE_BY_SIDE) as application:
            people = _people(application)
            await people.end(address, OPERATOR, way="command")
            say(f"{address} is out. Telling the servers ...")
            await people.work()
            return await people.show(address, OPERATOR)

    ended = run(work())
    if as_json:
        print_json(ended.describe())
        return
    _print_revocations(ended)


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List who is out, and how many of their tokens are still to be revoked."""

    async def work() -> list[Departed]:
        async with opened() as application:
            return await _people(application).list(OPERATOR)

    found = run(work())
    if as_json:
        print_json([each.describe() for each in found])
        return
    if not found:
        say("Nobody is out.")
        return
    rows = [(each.email, _since(each), each.by, str(each.owed)) for each in found]
    print_table(("person", "out since", "by", "to revoke"), rows)


@app.command()
def show(email: Email, as_json: AsJson = False) -> None:
    """Show since when somebody is out, and what became of each of their tokens."""
    address = parse_email(email)

    async def work() -> Departed:
        async with opened() as application:
            return await _people(application).show(address, OPERATOR)

    found = run(work())
    if as_json:
        print_json(found.describe())
        return
    state = f"out since {_since(found)}, by {found.by}" if found.barred else "in again"
    sys.stdout.write(f"{found.email}: {state}\n")
    _print_revocations(found)


@app.command()
def restore(email: Email) -> None:
    """Let a person in again. They sign in, and authorize, anew."""
    address = parse_email(email)

    async def work() -> None:
        async with opened() as application:
            await _people(application).restore(address, OPERATOR)

    run(work())
    say(f"{address} may come in again.")


def _people(application: Application) -> People:
    from latchpin_offboarding.people import People  # noqa: PLC0415  the help does without the gateway

    return People(application)


def _since(person: Departed) -> str:
    return f"{person.barred.at:%Y-%m-%d %H:%M} UTC" if person.barred else "in again"


def _print_revocations(person: Departed) -> None:
    rows = [
        (each.gateway_name, each.account, each.state, each.answer or "not asked yet") for each in person.revocations
    ]
    if rows:
        print_table(("gateway", "account", "state", "what its server said"), rows)
    for each in person.stay:
        say(f"Stays: {each.gateway.name}, which {person.email} connected for all. Reconnect it, or disconnect it.")
    if person.owed:
        say(f"{person.owed} to be revoked: the gateway tries on. See: latchpin people show {person.email}")
