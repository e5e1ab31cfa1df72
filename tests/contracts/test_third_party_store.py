"""The example store, by "somebody else" and installed as a distribution of its own, keeps the contract."""

import ast
import sqlite3
from importlib.metadata import distribution
from pathlib import Path

import pytest
from latchpin.errors import BackendUnavailable
from latchpin_testing import RecordStoreContract, SharedStateStoreContract, SuiteContext

pytestmark = pytest.mark.needs("acme_file_store")


class InAFile:
    @pytest.fixture(autouse=True)
    def without_waiting_for_the_disk(self, monkeypatch):
        """No test takes the power away, and some begin more than a thousand transactions."""
        connect = sqlite3.connect

        def connect_without_sync(*arguments, **options):
            connection = connect(*arguments, **options)
            connection.execute("PRAGMA synchronous = OFF")
            return connection

        monkeypatch.setattr(sqlite3, "connect", connect_without_sync)

    @pytest.fixture
    def settings(self, offer, tmp_path):
        return offer.settings(acme_file=tmp_path / "acme.db")

    async def stored_bytes(self, store, settings):
        return b"".join(path.read_bytes() for path in settings.acme_file.parent.iterdir())


class TestStates(InAFile, SharedStateStoreContract):
    @pytest.fixture
    def offer(self):
        from acme_file_store import plugin

        return plugin.latchpin_state_store()


class TestRecords(InAFile, RecordStoreContract):
    @pytest.fixture
    def offer(self):
        from acme_file_store import plugin

        return plugin.latchpin_record_store()


def test_it_is_found_as_any_plugin_is():
    (entry,) = distribution("acme-latchpin-file-store").entry_points.select(group="latchpin")
    assert entry.load().latchpin_state_store().name == "acme-file"


async def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path):
    from acme_file_store import plugin

    offer = plugin.latchpin_state_store()
    async with SuiteContext() as context, offer.open(offer.settings(acme_file=tmp_path / "x"), context) as store:
        (tmp_path / "x").unlink()
        (tmp_path / "x").mkdir()
        with pytest.raises(BackendUnavailable, match="unable to open database file"):
            await store.check()


def test_it_is_short():
    """The page about writing a store promises some sixty lines: of code, without comments, imports and blank lines."""
    from acme_file_store import plugin, settings, store

    statements = {
        (module.__name__, node.lineno)
        for module in (plugin, settings, store)
        for node in ast.walk(ast.parse(Path(module.__file__).read_text()))
        if isinstance(node, ast.stmt) and not isinstance(node, ast.Import | ast.ImportFrom) and not _is_text(node)
    }
    assert len(statements) <= 60


def _is_text(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
