"""What the core keeps, on databases."""

import pytest
from latchpin_sql_store import plugin

from tests.records.audit_rules import AuditRules
from tests.records.flows_rules import FlowRules
from tests.records.kept_rules import KeptRules
from tests.records.opened import SharedPieces
from tests.records.tools_rules import ToolRules
from tests.sql_store.test_contracts import OnPostgres, OnSqlite


class TestPiecesOnSqlite(OnSqlite, SharedPieces, AuditRules, FlowRules, KeptRules, ToolRules):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_record_store()


class TestPiecesOnPostgres(OnPostgres, SharedPieces, AuditRules, FlowRules, KeptRules, ToolRules):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_record_store()
