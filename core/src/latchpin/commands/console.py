"""How commands speak: results on stdout, everything else on stderr, tables for people and JSON for programs."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from rich.console import Console
from rich.markup import escape

from latchpin.application import Application
from latchpin.assembly import assemble, select_stores
from latchpin.configuration import CoreSettings
from latchpin.errors import SettingsError
from latchpin.plugins import Plugins
from latchpin.settings import load

__all__ = ["err", "opened", "out", "print_json", "run"]

ResultT = TypeVar("ResultT")

PIPE_WIDTH = 200
"""Columns of a table that nobody's terminal limits."""

out = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
err = Console(stderr=True)


def print_json(value: object) -> None:
    """Print for programs: one JSON value, never wrapped or coloured."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def say(text: str) -> None:
    """A word for people, on stderr."""
    err.print(escape(text), highlight=False, soft_wrap=True)


def run(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a command's asynchronous part."""
    return asyncio.run(work)


@asynccontextmanager
async def opened() -> AsyncIterator[Application]:
    """The gateway's services, opened for one command beside a gateway that may be serving.

    Raises:
        SettingsError: the records live in a serving process's memory, where no other process can reach them.
    """
    plugins, settings = Plugins(), load(CoreSettings)
    plugins.require_sound()
    record = select_stores(plugins, settings).record
    if not record.shared:
        raise SettingsError(
            f"RECORD_STORE is {record.name}: the records live in the serving process, out of reach",
            remedy="Use CACHE_TYPE=database or redis; with memory, set JWT_SECRET_KEY and use the HTTP API.",
        )
    async with assemble(plugins, settings) as services:
        yield Application(services)
