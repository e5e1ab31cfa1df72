"""One version everywhere, and what the changelog says of it."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_SPEC = importlib.util.spec_from_file_location("release", ROOT / ".ci" / "release.py")
assert _SPEC is not None
assert _SPEC.loader is not None
release = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(release)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The files that say the version, and the changelog, in which something is unreleased also after a release."""
    for file in [*release.files(ROOT), ROOT / "CHANGELOG.md"]:
        copy = tmp_path / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    changelog = tmp_path / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("## [Unreleased]\n", "## [Unreleased]\n\n- Something.\n", 1))
    return tmp_path


def current_version() -> str:
    found = re.search(r'^version = "(.*)"', (ROOT / "core/pyproject.toml").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def test_all_say_one_version_now():
    assert [each for each in release.find_differences(ROOT, current_version()) if "CHANGELOG" not in each] == []


def test_a_version_is_written_into_all_of_them(tree, capsys):
    assert release.main(["check", "v7.8.9"], tree) == 1
    assert f"core/pyproject.toml says {current_version()}, not 7.8.9" in capsys.readouterr().out
    assert release.main(["set", "7.8.9"], tree) == 0
    assert release.main(["check", "v7.8.9"], tree) == 0
    for pyproject in [each for each in release.files(tree) if each.name == "pyproject.toml"]:
        text = pyproject.read_text()
        assert 'version = "7.8.9"' in text
        assert not re.search(r'"latchpin[^"]*==(?!7\.8\.9")', text), pyproject


def test_what_was_unreleased_becomes_the_version_s_notes(tree, capsys):
    before = (tree / "CHANGELOG.md").read_text()
    release.main(["set", "7.8.9rc1"], tree)
    release.main(["set", "7.8.9rc1"], tree)
    after = (tree / "CHANGELOG.md").read_text()
    assert after.count("## [7.8.9rc1] - ") == 1
    assert after.index("## [Unreleased]") < after.index("## [7.8.9rc1]")
    assert release.main(["notes", "v7.8.9rc1"], tree) == 0
    notes = capsys.readouterr().out
    assert notes.strip() == before.split("## [Unreleased]\n")[1].split("\n## [")[0].strip()
    assert release.main(["notes", "1.1.1"], tree) == 1


@pytest.mark.parametrize("wrong", ["latest", "1", "v1.2", "1.2.3; rm -rf /", "1.2.3.dev1"])
def test_what_is_no_version_is_refused(wrong, tree, capsys):
    with pytest.raises(SystemExit):
        release.main(["set", wrong], tree)
    assert "is no version" in capsys.readouterr().err
