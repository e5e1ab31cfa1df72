"""The results as a table for people, and the verdict: what fails must be named, and what is named must fail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.conformance.suite import PACKAGE, VERSION, Result

__all__ = ["judge", "parse_baseline", "render_table", "write_table"]

_HEAD = f"""# Conformance

What the official MCP conformance suite says of this gateway as an OAuth client: `{PACKAGE}`
{VERSION}, run by `tox run -e conformance` through one running gateway. A driver plays the browser and speaks MCP, with
the official Python SDK, to the gateway's own endpoint; everything about OAuth is the gateway's work. This page is
written by that command.

A scenario passes if the suite has neither a failed check nor a warning, and if the gateway refused exactly where it has
to, with the right cause.

A part fails if a scenario outside the list of known failures fails, and also if one on the list passes.
"""


def parse_baseline(text: str) -> dict[str, str]:
    """The known failures: a scenario, a colon and the reason on each line; ``#`` begins a comment.

    Raises:
        ValueError: a line has no reason.
    """
    known: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        scenario, colon, reason = line.partition(": ")
        if not colon or not reason.strip():
            raise ValueError(f"a known failure needs a reason: {line!r}")
        known[scenario.strip()] = reason.strip()
    return known


def judge(results: Iterable[Result], baseline: Mapping[str, str]) -> list[str]:
    """What speaks against these results, a line each; nothing if all is as it should be."""
    lines: list[str] = []
    for result in results:
        where = f"{result.run}: {result.scenario}"
        if not result.passed and result.scenario not in baseline:
            lines.append(f"{where} fails: {'; '.join(result.problems)}")
        if result.passed and result.scenario in baseline:
            lines.append(f"{where} passes and is in the list of known failures: take it out")
    return lines


def write_table(path: Path, results: Sequence[Result], baseline: Mapping[str, str]) -> None:
    """Write the page."""
    path.write_text(render_table(results, baseline))


def render_table(results: Sequence[Result], baseline: Mapping[str, str]) -> str:
    """The page: passes by part, then every scenario, then the known failures with their reasons."""
    runs = list(dict.fromkeys(result.run for result in results))
    lines = [_HEAD, "| part | scenarios | pass |", "|---|---|---|"]
    for run in runs:
        scored = [result for result in results if result.run == run and result.scored]
        lines.append(f"| {run} | {len(scored)} | {sum(result.passed for result in scored)} |")
    lines += ["", "Each scenario by part: the number of checks that were judged, or what failed.", ""]
    lines += [f"| scenario | {' | '.join(runs)} |", "|---" * (len(runs) + 1) + "|"]
    by_place = {(result.scenario, result.run): result for result in results}
    for scenario in sorted({result.scenario for result in results}):
        cells = [_cell(by_place.get((scenario, run))) for run in runs]
        lines.append(f"| `{scenario}` | {' | '.join(cells)} |")
    failing = [scenario for scenario in baseline if any(r.scenario == scenario and not r.passed for r in results)]
    if failing:
        lines += ["", "## Known failures", ""]
        lines += [f"- `{scenario}`: {baseline[scenario]}" for scenario in failing]
    return "\n".join(lines) + "\n"


def _cell(result: Result | None) -> str:
    if result is None:
        return ""
    word = f"pass ({result.checks})" if result.passed else "**fails**"
    return word if result.scored else f"{word}, not scored"
