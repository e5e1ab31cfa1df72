"""``latchpin doctor`` as an operator types it, and what it found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers import run_latchpin

__all__ = ["Ended", "run_doctor"]


@dataclass(frozen=True)
class Ended:
    """One run with ``--json``."""

    returncode: int
    document: dict[str, Any]
    stderr: str

    @property
    def findings(self) -> list[dict[str, Any]]:
        return [finding for group in self.document["groups"] for finding in group["findings"]]

    def of(self, *severities: str) -> list[dict[str, Any]]:
        return [finding for finding in self.findings if finding["severity"] in severities]

    def only(self, check: str) -> dict[str, Any]:
        """The one finding of a check."""
        found = [finding for finding in self.findings if finding["check"] == check]
        assert len(found) == 1, found
        return found[0]


def run_doctor(env: Mapping[str, str], cwd: Path, *arguments: str) -> Ended:
    ended = run_latchpin("doctor", "--json", *arguments, env=env, cwd=cwd)
    assert "Traceback" not in ended.stderr, ended.stderr
    assert ended.stdout, ended.stderr
    return Ended(ended.returncode, json.loads(ended.stdout), ended.stderr)
