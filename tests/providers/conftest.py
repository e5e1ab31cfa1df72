"""The providers as fixtures, each fresh for its test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from latchpin_demo.browser import Browser

from tests.providers import FaultSwitch, start_fault_switch


@pytest.fixture
def fault_switch() -> Iterator[FaultSwitch]:
    with start_fault_switch() as switch:
        yield switch


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with Browser() as opened:
        yield opened


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        yield client
