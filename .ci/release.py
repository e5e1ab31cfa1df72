#!/usr/bin/env python3
"""What a release needs of the repository: one version everywhere, and its part of the changelog.

python .ci/release.py set 0.2.0     write the version into every distribution, and close its part of CHANGELOG.md
python .ci/release.py check v0.2.0  say what does not have the version of a tag; exit code 1 if anything
python .ci/release.py notes 0.2.0   print what CHANGELOG.md says of a version
"""

from __future__ import annotations

import argparse
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSION = re.compile(r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?")
"""What PEP 440 allows and we use: a release, or one before it."""
_PLACES = (
    (re.compile(r'^(version = ")([^"]+)(")$', re.MULTILINE), "pyproject.toml"),
    (re.compile(r'("latchpin[a-z-]*(?:\[[a-z,]+\])?==)([^"]+)(")'), "pyproject.toml"),
    (re.compile(r'^(__version__ = ")([^"]+)(")$', re.MULTILINE), "__init__.py"),
    (re.compile(r'^((?:version|appVersion): "?)([^"\n]+)("?)$', re.MULTILINE), "Chart.yaml"),
)
_UNRELEASED = "## [Unreleased]\n"


def files(root: Path) -> list[Path]:
    """Every file that says the version."""
    distributions = [root / "core", *sorted((root / "plugins").iterdir())]
    pyprojects = [each / "pyproject.toml" for each in distributions if (each / "pyproject.toml").is_file()]
    return [*pyprojects, root / "core/src/latchpin/__init__.py", root / "deploy/helm/latchpin/Chart.yaml"]


def write_version(root: Path, version: str, today: str) -> None:
    """Write it everywhere, and give what is unreleased to it."""
    for file in files(root):
        text = file.read_text()
        for pattern, name in _PLACES:
            if file.name == name:
                text = pattern.sub(rf"\g<1>{version}\g<3>", text)
        file.write_text(text)
    changelog = root / "CHANGELOG.md"
    text = changelog.read_text()
    if f"## [{version}]" not in text:
        changelog.write_text(text.replace(_UNRELEASED, f"{_UNRELEASED}\n## [{version}] - {today}\n", 1))


def find_differences(root: Path, version: str) -> list[str]:
    """A sentence for each place that says another version."""
    found = []
    for file in files(root):
        text = file.read_text()
        said = {each[2] for pattern, name in _PLACES if file.name == name for each in pattern.finditer(text)}
        found += [f"{file.relative_to(root)} says {each}, not {version}" for each in sorted(said - {version})]
    if not read_notes(root, version):
        found.append(f"CHANGELOG.md has no part about {version}")
    return found


def read_notes(root: Path, version: str) -> str:
    """What the changelog says of a version; ``""`` where it says nothing."""
    text = (root / "CHANGELOG.md").read_text()
    part = re.search(rf"^## \[{re.escape(version)}\][^\n]*\n(.*?)(?=^## \[|\Z)", text, re.MULTILINE | re.DOTALL)
    return "" if part is None else part[1].strip()


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Do one of the three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["set", "check", "notes"])
    parser.add_argument("version", help="as in 0.2.0; a tag's v in front does not count")
    given = parser.parse_args(arguments)
    version = given.version.removeprefix("v")
    if not VERSION.fullmatch(version):
        parser.error(f"{given.version} is no version such as 0.2.0 or 0.2.0rc1")
    if given.what == "set":
        write_version(root, version, datetime.now(UTC).date().isoformat())
        return 0
    if given.what == "check":
        differences = find_differences(root, version)
        print("\n".join(differences) or f"all say {version}")
        return 1 if differences else 0
    notes = read_notes(root, version)
    print(notes or f"CHANGELOG.md has no part about {version}", file=sys.stdout if notes else sys.stderr)
    return 0 if notes else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
