"""The old name of fixtures that are shared now."""

from tests.support.fixtures import environment, gateway, log, provider

__all__ = ["environment", "gateway", "log", "provider"]
