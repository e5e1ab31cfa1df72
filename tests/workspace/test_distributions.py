"""Each folder in ``plugins/`` is a distribution like the others, and is named where people look for it."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.servers.selection import CORE, ROOT, Distribution, examples, plugins

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
    project = tomllib.loads((distribution.folder / "pyproject.toml").read_text())
    assert project["build-system"] == {"requires": ["hatchling>=1.27"], "build-backend": "hatchling.build"}
    build = project["tool"]["hatch"]["build"]
    assert build == {"targets": {"wheel": {"packages": [f"src/{distribution.package}"]}}}


@pytest.mark.parametrize("distribution", plugins(), ids=by_name)
def test_its_folder_is_called_as_it_is(distribution: Distribution):
    assert distribution.package == f"latchpin_{distribution.folder.name}"


def test_people_are_told_of_each():
    text = (ROOT / "README.md").read_text()
    assert [each.name for each in EVERY if f"| `{each.name}` " not in text] == []


def test_the_standard_installation_has_distributions_of_ours_alone():
    ours = {f"{each.name}=={each.project['version']}" for each in plugins()}
    assert set(CORE.project["optional-dependencies"]["standard"]) < ours


@pytest.mark.parametrize("page", ["README.md", "docs/start.md"])
def test_who_installs_from_a_checkout_gets_the_standard_installation(page: str):
    folders = re.search(r"install \./core \./plugins/\{(.*)\}", (ROOT / page).read_text())
    assert folders is not None
    told = {f"latchpin-{folder.replace('_', '-')}=={CORE.project['version']}" for folder in folders[1].split(",")}
    assert set(CORE.project["optional-dependencies"]["standard"]) - told == set()


def test_who_installs_from_a_checkout_names_what_is_needed():
    """Each need that is ours: no package index has it."""
    ours = {each.name: each for each in plugins()}
    pages, seen, lacking = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/README.md")], 0, []
    for page in pages:
        for line in re.findall(r"pip install (\./core .*)", page.read_text()):
            parts = re.findall(r"\./plugins/(?:\{([^}]*)\}|(\w+))", line)
            told = {f"latchpin-{each.replace('_', '-')}" for pair in parts for each in "".join(pair).split(",")}
            needed = {re.split(r"[\[=]", need)[0] for each in told for need in ours[each].project["dependencies"]}
            seen, lacking = seen + 1, lacking + [(str(page), each) for each in sorted(needed & ours.keys() - told)]
    assert lacking == []
    assert seen > len(ours) / 2, "they are looked for where they stand"


TOLD = ("DISTRIBUTIONS", "BESIDE_STORES", "SOURCES", "EDITABLE")


@pytest.fixture
def toxfile(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Any]:
    """What the file defines, once it has run."""
    for name in TOLD:
        monkeypatch.setenv(name, "")
    return runpy.run_path(str(ROOT / "toxfile.py"))


@pytest.fixture
def told_to_tox(toxfile: Mapping[str, Any]) -> Mapping[str, list[str]]:
    return {name: os.environ[name].splitlines() for name in TOLD}


def test_tox_is_told_of_each_with_its_extras(told_to_tox: Mapping[str, list[str]]):
    told = told_to_tox["DISTRIBUTIONS"]
    assert {line.partition("[")[0] for line in told} == {each.name for each in (*plugins(), *examples())}
    assert "latchpin-sql-store[postgres,mysql]" in told
    folders = [Path(line.removeprefix("-e ./").partition("[")[0]) for line in told_to_tox["SOURCES"]]
    assert folders == [each.folder.relative_to(ROOT) for each in (CORE, *plugins(), *examples())]
    assert len(folders) == len(told) + 1


def test_environments_share_what_is_compiled_of_one_version(toxfile: Mapping[str, Any], tmp_path: Path):
    share, compiled = toxfile["share_compiled"], tmp_path / "compiled"
    (cached := tmp_path / "cached.py").touch()
    for name, version in (("one", "1.0"), ("other", "1.0"), ("older", "0.9"), ("older", "0.8")):
        (package := tmp_path / name / "acme").mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").unlink(missing_ok=True)
        (package / "__init__.py").hardlink_to(cached)
        (described := tmp_path / name / f"acme-{version}.dist-info").mkdir()
        (described / "RECORD").write_text("acme/__init__.py,,\nacme.pth,,\n")
        share(tmp_path / name, compiled)
        if version == "0.9":
            shutil.rmtree(described)
    places = {name: Path(f"{compiled}{tmp_path}", name, "acme").resolve() for name in ("one", "other", "older")}
    assert places["one"] == places["other"] == compiled / "packages" / "acme-1.0" / "acme"
    assert places["older"] == compiled / "packages" / "acme-0.8" / "acme"


def test_what_was_copied_into_an_environment_is_compiled_there(toxfile: Mapping[str, Any], tmp_path: Path):
    (package := tmp_path / "one" / "acme").mkdir(parents=True)
    (package / "__init__.py").touch()
    (described := tmp_path / "one" / "acme-1.0.dist-info").mkdir()
    (described / "RECORD").write_text("acme/__init__.py,,\n")
    toxfile["share_compiled"](tmp_path / "one", tmp_path / "compiled")
    assert not (tmp_path / "compiled").exists()


def test_each_name_means_its_folder(told_to_tox: Mapping[str, list[str]]):
    (constraints,) = told_to_tox["EDITABLE"]
    wheels = dict(line.split(" @ file://") for line in Path(constraints).read_text().splitlines())
    assert wheels.keys() == {each.name for each in (CORE, *plugins(), *examples())}
    for each in (CORE, *plugins(), *examples()):
        with zipfile.ZipFile(wheels[each.name]) as wheel:
            (link,) = [name for name in wheel.namelist() if name.endswith(".pth")]
            assert wheel.read(link).decode().split() == [str(each.folder / "src")]


def test_a_cell_of_one_store_has_everything_but_the_others(told_to_tox: Mapping[str, list[str]]):
    left_out = {line.partition("[")[0] for line in told_to_tox["DISTRIBUTIONS"]}
    left_out -= {line.partition("[")[0] for line in told_to_tox["BESIDE_STORES"]}
    stores = {f"latchpin-{name}-store" for name in ("memory", "redis", "sql")}
    assert left_out == {*stores, "latchpin-demo", "acme-latchpin-file-store"}
