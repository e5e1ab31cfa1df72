"""``latchpin apply``, ``diff``, ``export`` and ``configuration``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from latchpin.errors import LatchpinError, NotFound
from latchpin.sdk.commands import OPERATOR, TO_SERVERS, confirm, opened, print_json, print_table, run, say, until_told

if TYPE_CHECKING:
    from latchpin_config.applying import Order
    from latchpin_config.exporting import Exported
    from latchpin_config.marks import Mark
    from latchpin_config.planning import Plan, Step
    from latchpin_config.positions import Problem
    from latchpin_config.wanted import WantedEntry

ResultT = TypeVar("ResultT")

apply_app = typer.Typer()
diff_app = typer.Typer()
export_app = typer.Typer()
configuration = typer.Typer(
    name="configuration", help="What files rule, and the schema of files.", no_args_is_help=True
)

DIFFERS = 1
NOT_WRITTEN = 1
WRONG_FILES = 2
NOT_LOOKED = 3
_EVERY = 25
_MOST_PRINTED = 200

File = Annotated[Path, typer.Option("--file", "-f", help="A YAML file, or a folder of *.yaml and *.yml.")]
Source = Annotated[
    str, typer.Option("--source", help="What the files are called together; by default the last part of their path.")
]
Prune = Annotated[
    bool, typer.Option("--prune", help="Remove what was applied from this source before and is gone from it.")
]
TakeOver = Annotated[bool, typer.Option("--take-over", help="Rule what another source rules until now.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@apply_app.command("apply")
def apply_files(  # noqa: PLR0917  typer passes them by name
    file: File,
    source: Source = "",
    prune: Prune = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    take_over: TakeOver = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before something is removed.")] = False,
    as_json: Json = False,
) -> None:
    """Make what is kept as files say: everything, or nothing.

    Exits with 0 where all is as the files say, with 1 where it could not be written, with 2 where a file is wrong or
    nobody can be asked.
    """
    wanted = _read(file)
    name = source or _source_of(file)
    if dry_run:
        plan = run(_plan(wanted, name, prune=prune, take_over=take_over))
        _print(plan, as_json=as_json)
        say(f"Nothing was written: {_summary(plan)}")
        return
    removing: frozenset[tuple[str, str]] | None = None
    if prune and not yes:
        plan = run(_plan(wanted, name, prune=True, take_over=take_over))
        removing = frozenset((step.kind, step.name) for step in plan.steps if step.action == "remove")
        if removing:
            _print(plan, as_json=False)
            confirm(f"Remove {len(removing)}, gateways with everybody's connections?")

    from latchpin_config.applying import NotApplied, Order  # noqa: PLC0415  the help does without the gateway

    try:
        applied = run(_apply(Order(wanted, name, prune, take_over, removing)))
    except NotApplied as exc:
        sys.stderr.write(f"latchpin: error: {exc}\n")
        raise typer.Exit(NOT_WRITTEN) from exc
    if applied is None:
        say("Ended before all was written; what was written is put back.")
        raise typer.Exit(NOT_WRITTEN)
    _print(applied, as_json=as_json)
    say(f"Applied {name}: {_done(applied)}")


@diff_app.command("diff")
def diff(
    file: File, source: Source = "", prune: Prune = False, take_over: TakeOver = False, as_json: Json = False
) -> None:
    """Say what apply would change, member by member, with secrets hidden.

    Exits with 0 where nothing would change, with 1 where anything would, with 2 where a file is wrong, and with 3 where
    it could not be looked.
    """
    wanted = _read(file)
    try:
        plan = run(_plan(wanted, source or _source_of(file), prune=prune, take_over=take_over))
    except LatchpinError as exc:
        remedy = f"\n  remedy: {exc.for_operator()}" if exc.for_operator() else ""
        sys.stderr.write(f"latchpin: error: {exc.in_full}{remedy}\n")
        raise typer.Exit(NOT_LOOKED) from exc
    _print(plan, as_json=as_json)
    say(_summary(plan))
    raise typer.Exit(DIFFERS if plan.writes else 0)


@export_app.command("export")
def export(
    kinds: Annotated[list[str] | None, typer.Argument(help="Only these, such as gateways and sets.")] = None,
) -> None:
    """Print what is kept as a file for apply.

    Secrets are not in it: 'kept' stands for those.

    Exits with 1 where something could not be in it.
    """

    async def work() -> Exported:
        from latchpin_config.exporting import export as write  # noqa: PLC0415  the help does without the gateway
        from latchpin_config.kinds import installed_kinds  # noqa: PLC0415

        installed = installed_kinds()
        known = [kind.name for kind in installed]
        unknown = [kind for kind in kinds or () if kind not in known]
        if unknown:
            raise typer.BadParameter(f"{unknown[0]} is none of {', '.join(known)}")
        async with opened() as application:
            return await write(application, installed, OPERATOR, only=kinds or ())

    exported = run(work())
    sys.stdout.write(exported.text)
    for sentence in exported.left_out:
        say(f"Left out: {sentence}")
    raise typer.Exit(1 if exported.left_out else 0)


@configuration.callback()
def group() -> None:
    """What files rule, and the schema of files."""


@configuration.command()
def schema() -> None:
    """Print the JSON schema of files, for editors that help while one is written."""
    from latchpin_config.kinds import installed_kinds  # noqa: PLC0415  the help does without the gateway
    from latchpin_config.shapes import json_schema  # noqa: PLC0415

    print_json(json_schema([(kind.name, kind.about, kind.entry) for kind in installed_kinds()]))


@configuration.command()
def ruled(as_json: Json = False) -> None:
    """List what files rule."""

    async def work() -> list[Mark]:
        from latchpin_config.marks import Marks  # noqa: PLC0415  as above

        async with opened() as application:
            return list((await Marks.of(application.services.context).all()).values())

    found = sorted(run(work()), key=lambda mark: (mark.kind, mark.name))
    if as_json:
        print_json([{"kind": each.kind, "name": each.name, "source": each.source, "file": each.file} for each in found])
        return
    if not found:
        say("No file rules anything yet; begin with: latchpin export > latchpin.yaml")
        return
    print_table(("kind", "name", "source", "file"), [(each.kind, each.name, each.source, each.file) for each in found])


@configuration.command()
def release(
    source: Annotated[str, typer.Argument(help="The source, as 'ruled' lists it.")],
    kind: Annotated[str, typer.Option(help="Only entries of this kind.")] = "",
    name: Annotated[str, typer.Option(help="Only the entry of this name.")] = "",
) -> None:
    """Let what a source rules be ruled by hand again. Nothing of it changes, and nothing prunes it."""

    async def work() -> int:
        from latchpin_config.marks import Marks  # noqa: PLC0415  as above

        async with opened() as application:
            marks = Marks.of(application.services.context)
            known = (await marks.all()).values()
            found = [
                each for each in known if each.source == source and kind in {"", each.kind} and name in {"", each.name}
            ]
            if not found:
                there = ", ".join(sorted({each.source for each in known})) or "none"
                raise NotFound(
                    f"{source!a} rules nothing like that; sources: {there}",
                    remedy="List what files rule: latchpin configuration ruled",
                )
            return sum([await marks.drop(each.kind, each.entry) for each in found])

    say(f"{run(work())} released")


# -- what they share --------------------------------------------------------------------------------------


def _source_of(file: Path) -> str:
    return file.resolve().name


def _read(file: Path) -> list[WantedEntry]:
    """What files want; every problem is printed."""
    from latchpin_config.files import read_files  # noqa: PLC0415  the help does without
    from latchpin_config.kinds import installed_kinds  # noqa: PLC0415
    from latchpin_config.wanted import read_wanted  # noqa: PLC0415

    read = read_files(file)
    wanted = read_wanted(read.documents, {kind.name: kind for kind in installed_kinds()})
    _stop_at([*read.problems, *wanted.problems])
    return wanted.entries


def _stop_at(problems: list[Problem]) -> None:
    for each in sorted(problems)[:_MOST_PRINTED]:
        sys.stderr.write(f"{each}\n")
    if problems:
        more = ", and more" if len(problems) > _MOST_PRINTED else ""
        say(f"{min(len(problems), _MOST_PRINTED)} to mend{more}; nothing was written")
        raise typer.Exit(WRONG_FILES)


async def _plan(wanted: list[WantedEntry], source: str, *, prune: bool, take_over: bool) -> Plan:
    from latchpin_config.kinds import installed_kinds, secret_sources  # noqa: PLC0415  the help does without
    from latchpin_config.planning import make_plan, read_state  # noqa: PLC0415

    async with opened(*TO_SERVERS) as application:
        state = await read_state(application, installed_kinds(), OPERATOR)
        sources = secret_sources(application)
        return await make_plan(state, wanted, sources, source=source, prune=prune, take_over=take_over)


async def _apply(order: Order) -> Plan | None:
    """None: it was told to end."""
    from latchpin_config.applying import apply  # noqa: PLC0415  the help does without
    from latchpin_config.kinds import installed_kinds, secret_sources  # noqa: PLC0415

    done: list[Plan] = []

    async def work() -> None:
        async with opened(*TO_SERVERS) as application:
            sources = secret_sources(application)
            done.append(await apply(application, installed_kinds(), order, sources, OPERATOR, tell=_tell))

    await until_told(work())
    return done[0] if done else None


def _tell(number: int, total: int, step: Step) -> None:
    """Say how far it is: in place where somebody looks, else now and then."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{number}/{total} {step.kind}.{ascii(step.name)[1:-1][:60]}")
        sys.stderr.write("\r\033[K" if number == total else "")
        sys.stderr.flush()
    elif number % _EVERY == 0 and number < total:
        say(f"{number} of {total} written")


def _print(plan: Plan, *, as_json: bool) -> None:
    """What would change, or did; stops where a file is wrong."""
    from latchpin_config.showing import describe_plan, show_plan  # noqa: PLC0415  as above

    if as_json:
        print_json(describe_plan(plan))
    _stop_at(list(plan.problems))
    if not as_json:
        for line in show_plan(plan):
            sys.stdout.write(f"{line}\n")


def _summary(plan: Plan) -> str:
    from latchpin_config.showing import summary  # noqa: PLC0415  as above

    return summary(plan)


def _done(plan: Plan) -> str:
    counts = [(plan.count("add"), "added"), (plan.count("change"), "changed"), (plan.count("remove"), "removed")]
    said = ", ".join(f"{count} {word}" for count, word in counts if count)
    return f"{said or 'nothing had to change'}; {plan.count('same')} were as they should be"
