"""Authorization servers and MCP servers of different makes, real ones, for tests of the whole flow.

Each ``start_...`` is a context manager that serves on a free loopback port and gives a ``Provider``;
``sign_in`` takes a browser through the pages of any of them.
"""

from tests.providers.demo_provider import start_demo_provider
from tests.providers.fault_switch import Asked, FaultSwitch, start_fault_switch
from tests.providers.plain_client import PlainClient
from tests.providers.provider import Provider, sign_in
from tests.providers.sdk_provider import start_sdk_provider

__all__ = [
    "Asked",
    "FaultSwitch",
    "PlainClient",
    "Provider",
    "sign_in",
    "start_demo_provider",
    "start_fault_switch",
    "start_sdk_provider",
]
