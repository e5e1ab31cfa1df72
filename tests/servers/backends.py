"""What makes a gateway run on each backend, and how to tell afterwards that it really did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["BACKENDS", "DISTRIBUTIONS", "GatewayBackend"]

BACKENDS = ("memory", "sqlite", "postgres", "redis")

DISTRIBUTIONS: Mapping[str, str] = {
    "memory": "latchpin_memory_store",
    "sqlite": "latchpin_sql_store",
    "postgres": "latchpin_sql_store",
    "redis": "latchpin_redis_store",
}
"""The import name of the plugin that each backend needs."""


@dataclass(frozen=True, slots=True)
class GatewayBackend:
    """One backend for one test: empty, and this test's alone.

    Attributes:
        name: one of ``BACKENDS``.
        environment: CACHE_TYPE, RECORD_STORE and, where it has one, the store's URL.
        shared: whether several processes see the same data.
        label: how the gateway's log names it, as in "Stored OAuth state in Redis".
    """

    name: str
    environment: Mapping[str, str]
    shared: bool
    label: str
