"""The suite: installed, run, its results read, judged and written down."""

from __future__ import annotations

import argparse
import json
import logging
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jwt
from latchpin.identity.signed_tokens import ADMIN_CLAIM

from tests.conformance.client import open_desk
from tests.conformance.serving import Served, judge_served, render_served, run_serving
from tests.servers.gateway import start_latchpin
from tests.servers.programs import Node, find_node, install_packages

# The official suite: pinned, installed once into a folder, run, and its results read.


PACKAGE, VERSION = "@modelcontextprotocol/conformance", "0.2.0-alpha.12"
TIMEOUT_MS = 180_000
REFUSED_AS: Mapping[str, str] = {
    "auth/iss-normalized": "issuer-mismatch",
    "auth/iss-supported-missing": "issuer-mismatch",
    "auth/iss-unexpected": "issuer-mismatch",
    "auth/iss-wrong-issuer": "issuer-mismatch",
    "auth/metadata-issuer-mismatch": "discovery-failed",
    "auth/resource-mismatch": "discovery-failed",
    "auth/scope-retry-limit": "server-refused",
}
"""The scenarios that the gateway must not let happen, and the code of the problem it answers with."""
_STAMP = re.compile(r"-\d{4}-\d\d-\d\dT[\d-]+Z$")
_OTHER_SIDE = Path(__file__).with_name("endpoint.md")
"""What the page says of the gateway as an authorization server; tests/node holds it."""
_DRIVER = """
import json
import os
import socket
import sys

def main() -> int:
    scenario = {
        "url": sys.argv[-1],
        "name": os.environ["MCP_CONFORMANCE_SCENARIO"],
        "context": json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}")),
        "version": os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", "2025-11-25"),
    }
    with socket.socket(socket.AF_UNIX) as line, line.makefile("rw") as talk:
        line.connect(os.environ["LATCHPIN_PERSON"])
        talk.write(json.dumps(scenario) + "\\n")
        talk.flush()
        refusal = json.loads(talk.readline())
    if refusal is None:
        return 0
    sys.stderr.write(f"{refusal}\\n")
    return 1

sys.exit(main())
"""
"""What the suite starts for each scenario: it hands it to the person who waits (``client.py``), and ends as told.

The suite gives the URL as the last argument and the rest in the environment. Standard library only, since it starts
dozens at once. The exit status is 0 if the work was done, 1 if the gateway refused.
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One call of the suite: a name for people and the arguments that choose its scenarios."""

    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """One scenario of one run, as the suite judged it.

    Attributes:
        passed: the suite's own mark holds (no check failed or warned), and the gateway refused exactly where it has to,
            for the reason that it has to: the mark alone does not look at how the client ended.
        scored: whether the revision requires it; what a run only reports is not scored.
        problems: the checks that failed or warned, in the suite's words.
    """

    run: str
    scenario: str
    passed: bool
    scored: bool
    checks: int
    problems: tuple[str, ...]


def install_suite(node: Node, folder: Path) -> Path:
    """Install the pinned suite into ``folder`` unless it is there; give its program."""
    return install_packages(node, folder, {PACKAGE: VERSION}) / ".bin" / "conformance"


def run_suite(node: Node, program: Path, run: Run, settings: Mapping[str, str], output: Path) -> list[Result]:
    """Run the chosen scenarios against the driver; the files of each are below ``output``.

    Raises:
        RuntimeError: the suite did not run at all.
    """
    driver = output / "driver.py"
    driver.write_text(_DRIVER)
    command = [str(program), "client", "--command", f"{sys.executable} {driver}", *run.arguments]
    command += ["--timeout", str(TIMEOUT_MS), "--output-dir", str(output)]
    done = subprocess.run(
        command, env=node.environment(settings), capture_output=True, text=True, errors="replace", check=False
    )
    said = done.stdout + done.stderr
    (output / "suite.log").write_text(said)
    marks = parse_summary(said)
    if not marks:
        raise RuntimeError(f"{' '.join(command)} gave no summary:\n{said[-4000:]}")
    unscored = parse_unscored(said)
    files = {_STAMP.sub("", str(path.parent.relative_to(output))): path for path in output.rglob("checks.json")}
    return [
        read_result(run.name, name, passed, name not in unscored, files.get(name)) for name, passed in marks.items()
    ]


def parse_summary(said: str) -> dict[str, bool]:
    """The marks in the suite's summary, by scenario."""
    summary = said.partition("=== SUITE SUMMARY ===")[2].partition("\nTotal:")[0]
    return {name: mark == "✓" for mark, name in re.findall(r"^([✓✗]) (\S+): \d+ passed", summary, re.MULTILINE)}


def parse_unscored(said: str) -> frozenset[str]:
    """The scenarios that the suite ran and does not count."""
    tail = said.partition("\nNot scored for ")[2]
    return frozenset(re.findall(r"^\s+[✓✗] (\S+) \(", tail, re.MULTILINE))


def read_result(run: str, scenario: str, marked: bool, scored: bool, path: Path | None) -> Result:
    """One scenario's result, from the suite's mark and the files that it wrote.

    Args:
        run: the part's name.
        scenario: the scenario's.
        marked: the suite's mark says that it passed.
        scored: whether it counts.
        path: its ``checks.json``, None if there is none.
    """
    checks: Sequence[Mapping[str, str]] = json.loads(path.read_text()) if path is not None else ()
    problems = [
        f"{check['id']}: {check.get('errorMessage') or check['description']}"
        for check in checks
        if check["status"] in {"FAILURE", "WARNING"}
    ]
    said = path.with_name("stderr.txt").read_text().strip() if path is not None else "there are no results"
    if (wrong := judge_end(scenario, said)) is not None:
        problems.append(wrong)
    judged = sum(check["status"] in {"SUCCESS", "FAILURE", "WARNING"} for check in checks)
    passed = marked and not problems
    return Result(run, scenario, passed, scored, judged, tuple(dict.fromkeys(problems)))


def judge_end(scenario: str, said: str) -> str | None:
    """Say what is wrong with how the client ended, by what it wrote when it was refused; None if nothing is."""
    expected = REFUSED_AS.get(scenario)
    if expected is None:
        return f"the client was refused: {said[-500:]}" if said else None
    if not said:
        return f"the gateway let pass what it has to refuse as {expected}"
    return None if f'/problems/{expected}"' in said else f"refused, but not as {expected}: {said[-500:]}"


# The results as a table for people, and the verdict: what fails must be named, and what is named must fail.


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


def write_table(path: Path, results: Sequence[Result], baseline: Mapping[str, str], served: Sequence[Served]) -> None:
    """Write the page."""
    path.write_text(f"{render_table(results, baseline)}\n{render_served(served)}{_OTHER_SIDE.read_text()}")


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


# As a command: run the official suite against one gateway, and write the table of results.


ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "conformance.md"
BASELINE = Path(__file__).with_name("baseline.txt")
ADMIN = "admin@example.com"
CIMD_URL = "https://conformance-test.local/client-metadata.json"
"""The client_id that the suite expects of a client with a metadata document."""

SERVER = "server"
"""What the part with the ``server`` scenarios is called."""
RUNS = (
    Run("required 2026-07-28", ("--requirements", "2026-07-28")),
    Run("required 2025-11-25", ("--requirements", "2025-11-25")),
    Run("auth", ("--suite", "auth")),
    Run("draft", ("--suite", "draft")),
    Run("backcompat", ("--suite", "backcompat")),
    Run("extensions", ("--suite", "extensions")),
)


def settings_of_gateway(key: str) -> dict[str, str]:
    """What the one gateway for every scenario is started with."""
    return {
        "CACHE_TYPE": "memory",
        "RECORD_STORE": "memory",
        "AUTH_ENCRYPTION_SECRET": secrets.token_urlsafe(48),
        "JWT_SECRET_KEY": key,
        "ADMIN_EMAILS": ADMIN,
        "OAUTH_ALLOW_PRIVATE_NETWORKS": "true",
        # A scenario moves its server to another issuer; the administrator of this gateway lets it.
        "OAUTH_FOLLOW_ISSUER_CHANGE": "true",
        "MAX_PENDING_PER_USER": "10000",
        "PROXY_MAX_EXCHANGES_PER_USER": "1000",
        "CIMD_URL": CIMD_URL,
        "LOG_FILE": "",
        "LOG_LEVEL": "DEBUG",
    }


def bearer_for(base_url: str, key: str, email: str | None) -> str:
    """What proves somebody at the API, who may also create gateways; by default the administrator."""
    claims = {"iss": base_url, "aud": base_url, "email": email or ADMIN, "exp": int(time.time()) + 3600}
    return jwt.encode(claims | {ADMIN_CLAIM: True}, key, algorithm="HS256")


def run_all(
    node: Node, program: Path, runs: tuple[Run, ...], output: Path, *, serves: bool
) -> tuple[list[Result], list[Served]]:
    """Start the gateway, run each part of the suite, and stop it."""
    key = secrets.token_urlsafe(48)
    results: list[Result] = []
    served: list[Served] = []
    with (
        tempfile.TemporaryDirectory() as place,
        start_latchpin(env=settings_of_gateway(key), cwd=Path(place)) as gateway,
        open_desk(Path(place) / "person", gateway.base_url, partial(bearer_for, gateway.base_url, key)),
    ):
        if serves:  # before the scenarios of the other parts leave their servers' gateways behind
            bearer = partial(bearer_for, gateway.base_url, key, None)
            served = run_serving(node, program, gateway.base_url, bearer, output)
        for run in runs:
            folder = output / run.name.replace(" ", "-")
            folder.mkdir(parents=True, exist_ok=True)
            found = run_suite(node, program, run, {"LATCHPIN_PERSON": f"{place}/person"}, folder)
            sys.stdout.write(f"{run.name}: {sum(each.passed for each in found)} of {len(found)} pass\n")
            sys.stdout.flush()
            results += found
        (output / "gateway.log").write_text(gateway.output)
    return results, served


def main() -> int:
    """Run what is asked for; the table is written only if that was everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.suite", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=[*(run.name for run in RUNS), SERVER], help="one part of the suite"
    )
    parser.add_argument("--suite-folder", type=Path, default=ROOT / ".tox" / "conformance-suite")
    parser.add_argument("--output", type=Path, help="keep the suite's own files here")
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # the SDK warns of malformed tools, which are a scenario's
    node = find_node()
    program = install_suite(node, options.suite_folder.resolve())
    runs = tuple(run for run in RUNS if not options.only or run.name in options.only)
    with tempfile.TemporaryDirectory() as folder:
        output = (options.output or Path(folder)).resolve()
        output.mkdir(parents=True, exist_ok=True)
        serves = not options.only or SERVER in options.only
        results, served = run_all(node, program, runs, output, serves=serves)
    baseline = parse_baseline(BASELINE.read_text())
    if not options.only:
        write_table(TABLE, results, baseline, served)
    verdict = [*judge(results, baseline), *(judge_served(served) if serves else [])]
    sys.stdout.write("".join(f"{line}\n" for line in verdict))
    return 1 if verdict else 0


if __name__ == "__main__":
    sys.exit(main())
