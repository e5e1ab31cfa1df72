"""The matrix's own honesty: a cell whose backend was not used fails, and what is outside a cell is not run."""

from pathlib import Path

import pytest

from tests.servers.selection import THIRDS, Cell, in_third, missing_imports, parse_backends

ROOT = Path(__file__).parents[2]
pytest_plugins = ["pytester"]

USES_SQLITE = """
import sqlite3

def test_opens_it(backend) -> None:
    with sqlite3.connect(backend.environment["DATABASE_URL"].removeprefix("sqlite:///")) as connection:
        connection.execute("CREATE TABLE t (n)")
    connection.close()
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with this repository's conftest and servers and tests of its own."""
    tests = pytester.mkdir("tests")
    (tests / "__init__.py").touch()
    (tests / "conftest.py").symlink_to(ROOT / "tests" / "conftest.py")
    for name in ("servers", "support"):
        (tests / name).symlink_to(ROOT / "tests" / name)
    pytester.makeini("[pytest]\npythonpath = .\naddopts = -p no:valkey --import-mode=importlib\nasyncio_mode = auto\n")
    return pytester


def run(project: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    (project.path / "tests" / "test_it.py").write_text(source)
    return project.runpytest_subprocess("tests/test_it.py", *options)


def test_a_run_whose_backend_was_used_passes(project: pytest.Pytester) -> None:
    result = run(project, USES_SQLITE, "--backends", "sqlite")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*really used by passing tests: sqlite in 1*"])
    assert result.ret == pytest.ExitCode.OK


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("def test_never_opens_it(backend): pass", "backend sqlite: 0 tests"),
        ("def test_does_not_ask(): pass", "backend sqlite: 0 tests"),
        (USES_SQLITE + "    raise AssertionError\n", "backend sqlite: 0 tests"),
    ],
)
def test_a_run_whose_backend_was_not_used_fails(project: pytest.Pytester, source: str, complaint: str) -> None:
    result = run(project, source, "--backends", "sqlite")
    result.stdout.fnmatch_lines([f"FAILED {complaint}*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_the_check_holds_over_several_worker_processes(project: pytest.Pytester) -> None:
    source = USES_SQLITE + USES_SQLITE.replace("opens_it", "opens_it_too")
    result = run(project, source, "--backends", "sqlite", "--backend-minimum", "2", "-n", "2")
    result.stdout.fnmatch_lines(["*really used by passing tests: sqlite in 2*"])
    assert result.ret == pytest.ExitCode.OK


def test_tests_of_other_backends_are_deselected_and_not_skipped(project: pytest.Pytester) -> None:
    source = USES_SQLITE + (
        "import pytest\n"
        "def test_postgres(database_url): raise AssertionError\n"
        "def test_redis(redis_server): raise AssertionError\n"
        "@pytest.mark.parametrize('url', ['database_url'])\n"
        "def test_by_parameter(url, request): request.getfixturevalue(url)\n"
        "@pytest.mark.backends('redis')\n"
        "def test_redis_gateway(backend): raise AssertionError\n"
        "@pytest.mark.needs('no_such_package')\n"
        "def test_other(): raise AssertionError\n"
    )
    result = run(project, source, "--backends", "sqlite")
    result.assert_outcomes(passed=1, deselected=5)
    assert result.ret == pytest.ExitCode.OK


def test_a_run_about_backends_leaves_out_what_is_about_none(project: pytest.Pytester) -> None:
    source = USES_SQLITE + "def test_arithmetic(): raise AssertionError\n"
    run(project, source, "--backends", "sqlite", "--about-backends").assert_outcomes(passed=1, deselected=1)
    run(project, source, "--backends", "sqlite").assert_outcomes(passed=1, failed=1)


def test_the_rest_leaves_out_what_the_cell_of_one_backend_runs(project: pytest.Pytester) -> None:
    source = USES_SQLITE + (
        "import pytest\n"
        "def test_arithmetic(): pass\n"
        "def test_both(sqlite_url, redis_url): raise AssertionError\n"
        "@pytest.mark.needs('pytest')\n"
        "def test_with_a_package_that_no_such_cell_has(backend): pass\n"
    )
    result = run(project, source, "--backends", "sqlite", "--the-rest", "--backend-minimum", "0")
    result.assert_outcomes(passed=2, deselected=2)  # "both" belongs to a run that names both


def test_each_file_is_in_one_third_and_the_thirds_are_alike(tmp_path: Path) -> None:
    files = [tmp_path / f"test_{number}.py" for number in range(8)]
    for file in files:
        file.touch()
    found = [[file for file in files if in_third(file, third, tmp_path)] for third in THIRDS]
    assert sorted(file for third in found for file in third) == files
    assert [len(each) for each in found] == [3, 3, 2]


def test_an_unknown_backend_stops_the_run(project: pytest.Pytester) -> None:
    result = run(project, USES_SQLITE, "--backends", "sqlight")
    result.stderr.fnmatch_lines(["*unknown backend 'sqlight'; there are: memory, sqlite, postgres, redis*"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_a_backend_that_is_not_installed_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.servers.selection._installed", lambda name: False)
    with pytest.raises(ValueError, match="backend redis needs latchpin_redis_store"):
        parse_backends("redis")


def test_a_file_needs_what_it_and_our_files_below_it_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.servers.selection._installed", lambda name: name == "redis")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "flow.py").write_text("import redis\nfrom sqlalchemy import text\n")
    test = tmp_path / "tests" / "test_flow.py"
    test.write_text("import os\nfrom tests import flow\nimport latchpin_dcr.plugin\n")
    assert missing_imports(test, tmp_path) == {"sqlalchemy", "latchpin_dcr"}


def test_a_folder_needs_what_its_conftest_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.servers.selection._installed", lambda name: False)
    (tmp_path / "conftest.py").write_text('NEEDS = ("latchpin_dcr",)\n')
    assert missing_imports(tmp_path, tmp_path) == {"latchpin_dcr"}
    (tmp_path / "inner").mkdir()
    assert missing_imports(tmp_path / "inner", tmp_path) == set()


def test_the_minimum_counts_each_named_backend_by_itself() -> None:
    cell = Cell(["redis", "memory"])
    cell.counts["redis"] = 1
    assert cell.complaints(1) == ["backend memory: 0 tests really used it, this run demands 1"]
    assert len(cell.complaints(2)) == 2
    assert not cell.whole
