"""The gateway in the test's process, with a provider; see ``tests.callback``."""

from __future__ import annotations

from tests.callback.conftest import environment, gateway, log, provider

__all__ = ["environment", "gateway", "log", "provider"]
