"""Authorization servers and MCP servers of different makes, real ones, for tests of the whole flow.

Each ``start_...`` is a context manager that serves on a free loopback port and gives a ``Provider``;
``sign_in`` takes a browser through the pages of any of them.
"""

from tests.providers.clients import PlainClient
from tests.providers.faults import Asked, FaultSwitch, start_fault_switch
from tests.providers.servers import Provider, sign_in, start_demo_provider, start_sdk_provider

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
