"""``python -m tests.conformance``: run the official suite against one gateway, and write the table of results.

It fails if a scenario fails that ``baseline.txt`` does not name, or if one that it names passes.
"""

from __future__ import annotations

import argparse
import logging
import secrets
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import jwt
from latchpin.identity.signed_tokens import ADMIN_CLAIM

from tests.conformance.scenario import open_desk
from tests.conformance.suite import Result, Run, install_suite, judge, parse_baseline, run_suite, write_table
from tests.servers.gateway import start_latchpin
from tests.servers.programs import Node, find_node

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "conformance.md"
BASELINE = Path(__file__).with_name("baseline.txt")
ADMIN = "admin@example.com"
CIMD_URL = "https://conformance-test.local/client-metadata.json"
"""The client_id that the suite expects of a client with a metadata document."""

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


def run_all(node: Node, program: Path, runs: tuple[Run, ...], output: Path) -> list[Result]:
    """Start the gateway, run each part of the suite, and stop it."""
    key = secrets.token_urlsafe(48)
    results: list[Result] = []
    with (
        tempfile.TemporaryDirectory() as place,
        start_latchpin(env=settings_of_gateway(key), cwd=Path(place)) as gateway,
        open_desk(Path(place) / "person", gateway.base_url, partial(bearer_for, gateway.base_url, key)),
    ):
        for run in runs:
            folder = output / run.name.replace(" ", "-")
            folder.mkdir(parents=True, exist_ok=True)
            found = run_suite(node, program, run, {"LATCHPIN_PERSON": f"{place}/person"}, folder)
            sys.stdout.write(f"{run.name}: {sum(each.passed for each in found)} of {len(found)} pass\n")
            sys.stdout.flush()
            results += found
        (output / "gateway.log").write_text(gateway.output)
    return results


def main() -> int:
    """Run what is asked for; the table is written only if that was everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--only", action="append", choices=[run.name for run in RUNS], help="one part of the suite")
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
        results = run_all(node, program, runs, output)
    baseline = parse_baseline(BASELINE.read_text())
    if not options.only:
        write_table(TABLE, results, baseline)
    verdict = judge(results, baseline)
    sys.stdout.write("".join(f"{line}\n" for line in verdict))
    return 1 if verdict else 0


if __name__ == "__main__":
    sys.exit(main())
