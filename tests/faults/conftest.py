"""The gateway in the test's process with a provider that misbehaves, and whole rigs; see ``tests.callback``."""

from __future__ import annotations

from tests.callback.conftest import environment, gateway, log, provider
from tests.flow.conftest import fault_switch

__all__ = ["environment", "fault_switch", "gateway", "log", "provider"]
