"""The gateway in the test's process, as the callback's tests have it."""

from tests.callback.conftest import environment

__all__ = ["environment"]
