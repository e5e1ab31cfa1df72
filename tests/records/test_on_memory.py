"""What the core keeps, on the memory store."""

import pytest
from latchpin_memory_store import plugin

from tests.records.audit_rules import AuditRules
from tests.records.flows_rules import FlowRules
from tests.records.kept_rules import KeptRules
from tests.records.tools_rules import ToolRules


class TestPiecesOnMemory(AuditRules, FlowRules, KeptRules, ToolRules):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_record_store()
