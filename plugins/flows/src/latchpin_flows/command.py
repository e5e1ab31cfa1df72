"""``latchpin flows``: look at what authorizations went through, and follow them while they go."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from latchpin.errors import BackendUnavailable, NotFound, SettingsError, known_causes
from latchpin.sdk.commands import OPERATOR, find_gateway, opened, print_json, print_table, run, say, until_told
from latchpin.sdk.gateway import is_id
from latchpin.sdk.settings import load

from latchpin_flows.inspector import Flow, FlowInspector, open_inspector
from latchpin_flows.settings import FlowSettings
from latchpin_flows.steps import FlowStep, dump_step, in_order
from latchpin_flows.summaries import FlowOutcome, FlowQuery, FlowSummary
from latchpin_flows.view import cause_of, describe_flow, describe_step, describe_summary, fact_texts, seconds_text

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

app = typer.Typer(name="flows", help="Look at authorizations, step by step.", no_args_is_help=True)

INTERVAL = 1.0
"""Seconds between two looks at what is new."""
FOLLOWED = 200
"""Flows that ``tail`` looks at: those that had a step last."""
MOST_NAMED = 5

_PREFIX = re.compile(r"[0-9a-f]{4,31}")
"""The first digits of an id: four at the least, so that a slip names nothing."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
GatewayOption = Annotated[
    str | None, typer.Option("--gateway", help="Of this gateway only: its id, its first digits, or its name.")
]
UserOption = Annotated[str | None, typer.Option("--user", help="Of this user only.")]


@app.callback()
def group() -> None:
    """Look at authorizations, step by step."""


@app.command("list")
def list_all(  # noqa: PLR0917  typer passes them by name
    gateway: GatewayOption = None,
    user: UserOption = None,
    outcome: Annotated[str | None, typer.Option(help="pending, completed or failed.")] = None,
    cause: Annotated[str | None, typer.Option(help="Those that failed for this cause.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 50,
    as_json: Json = False,
) -> None:
    """List flows, the one with the newest step first."""
    query = FlowQuery(None, user.lower() if user else None, _parse_outcome(outcome), cause)

    async def work() -> list[FlowSummary]:
        async with _looking() as (application, inspector):
            asked = replace(query, gateway_id=await _gateway_id(application, gateway))
            return await inspector.list(asked, OPERATOR, limit=limit)

    found = run(work())
    if not found and cause is not None:
        _check_cause(cause)
    if as_json:
        print_json([describe_summary(flow) for flow in found])
        return
    if not found:
        chosen = query != FlowQuery() or gateway is not None
        say("No flow matches." if chosen else "There is no flow yet; one is recorded when somebody presses Authorize.")
        return
    rows = [
        (
            *(flow.flow_id, flow.last_at.strftime("%Y-%m-%d %H:%M:%S"), flow.gateway_id, flow.app_user_email),
            *(flow.outcome, flow.cause or "", str(flow.steps)),
        )
        for flow in found
    ]
    names = ("flow", "last step", "gateway", "user", "outcome", "cause", "steps")
    print_table(names, rows, ids={"flow", "gateway"})


@app.command()
def show(
    flow_id: Annotated[str, typer.Argument(help="The flow's id, or its first digits.")], as_json: Json = False
) -> None:
    """Show one flow: every step with its time, duration, worker, facts, and for a failure what to do."""

    async def work() -> Flow:
        async with _looking() as (_, inspector):
            return await _show(inspector, flow_id)

    flow = run(work())
    if as_json:
        print_json(describe_flow(flow))
        return
    summary = flow.summary
    say(f"{summary.outcome}: gateway {summary.gateway_id}, user {summary.app_user_email}, began {summary.began_at}")
    rows = []
    for step in flow.steps:
        since = seconds_text(max(0.0, (step.at - summary.began_at).total_seconds()))
        rows.append((step.step, f"+{since}", seconds_text(step.seconds), step.worker, _facts(step)))
    print_table(("step", "since start", "took", "worker", "facts"), rows)


@app.command()
def tail(gateway: GatewayOption = None, user: UserOption = None, as_json: Json = False) -> None:
    """Follow new steps of all workers until Ctrl-C. With --json, one JSON object a line.

    It also ends on SIGTERM and SIGHUP, and when nobody reads its output any more.
    """
    query = FlowQuery(app_user_email=user.lower() if user else None)
    run(until_told(_follow(query, gateway, as_json=as_json)))


async def _follow(query: FlowQuery, gateway: str | None, *, as_json: bool) -> None:
    async with _looking() as (application, inspector):
        query = replace(query, gateway_id=await _gateway_id(application, gateway))
        began, seen, away = application.services.clock(), _Seen(), False
        while True:
            try:
                for step in await seen.newer(inspector, query):
                    if step.at >= began:
                        _print_line(step, as_json=as_json)
                away = False
            except BackendUnavailable as exc:
                if not away:
                    say(f"The store cannot be asked now: {exc.detail or exc.public}")
                away = True
            await asyncio.sleep(INTERVAL)


class _Seen:
    """The steps that were looked at, of the flows that had a step last."""

    def __init__(self) -> None:
        self._steps: dict[str, dict[str, FlowStep]] = {}

    async def newer(self, inspector: FlowInspector, query: FlowQuery) -> list[FlowStep]:
        """The steps that were not there the last time, as they happened."""
        newer: list[FlowStep] = []
        seen: dict[str, dict[str, FlowStep]] = {}
        for flow in await inspector.list(query, OPERATOR, limit=FOLLOWED):
            before = self._steps.get(flow.flow_id, {})
            steps = before
            if len(before) != flow.steps:
                steps = {dump_step(step): step for step in await inspector.records.get(flow.flow_id)}
            newer += [step for text, step in steps.items() if text not in before]
            seen[flow.flow_id] = steps
        self._steps = seen
        return in_order(newer)


def _print_line(step: FlowStep, *, as_json: bool) -> None:
    if as_json:
        names: dict[str, Any] = {"flow_id": step.flow_id, "gateway_id": step.gateway_id}
        line = json.dumps(names | {"app_user_email": step.app_user_email} | describe_step(step, step.at))
    else:
        when = step.at.strftime("%H:%M:%S.%f")[:-3]
        took, facts = seconds_text(step.seconds), _facts(step)
        line = f"{when} {step.flow_id} {step.app_user_email} {step.step} in {took} by {step.worker}  {facts}"
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _facts(step: FlowStep) -> str:
    shown = ", ".join(f"{name}: {text}" for name, text in fact_texts(step))
    cause = cause_of(step)
    if cause is None:
        return shown
    happened = step.facts.get("happened") or cause.public
    return f"{cause.slug}: {happened}; remedy: {cause.remedy} ({shown})"


async def _show(inspector: FlowInspector, which: str) -> Flow:
    flow_id = await _find_id(inspector, which)
    try:
        return await inspector.show(flow_id, OPERATOR)
    except NotFound as exc:
        hours = load(FlowSettings).flow_history_hours
        raise NotFound(
            f"there is no flow with the id {flow_id!r}",
            remedy="Take the flow id, four digits of it at the least, from the failure page, the log or "
            "'latchpin flows list'; "
            f"flows are kept for {hours} hours (FLOW_HISTORY_HOURS).",
        ) from exc


async def _find_id(inspector: FlowInspector, which: str) -> str:
    """The id of the one kept flow whose id begins so; a whole id stands for itself."""
    if not _PREFIX.fullmatch(which):
        return which
    found = await inspector.records.ids(which, limit=1000)
    if len(found) > 1:
        shown = ", ".join(found[:MOST_NAMED])
        raise NotFound(f"{len(found)} flows have an id that begins with {which!r}", remedy=f"Name one: {shown}")
    return found[0] if found else which


@asynccontextmanager
async def _looking() -> AsyncIterator[tuple[Application, FlowInspector]]:
    async with opened() as application:
        if not load(FlowSettings).flow_history_hours:
            say("No flow is recorded: FLOW_HISTORY_HOURS is 0.")
        yield application, await open_inspector(application.services.context)


async def _gateway_id(application: Application, which: str | None) -> str | None:
    """The id of the gateway that was named; an id stands for itself, since flows outlive their gateway."""
    if which is None or is_id(which):
        return which
    return (await find_gateway(application, which)).id


def _check_cause(slug: str) -> None:
    known = known_causes()
    if slug not in known:
        near = get_close_matches(slug, known, n=3)
        remedy = f"Did you mean {' or '.join(near)}?" if near else "The page on errors lists them all."
        raise SettingsError(f"--cause holds {slug!r}, and no cause is called so", remedy=remedy)


def _parse_outcome(text: str | None) -> FlowOutcome | None:
    for known in get_args(FlowOutcome):
        if text == known:
            outcome: FlowOutcome = known
            return outcome
    if text is not None:
        allowed = ", ".join(get_args(FlowOutcome))
        raise SettingsError(f"--outcome holds {text!r}; allowed: {allowed}", remedy="Name one of those.")
    return None
