"""Each folder in ``plugins/`` is a distribution like the others, and is named where people look for it."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path

import pytest

from tests.servers.distributions import CORE, ROOT, Distribution, examples, plugins

EVERY = (CORE, *plugins())
LICENSE = (ROOT / "LICENSE").read_bytes()


def by_name(distribution: Distribution) -> str:
    return distribution.name


@pytest.mark.parametrize("distribution", plugins(), ids=by_name)
def test_a_plugin_needs_this_version_of_the_core(distribution: Distribution):
    version = CORE.project["version"]
    ours = [each for each in distribution.project["dependencies"] if each.startswith("latchpin")]
    assert f"latchpin=={version}" in ours
    assert all(each.endswith(f"=={version}") for each in ours)
    assert distribution.project["version"] == version


@pytest.mark.parametrize("distribution", EVERY, ids=by_name)
def test_a_distribution_has_what_the_others_have(distribution: Distribution):
    package = distribution.folder / "src" / distribution.package
    assert distribution.name.replace("-", "_") == distribution.package
    assert (distribution.folder / "LICENSE").read_bytes() == LICENSE
    assert (package / "py.typed").is_file()
    assert (distribution.folder / "README.md").read_text().startswith(f"# {distribution.name}\n")
    build = tomllib.loads((distribution.folder / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert build == {"targets": {"wheel": {"packages": [f"src/{distribution.package}"]}}}


@pytest.mark.parametrize("distribution", plugins(), ids=by_name)
def test_its_folder_is_called_as_it_is(distribution: Distribution):
    assert distribution.package == f"latchpin_{distribution.folder.name}"


@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_people_are_told_of_each(page: str):
    text = (ROOT / page).read_text()
    assert [each.name for each in EVERY if f"| `{each.name}` " not in text] == []


def test_the_standard_installation_has_distributions_of_ours_alone():
    ours = {f"{each.name}=={each.project['version']}" for each in plugins()}
    assert set(CORE.project["optional-dependencies"]["standard"]) < ours


def test_tox_is_told_of_each_with_its_extras(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DISTRIBUTIONS", "")
    spec = importlib.util.spec_from_file_location("toxfile", ROOT / "toxfile.py")
    assert spec is not None
    assert spec.loader is not None
    toxfile = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(toxfile)
    told = toxfile.os.environ["DISTRIBUTIONS"].splitlines()
    assert {Path(line.removeprefix("-e ./").partition("[")[0]) for line in told} == {
        each.folder.relative_to(ROOT) for each in (*plugins(), *examples())
    }
    assert "-e ./plugins/sql_store[postgres,mysql]" in told
