"""Where the drivers knock: a local socket behind which each scenario gets a person of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.conformance.mcp_session import Refused
from tests.conformance.person import Person
from tests.conformance.scenario import Scenario, drive

__all__ = ["open_desk"]

MOST_AT_ONCE = 6
"""The suite starts a part's scenarios all together; a small machine would only switch between them."""


@contextlib.contextmanager
def open_desk(path: Path, base_url: str, bearer_for: Callable[[str | None], str]) -> Iterator[None]:
    """Serve drivers at the socket ``path`` from a thread, until the block ends.

    Args:
        path: of the socket; it must not exist.
        base_url: the gateway's.
        bearer_for: gives what proves the person with that address to the gateway.
    """
    desk = _Desk(base_url, bearer_for)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="desk")
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(asyncio.start_unix_server(desk.serve, path), loop).result()
        yield
        loop.call_soon_threadsafe(server.close)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Desk:
    def __init__(self, base_url: str, bearer_for: Callable[[str | None], str]) -> None:
        self._base_url = base_url
        self._bearer_for = bearer_for
        self._places = asyncio.Semaphore(MOST_AT_ONCE)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one scenario; answer null, or the words of the refusal."""
        scenario = Scenario(**json.loads(await reader.readline()))
        async with self._places, Person(self._base_url, self._bearer_for(scenario.user)) as person:
            refusal = await _refusal(scenario, person)
        writer.write(json.dumps(refusal).encode() + b"\n")
        await writer.drain()
        writer.close()


async def _refusal(scenario: Scenario, person: Person) -> str | None:
    try:
        await drive(scenario, person)
    except Refused as exc:
        return f"{scenario.name}: {exc}"
    except Exception as exc:  # noqa: BLE001  whatever went wrong is the scenario's result, not the end of the run
        return f"{scenario.name}: {type(exc).__name__}: {exc}"
    return None
