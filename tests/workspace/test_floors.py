"""Every library has a floor, none of them has a hole that is known, and what sources import is asked for."""

from __future__ import annotations

import sys

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.workspace.floors import distributions, find_floors, floor_of, imported_by, judge, requirements_of

OF_DISTRIBUTIONS = {
    "dotenv": "python-dotenv",
    "hiredis": "redis",
    "jwt": "pyjwt",
    "multipart": "python-multipart",
    "prometheus_client": "prometheus-client",
    "pydantic_core": "pydantic",
    "yaml": "pyyaml",
}
"""Modules that are called otherwise than what brings them, as an extra or in one exact version."""

MENDED = {
    "aiohttp": ("3.14.5", "GHSA-2g87-pp6c-29x5, GHSA-5wr8-gcqf-gqf3, GHSA-494j-54xm-rwp3"),
    "cryptography": ("48.0.1", "GHSA-537c-gmf6-5ccf: the OpenSSL in its wheels"),
    "idna": ("3.15", "names that take quadratic time"),
    "jinja2": ("3.1.6", "CVE-2025-27516: out of the sandbox by attr"),
    "mcp": ("2.2.0", "CVE-2026-59951, CVE-2026-116685, CVE-2026-116686: sessions, redirects, references"),
    "pydantic-settings": ("2.14.2", "GHSA-4xgf-cpjx-pc3j: a link out of the folder of secrets"),
    "pyjwt": ("2.13.0", "GHSA-752w-5fwx-jx9f (crit), GHSA-xgmm-8j9v-c9wx, GHSA-jq35-7prp-9v3f (keys and algorithms)"),
    "pymysql": ("1.1.3", "CVE-2024-36039, and names of procedures that were not escaped"),
    "python-multipart": ("0.0.32", "CVE-2026-40347, CVE-2026-53537, CVE-2026-53538"),
    "starlette": ("1.3.1", "CVE-2025-62727 (ranges), CVE-2026-48710 (Host), limits of forms"),
}
"""In which version the last hole that is known was mended, and which. What is not here has none that is known."""


@pytest.mark.parametrize("name", MENDED)
def test_no_floor_has_a_hole_that_is_known(name: str) -> None:
    assert find_floors()[name] >= Version(MENDED[name][0]), MENDED[name][1]


@pytest.mark.parametrize("folder", distributions(), ids=lambda folder: folder.name)
def test_every_library_has_a_floor_and_nothing_else(folder) -> None:
    assert [str(each) for each in requirements_of(folder) if floor_of(each) is None] == []


@pytest.mark.parametrize("folder", distributions(), ids=lambda folder: folder.name)
def test_what_is_imported_is_asked_for(folder) -> None:
    """By the distribution itself, or by the core that each needs: not by a library of a library."""
    core = next(each for each in distributions() if each.name == "core")
    asked = {canonicalize_name(each.name) for each in (*requirements_of(folder), *requirements_of(core))}
    found = {OF_DISTRIBUTIONS.get(name, canonicalize_name(name)) for name in imported_by(folder) - STANDARD}
    assert {name for name in found - asked if not name.startswith(OURS)} == set()


STANDARD = sys.stdlib_module_names
OURS = ("latchpin", "acme", "opentelemetry")  # the last is a namespace of several


def test_a_floor_is_read_from_one_clause_alone() -> None:
    assert floor_of(Requirement("a[b]>=1.2; sys_platform == 'linux'")) == Version("1.2")
    for text in ("a", "a==1", "a>=1,<2", "a>1", "a~=1.2"):
        assert floor_of(Requirement(text)) is None


def test_a_report_without_data_proves_nothing() -> None:
    good = {"name": "a", "version": "1", "vulns": []}
    bad = {"name": "b", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["2.1"]}]}
    skipped = {"name": "c", "skip_reason": "not found"}
    assert judge({"dependencies": [good]}, {"a"}) == ([], None)
    assert judge({"dependencies": [good, bad]}, {"a", "b"}) == (["b 2: CVE-1, mended in 2.1"], None)
    assert judge({"dependencies": [good, skipped]}, {"a"}) == ([], None)
    holes, reason = judge({"dependencies": [skipped]}, {"a", "c"})
    assert (holes, reason) == ([], "pip-audit's data could not be had about a, c")
