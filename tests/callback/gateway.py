"""The old name of ``tests.support.gateway_in_process``."""

from tests.support.gateway_in_process import *  # noqa: F403
