"""The gateway's settings, as the callback's tests have them."""

from tests.callback.conftest import environment

__all__ = ["environment"]
