"""``latchpin plugin new`` writes a distribution of each kind whose own tests pass at once."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from latchpin.commands.command_line import build
from latchpin.errors import SettingsError
from latchpin_scaffold.writing import KINDS, write_plugin
from typer.testing import CliRunner

pytestmark = pytest.mark.needs("latchpin_memory_store")
ROOT = Path(__file__).resolve().parents[2]


def stand_in_for_pip(made):
    """What an installation leaves: metadata with the entry point, and the sources on the path."""
    info = made / "installed" / "acme_vault-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-vault\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[latchpin]\nacme_vault = acme_vault.plugin\n")
    return os.pathsep.join([str(info.parent), str(made / "src")])


@pytest.mark.parametrize("page", ["docs/plugins.md", "plugins/scaffold/README.md"])
def test_pages_name_each_kind(page):
    text = (ROOT / page).read_text()
    assert [kind for kind in KINDS if f"`{kind}`" not in text] == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_passes_its_own_tests(kind, tmp_path):
    ended = CliRunner().invoke(build(), ["plugin", "new", kind, "acme-vault", "--folder", str(tmp_path)])
    assert ended.exit_code == 0, ended.output
    made = tmp_path / "acme-vault"
    assert f"cd {made}" in ended.output
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=made,
        env=os.environ | {"PYTHONPATH": stand_in_for_pip(made)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout
    assert "skipped" not in run.stdout


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        ("store", "acme", "'store' is no kind of plugin"),
        ("signer", "Acme", "'Acme' cannot be the name"),
        ("signer", "json", "'json' cannot be the name"),
        ("signer", "latchpin-mine", "'latchpin-mine' cannot be the name"),
        ("signer", "there", "is there already"),
    ],
)
def test_what_cannot_be_written_is_said(kind, name, told, tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(SettingsError, match=told) as caught:
        write_plugin(kind, name, tmp_path)
    assert caught.value.remedy
    assert list(tmp_path.iterdir()) == [tmp_path / "there"]


def test_a_serving_process_loads_no_test_runner():
    [point] = entry_points(group="latchpin", name="scaffold")
    code = f"import sys, {point.module}; sys.exit('pytest' in sys.modules or 'typer' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
