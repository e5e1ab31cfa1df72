"""The distributions as files, and fresh environments in which a deployer installs some of them."""

import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from tests.servers.selection import CORE, plugins

PROJECTS = {each.name: each.folder for each in (CORE, *plugins())}


def uv(*arguments: str | Path) -> str:
    """Run the uv beside this interpreter, or the one on the path, and return what it printed."""
    program = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    assert program, "uv is needed: pip install uv"
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist of each distribution, and the wheel that is built from it."""
    folder, unpacked = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("unpacked")
    uv("build", "--quiet", "--python", sys.executable, "--out-dir", folder, CORE.folder)
    for each in plugins():
        build(each.folder, unpacked, folder)
    return folder


def build(project: Path, unpacked: Path, folder: Path) -> None:
    """Do what ``uv build`` does for what names hatchling, but in this process and not in a fresh environment."""
    (sdist,) = SdistBuilder(str(project)).build(directory=str(folder), versions=["standard"])
    with tarfile.open(sdist) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # CPython before 3.11.4 has none
        archive.extractall(unpacked)
    source = unpacked / Path(sdist).name.removesuffix(".tar.gz")
    assert list(WheelBuilder(str(source)).build(directory=str(folder), versions=["standard"]))


@dataclass(frozen=True, slots=True)
class Installation:
    """A fresh virtual environment.

    Attributes:
        latchpin: the path of its command.
        distributions: how many it has.
    """

    latchpin: str
    distributions: list[str]


@pytest.fixture(scope="session")
def install(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Installation]:
    """Install requirements such as ``latchpin[standard]`` as a deployer would; ours come from ``dist`` alone."""
    urls = {name: next(dist.glob(f"{name.replace('-', '_')}-0*.whl")).as_uri() for name in PROJECTS}
    constraints = dist / "constraints.txt"
    constraints.write_text("".join(f"{name} @ {url}\n" for name, url in urls.items()))
    made: dict[tuple[str, ...], Installation] = {}

    def build(*requirements: str) -> Installation:
        if requirements not in made:
            folder = tmp_path_factory.mktemp("venv")
            python = folder / "bin" / "python"
            uv("venv", "--quiet", "--clear", "--python", sys.executable, folder)
            wanted = [f"{each} @ {urls[each.partition('[')[0]]}" for each in requirements]
            uv("pip", "install", "--quiet", "--python", python, "--constraint", constraints, *wanted)
            names = uv("pip", "freeze", "--python", python).split("\n")
            made[requirements] = Installation(str(folder / "bin" / "latchpin"), [name for name in names if name])
        return made[requirements]

    return build
