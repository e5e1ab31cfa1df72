"""What a deployer gets: the built distributions, installed into fresh environments, in every sensible composition."""

import json
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from latchpin import __version__

from tests.packaging.conftest import PROJECTS
from tests.servers import run_latchpin, start_latchpin

STORES = ("latchpin-sql-store", "latchpin-redis-store", "latchpin-memory-store")


@pytest.mark.parametrize("name", PROJECTS)
def test_a_wheel_has_every_file_of_the_package_and_the_licence(name: str, dist: Path):
    package = name.replace("-", "_")
    source = PROJECTS[name] / "src"
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "."],
        cwd=source,
        capture_output=True,
        text=True,
        check=True,
    )
    with zipfile.ZipFile(next(dist.glob(f"{package}-0*.whl"))) as wheel:
        held = set(wheel.namelist())
        metadata = wheel.read(next(entry for entry in held if entry.endswith("/METADATA"))).decode()
    assert {path for path in tracked.stdout.split() if (source / path).is_file()} <= held
    assert f"{package}/py.typed" in held
    assert any(entry.endswith("/licenses/LICENSE") for entry in held)
    assert "License-Expression: Apache-2.0" in metadata
    assert "Description-Content-Type: text/markdown" in metadata
    assert {Path(entry).parts[0] for entry in held} == {package, f"{package}-{__version__}.dist-info"}


@pytest.mark.parametrize("name", PROJECTS)
def test_an_sdist_has_the_sources_and_the_licence(name: str, dist: Path):
    package = name.replace("-", "_")
    with tarfile.open(next(dist.glob(f"{package}-0*.tar.gz"))) as archive:
        held = {entry.partition("/")[2] for entry in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", f"src/{package}/py.typed"} <= held


def test_the_core_alone_explains_itself_and_names_what_to_install(install, tmp_path: Path):
    core = install("latchpin").latchpin
    assert "serve" in run_latchpin("--help", env={}, cwd=tmp_path, executable=core).stdout
    plugins = run_latchpin("plugins", env={"COLUMNS": "200"}, cwd=tmp_path, executable=core)
    assert plugins.returncode == 0, plugins.stderr
    assert "hmac-sha256" in plugins.stdout

    serve = run_latchpin("serve", env={}, cwd=tmp_path, executable=core)
    assert serve.returncode != 0
    for name in STORES:
        assert name in serve.stderr
    assert "Traceback" not in serve.stderr


COMPOSITIONS = {
    "database": (["latchpin", "latchpin-sql-store"], ["latchpin[standard]"]),
    "memory": (["latchpin", "latchpin-memory-store"], ["latchpin", "latchpin-memory-store", "latchpin-dcr"]),
    "redis": (["latchpin", "latchpin-redis-store"], ["latchpin", "latchpin-redis-store", "latchpin-dcr"]),
}
"""By the name of the store: without DCR, and with it."""


@pytest.mark.parametrize("dcr", [False, True], ids=["alone", "with dcr"])
@pytest.mark.parametrize("store", COMPOSITIONS)
def test_each_store_serves_with_and_without_dcr(
    install, request: pytest.FixtureRequest, store: str, dcr: bool, tmp_path: Path
):
    settings = {} if store == "database" else {"CACHE_TYPE": store}
    if store == "redis":
        settings["REDIS_URL"] = request.getfixturevalue("redis_url")
    executable = install(*COMPOSITIONS[store][dcr]).latchpin
    with start_latchpin(env=settings, cwd=tmp_path, executable=executable) as gateway:
        assert "Traceback" not in gateway.output
    told = run_latchpin("plugins", "--json", env=settings, cwd=tmp_path, executable=executable)
    assert selected(told.stdout, "state store", "record store") == {store}
    assert selected(told.stdout, "client registrar") == ({"static", "dcr"} if dcr else {"static"})


def selected(text: str, *kinds: str) -> set[str]:
    """The names of what ``latchpin plugins --json`` says is selected of these kinds."""
    return {row["name"] for row in json.loads(text) if row["offers"] in kinds and row["selected"].startswith("yes")}


@pytest.mark.parametrize(("store", "name"), [("latchpin-memory-store", "memory"), ("latchpin-redis-store", "redis")])
def test_without_cache_type_the_error_names_the_installed_store(install, store: str, name: str, tmp_path: Path):
    serve = run_latchpin("serve", env={}, cwd=tmp_path, executable=install("latchpin", store).latchpin)
    assert serve.returncode != 0
    assert "CACHE_TYPE" in serve.stderr
    assert name in serve.stderr
    assert "Traceback" not in serve.stderr


def test_the_standard_installation_stays_small(install):
    distributions = install("latchpin[standard]").distributions
    assert {line.partition(" @ ")[0] for line in distributions} >= {"latchpin", "latchpin-dcr", "latchpin-sql-store"}
    theirs = [line for line in distributions if not line.startswith("latchpin")]
    assert len(theirs) < 65, "\n".join(theirs)  # 60 in November 2026; more should be a decision
