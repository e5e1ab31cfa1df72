"""``latchpin rules``, ``latchpin groups`` and ``latchpin access``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from latchpin.sdk.commands import OPERATOR, confirm, find_gateway, opened, print_json, print_table, run, say
from latchpin.sdk.gateway import parse_body
from latchpin.sdk.hooks import GROUPS, SCOPE_CEILINGS, TOOL_GATES

from latchpin_policy.book import Book, open_book
from latchpin_policy.entry import GroupBody, RuleBody, parse_group_name
from latchpin_policy.explaining import Explanation
from latchpin_policy.explaining import explain as explain_access
from latchpin_policy.group import PeopleGroup
from latchpin_policy.rule import Rule

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

ResultT = TypeVar("ResultT")

rules = typer.Typer(name="rules", help="Rules about tools and scopes: list, add and remove.", no_args_is_help=True)
groups = typer.Typer(name="groups", help="Groups of people: list, show, change and remove.", no_args_is_help=True)
access = typer.Typer(name="access", help="Say which rule decides who may use what.", no_args_is_help=True)

REFUSED = 1

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Which = Annotated[str, typer.Option("--gateway", help="A gateway: its id, its first digits, or its name.")]
Name = Annotated[str, typer.Argument(help="The group's name.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@rules.callback()
def rules_group() -> None:
    """Rules about tools and scopes: list, add and remove."""


@groups.callback()
def groups_group() -> None:
    """Groups of people: list, show, change and remove."""


@access.callback()
def access_group() -> None:
    """Say which rule decides who may use what."""


# -- rules ------------------------------------------------------------------------------------------------


@rules.command("list")
def list_rules(as_json: Json = False) -> None:
    """List the rules, oldest first."""

    async def work(application: Application, book: Book) -> tuple[list[Rule], dict[str, str]]:
        names = {gateway.id: gateway.name for gateway in await application.gateways.list(OPERATOR)}
        return list((await book.current()).rules), names

    found, names = _with_book(work)
    if as_json:
        print_json([rule.describe() for rule in found])
        return
    if not found:
        say("There is no rule yet; make one with: latchpin rules add deny --tool 'delete_*'")
        return
    rows = [
        (
            rule.id,
            rule.effect,
            " ".join(rule.who) or "everyone",
            names.get(rule.gateway, "one that is gone") if rule.gateway else "every gateway",
            " ".join(rule.tools or rule.scopes),
            rule.when,
        )
        for rule in found
    ]
    print_table(("id", "effect", "who", "gateway", "tools or scopes", "when"), rows)


@rules.command("add")
def add_rule(  # noqa: PLR0917  typer passes them by name
    effect: Annotated[str, typer.Argument(help="allow, deny or scopes.")],
    who: Annotated[
        list[str] | None, typer.Option("--who", help="About whom: address, *@domain or group:name; repeatable.")
    ] = None,
    gateway: Which = "",
    tool: Annotated[list[str] | None, typer.Option("--tool", help="A tool's name, or a pattern; repeatable.")] = None,
    when: Annotated[str, typer.Option(help="always, read-only or not-read-only.")] = "always",
    scope: Annotated[list[str] | None, typer.Option("--scope", help="For scopes: one of them; repeatable.")] = None,
    note: Annotated[str, typer.Option(help="Why there is this rule.")] = "",
    as_json: Json = False,
) -> None:
    """Make a rule, which holds everywhere within a second. Without --who it is about everyone."""

    async def work(application: Application, book: Book) -> Rule:
        found = (await find_gateway(application, gateway)).id if gateway else ""
        document = {"effect": effect, "who": who or [], "gateway": found, "when": when, "note": note}
        body = parse_body(RuleBody, document | {"tools": tool or [], "scopes": scope or []})
        return await book.create_rule(body, OPERATOR, gateways={found})

    made = _with_book(work)
    if as_json:
        print_json(made.describe())
        return
    typer.echo(made.id)
    say(f"Made {made.name}")


@rules.command("remove")
def remove_rule(rule: Annotated[str, typer.Argument(help="The rule's id.")], yes: Yes = False) -> None:
    """Remove a rule."""

    async def look(_application: Application, book: Book) -> Rule:
        return await book.rule(rule)

    async def work(_application: Application, book: Book) -> Rule:
        return await book.remove_rule(rule, OPERATOR)

    if not yes:
        confirm(f"Remove {_with_book(look).name}?")
    say(f"Removed {_with_book(work).name}")


# -- groups -----------------------------------------------------------------------------------------------


@groups.command("list")
def list_groups(as_json: Json = False) -> None:
    """List the groups that are kept here, by name."""

    async def work(_application: Application, book: Book) -> list[PeopleGroup]:
        return list((await book.current()).groups)

    found = _with_book(work)
    if as_json:
        print_json([group.describe() for group in found])
        return
    if not found:
        say("There is no group yet; make one with: latchpin groups add staff ann@example.com")
        return
    print_table(("name", "members", "note"), [(each.name, str(len(each.members)), each.note) for each in found])


@groups.command("show")
def show_group(name: Name, as_json: Json = False) -> None:
    """Print a group's members, one a line."""

    async def work(_application: Application, book: Book) -> PeopleGroup:
        return await book.group(parse_group_name(name))

    found = _with_book(work)
    if as_json:
        print_json(found.describe())
        return
    for member in found.members:
        typer.echo(member)


@groups.command("add")
def add_members(
    name: Name,
    members: Annotated[list[str], typer.Argument(help="Addresses, or *@domain for everybody there.")],
    note: Annotated[str | None, typer.Option(help="Who that is.")] = None,
) -> None:
    """Put people into a group, which is made if it is not there yet."""

    def edit(earlier: PeopleGroup | None) -> GroupBody:
        known = () if earlier is None else earlier.members
        said = note if note is not None else "" if earlier is None else earlier.note
        return parse_body(GroupBody, {"members": [*known, *members], "note": said})

    _edit(name, edit)


@groups.command("drop")
def drop_members(
    name: Name, members: Annotated[list[str], typer.Argument(help="Addresses or *@domain, as they are listed.")]
) -> None:
    """Take people out of a group."""

    def edit(earlier: PeopleGroup | None) -> GroupBody:
        gone = {member.lower() for member in members}
        known = () if earlier is None else earlier.members
        note = "" if earlier is None else earlier.note
        return parse_body(GroupBody, {"members": [each for each in known if each not in gone], "note": note})

    _edit(name, edit)


@groups.command("remove")
def remove_group(name: Name, yes: Yes = False) -> None:
    """Remove a group: where a gateway, set or rule names it, the people listed in it are no longer meant."""
    wanted = parse_group_name(name)

    async def work(_application: Application, book: Book) -> PeopleGroup:
        return await book.remove_group(wanted, OPERATOR)

    if not yes:
        confirm(f"Remove the group {wanted}?")
    say(f"Removed the group {_with_book(work).name}")


def _edit(name: str, edit: Callable[[PeopleGroup | None], GroupBody]) -> None:
    async def work(_application: Application, book: Book) -> PeopleGroup:
        return await book.edit_group(parse_group_name(name), edit, OPERATOR)

    changed = _with_book(work)
    say(f"The group {changed.name} has {len(changed.members)} entries")


# -- access -----------------------------------------------------------------------------------------------


@access.command()
def explain(
    email: Annotated[str, typer.Option("--email", help="Whose access.")],
    tool: Annotated[str, typer.Option("--tool", help="The tool, as its server calls it.")],
    gateway: Which = "",
    as_json: Json = False,
) -> None:
    """Say what lets a person use a tool, or what keeps them from it.

    Exits with 1 where they may not use it; without --gateway, where they may use it nowhere.
    """

    async def work(application: Application, _book: Book) -> Explanation:
        listed = await application.gateways.list(OPERATOR)
        found = [await find_gateway(application, gateway)] if gateway else listed
        return await explain_access(application, email, tool, found)

    told = _with_book(work)
    if as_json:
        print_json(told.describe())
    else:
        _print(told)
    raise typer.Exit(0 if told.allowed else REFUSED)


def _print(told: Explanation) -> None:
    said = ", ".join(f"{name} ({', '.join(sources)})" for name, sources in told.groups.items())
    say(f"Groups of {told.email}: {said or 'none'}")
    rows = [
        (
            each.gateway.name,
            each.entry if each.enters else f"no: {each.entry}",
            "yes" if each.allowed else "no",
            each.rule,
        )
        for each in told.gateways
    ]
    print_table(("gateway", "let in by", told.tool, "decided by"), rows)


def _with_book(work: Callable[[Application, Book], Awaitable[ResultT]]) -> ResultT:
    async def whole() -> ResultT:
        async with opened(GROUPS, TOOL_GATES, SCOPE_CEILINGS) as application:
            return await work(application, await open_book(application.services.context))

    return run(whole())
