"""What the core keeps, on databases."""

import pytest
from latchpin_sql_store import plugin

from tests.records.rules import AuditRules, FlowRules, KeptRules, ToolRules
from tests.records.stores import SharedPieces
from tests.sql_store.test_contracts import OnPostgres, OnSqlite


class TestPiecesOnSqlite(OnSqlite, SharedPieces, AuditRules, FlowRules, KeptRules, ToolRules):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_record_store()


class TestPiecesOnPostgres(OnPostgres, SharedPieces, AuditRules, FlowRules, KeptRules, ToolRules):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_record_store()
