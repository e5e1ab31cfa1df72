"""The gateway in the test's process with a provider that misbehaves; see ``tests.callback``."""

from tests.connections.conftest import connected, environment, gateway, provider

__all__ = ["connected", "environment", "gateway", "provider"]
