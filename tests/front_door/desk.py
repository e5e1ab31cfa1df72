"""Where the browsers that programs open knock: ``BROWSER`` brings the URL to the test's person."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

__all__ = ["open_desk"]

_KNOCK = """
import socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect({path!r})
    line.sendall(sys.argv[1].encode() + b"\\n")
"""


@asynccontextmanager
async def open_desk(folder: Path, visit: Callable[[str], Awaitable[object]]) -> AsyncIterator[Path]:
    """Give the program to name as ``BROWSER``: each URL that it is started with is visited.

    Args:
        folder: an empty one with a short path, for a local socket.
        visit: what the person does with a URL; where it fails, the block does.
    """

    async def open_url(url: str) -> None:
        await visit(url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        url = (await reader.readline()).decode().strip()
        writer.close()
        visits.create_task(open_url(url))

    path, script, program = folder / "desk", folder / "knock.py", folder / "browser"
    script.write_text(_KNOCK.format(path=str(path)))
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{script}" "$1"\n')
    program.chmod(0o700)
    async with asyncio.TaskGroup() as visits:
        server = await asyncio.start_unix_server(serve, path)
        try:
            yield program
        finally:
            server.close()
