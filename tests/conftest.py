"""Options that choose a run's backends, fixtures that give real servers, and the check that they were used.

pytest --backends memory,sqlite      only these; without the option: all, and nothing is demanded
@pytest.mark.backends("postgres", "redis")   restricts the ``backend`` fixture of a test
@pytest.mark.needs("latchpin_dcr")           the test belongs to runs where that package is installed
"""

from __future__ import annotations

import gc
import importlib.util
import signal
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, strategies
from latchpin.model import PendingAuthorization

from tests.servers import GatewayBackend, PostgresServer, RedisServer
from tests.servers.selection import (
    BACKENDS,
    INSTALLING,
    PLUGIN_FOLDERS,
    SEPARATE,
    THIRDS,
    Cell,
    backends_of,
    in_third,
    missing_imports,
    needed_by,
    parse_backends,
    runs_alone,
)

pytest_plugins = ["tests.support.fixtures"]

CELL: pytest.StashKey[Cell] = pytest.StashKey()
PASSED: pytest.StashKey[bool] = pytest.StashKey()
NOT_HERE = "none of this run's backends"


def hear_signals() -> None:
    """Give what the tests start the default answer to signals.

    A shell without job control ignores SIGINT in what it puts into the background, ``nohup`` ignores SIGHUP, and
    children inherit that: a test that sends one would wait for ever.
    """
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def miss_at_once() -> None:
    """Have it known that sniffio is not installed: httpx asks for it before each request, and Python looks everywhere.

    With each distribution's folder on the path that takes as long as the rest of the request.
    """
    if importlib.util.find_spec("sniffio") is None:
        sys.modules["sniffio"] = None  # type: ignore[assignment]


hear_signals()
miss_at_once()
gc.disable()  # until everything is collected: imports and thousands of tests leave next to no garbage


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("latchpin")
    group.addoption("--backends", default="", help="comma-separated, of: " + ", ".join(BACKENDS))
    group.addoption("--third", choices=THIRDS, help="every third test file; three runs together have them all")
    group.addoption("--about-backends", action="store_true", help="leave out tests that are about no backend or plugin")
    group.addoption("--the-rest", action="store_true", help="leave out what the cells of single backends run")
    group.addoption("--backend-minimum", type=int, default=1, help="tests that must really use each named backend")


hypothesis.settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis.settings.load_profile("unhurried")  # other work may share the cores


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "backends(*names): restrict the backend fixture to these")
    config.addinivalue_line("markers", "slow: not part of `make check`")
    config.addinivalue_line("markers", "needs(*packages): only where these are installed")
    try:
        config.stash[CELL] = Cell(parse_backends(config.getoption("--backends")))
    except ValueError as exc:
        raise pytest.UsageError(str(exc)) from None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out folders with an environment of their own, and files whose packages this run does not have."""
    tests = config.rootpath / "tests"
    if not collection_path.is_relative_to(tests) or collection_path == tests:
        return None
    folder = tests / collection_path.relative_to(tests).parts[0]
    if folder.name in SEPARATE and not any(folder in _named(argument) for argument in config.args):
        return True
    if collection_path.name.startswith("test_") and not in_third(collection_path, config.getoption("--third"), tests):
        return True
    if not (missing := missing_imports(collection_path, config.rootpath)):
        return None
    if config.stash[CELL].whole:
        raise pytest.UsageError(f"{collection_path} needs {', '.join(sorted(missing))}; this run leaves nothing out")
    return True


def _named(argument: str) -> list[Path]:
    path = Path(argument.partition("::")[0]).absolute()
    return [path, *path.parents]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for ``backend`` once with each chosen backend that suits it."""
    if "backend" not in metafunc.fixturenames:
        return
    wanted = {name for mark in metafunc.definition.iter_markers("backends") for name in mark.args} or set(BACKENDS)
    if unknown := wanted - set(BACKENDS):
        raise pytest.UsageError(f"{metafunc.definition.nodeid}: unknown backends {unknown}")
    names = [name for name in metafunc.config.stash[CELL].backends if name in wanted]
    metafunc.parametrize("backend", names or [NOT_HERE], indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what belongs to other runs."""
    belongs = [_belongs(item, config.stash[CELL]) for item in items]
    if outside := [item for item, here in zip(items, belongs, strict=True) if not here]:
        config.hook.pytest_deselected(items=outside)
        items[:] = [item for item, here in zip(items, belongs, strict=True) if here]


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what stays to the end: the imported modules and thousands of tests."""
    # The first property that runs asks the collector who holds its random numbers, and no frozen module answers.
    _any_property()
    gc.freeze()
    gc.enable()


@hypothesis.settings(max_examples=1, database=None)
@hypothesis.given(strategies.none())
def _any_property(_: None) -> None:
    """Hold for everything."""


def _belongs(item: pytest.Item, cell: Cell) -> bool:
    needed = {name for mark in item.iter_markers("needs") for name in mark.args}
    if missing := {name for name in needed if importlib.util.find_spec(name) is None}:
        if cell.whole:
            raise pytest.UsageError(f"{item.nodeid} needs {', '.join(sorted(missing))}; this run leaves nothing out")
        return False
    call = getattr(item, "callspec", None)
    if call is not None and call.params.get("backend") == NOT_HERE:
        return False
    fixtures = {*getattr(item, "fixturenames", ()), *_named_by_parameters(call)}
    about = backends_of(fixtures)
    if item.config.getoption("--the-rest") and _runs_alone(item, about, needed, call):
        return False
    if item.config.getoption("--about-backends") and not about and "backend" not in fixtures:
        return bool(PLUGIN_FOLDERS & set(item.path.parts))
    return about <= set(cell.backends)


def _runs_alone(item: pytest.Item, about: set[str], needed: set[str], call: Any) -> bool:
    """Whether the cell of one backend runs this test too. The main path is gone in every cell."""
    if item.path.name == "test_main_path.py":
        return False
    needed = needed | needed_by(item.path, item.config.rootpath)
    if call is not None and "backend" in call.params:
        about = about | {call.params["backend"]}
    if not about and PLUGIN_FOLDERS & set(item.path.parts):
        return any(runs_alone([backend], needed) for backend in BACKENDS)
    return runs_alone(about, needed)


def _named_by_parameters(call: Any) -> set[str]:
    """Fixtures that a test asks for by a parameter: ``parametrize("url", ["sqlite_url", "database_url"])``."""
    return {value for value in call.params.values() if isinstance(value, str)} if call is not None else set()


# -- the check at the end -----------------------------------------------------------------------------


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Add up what the workers of pytest-xdist saw."""
    node.config.stash[CELL].counts.update(getattr(node, "workeroutput", {}).get("backends", {}))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["backends"] = dict(config.stash[CELL].counts)
    elif _complaints(config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counts = config.stash[CELL].counts
    if counts:
        used = ", ".join(f"{name} in {counts[name]}" for name in BACKENDS if counts[name])
        terminalreporter.write_line(f"backends really used by passing tests: {used}")
    for complaint in _complaints(config):
        terminalreporter.write_line(f"FAILED {complaint}", red=True)


def _complaints(config: pytest.Config) -> list[str]:
    if not config.getoption("--backends") or config.option.collectonly:
        return []
    return config.stash[CELL].complaints(config.getoption("--backend-minimum"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep whether the test passed, for the fixtures that end after it."""
    report = yield
    if report.when == "call":
        item.stash[PASSED] = report.passed
    return report


def _prove(request: pytest.FixtureRequest, backend: str, seen: bool) -> None:
    if seen and request.node.stash.get(PASSED, False):
        request.config.stash[CELL].counts[backend] += 1


# -- a place of its own ---------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty folder, so that no developer's .env is read and no log or database is left behind."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _few_roots(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust one root of our own, quickly read: the system's take longer than most tests, and no test needs them."""
    if not INSTALLING & set(request.path.parts):
        monkeypatch.setenv("SSL_CERT_FILE", request.getfixturevalue("one_certificate"))
        monkeypatch.delenv("SSL_CERT_DIR", raising=False)


# -- real servers -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL of this process's own, started when first asked for."""
    server = PostgresServer()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Valkey of this process's own, started when first asked for."""
    server = RedisServer()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def database_url(postgres: PostgresServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty PostgreSQL database, this test's alone. The test may stop the server."""
    url = postgres.create_database()
    yield url
    postgres.start()
    tables = postgres.execute("SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = 'public'", url=url)
    _prove(request, "postgres", bool(tables))
    postgres.drop_database(url)


@pytest.fixture
def redis_url(redis_server: RedisServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an emptied Redis. The test may stop the server."""
    redis_server.flush()
    yield redis_server.url
    redis_server.start()
    _prove(request, "redis", bool(redis_server.commands_seen()))


@pytest.fixture
def sqlite_url(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an SQLite file that does not exist yet."""
    path = tmp_path / "latchpin.db"
    yield f"sqlite:///{path}"
    _prove(request, "sqlite", path.is_file() and path.read_bytes()[:15] == b"SQLite format 3")


@pytest.fixture(autouse=True)
def _memory_is_watched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """See whether the test puts anything into the memory store: nothing outside the process could tell."""
    if "memory" not in request.config.stash[CELL].backends:
        yield
        return
    from latchpin_memory_store.states import MemoryStateStore

    seen: list[bool] = []
    put = MemoryStateStore.put

    async def watched(store: MemoryStateStore, pending: PendingAuthorization) -> None:
        seen.append(True)
        await put(store, pending)

    monkeypatch.setattr(MemoryStateStore, "put", watched)
    yield
    _prove(request, "memory", bool(seen))


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> GatewayBackend:
    """Each backend of this run in turn, empty: the environment that makes a gateway run on it."""
    name = request.param
    if name == "memory":
        return GatewayBackend(name, {"CACHE_TYPE": "memory", "RECORD_STORE": "memory"}, shared=False, label="memory")
    if name == "redis":
        url = request.getfixturevalue("redis_url")
        environment = {"CACHE_TYPE": "redis", "RECORD_STORE": "redis", "REDIS_URL": url}
        return GatewayBackend(name, environment, shared=True, label="Redis")
    url = request.getfixturevalue("database_url" if name == "postgres" else "sqlite_url")
    environment = {"CACHE_TYPE": "database", "RECORD_STORE": "database", "DATABASE_URL": url}
    return GatewayBackend(name, environment, shared=True, label="database")
