"""A gateway in the test's process and a provider with a switch at each endpoint, as the callback's tests have them."""

from tests.callback.conftest import environment, gateway, log, provider

__all__ = ["environment", "gateway", "log", "provider"]
