"""The demo's gateway: ``latchpin serve`` in a process of its own, as a deployer would run it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import deque
from collections.abc import AsyncIterator
from http import HTTPStatus

import httpx

__all__ = ["GatewayProcess", "serving_gateway"]

_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
_TICK_SECONDS = 0.05
_KEPT_LINES = 30


class GatewayProcess:
    """A running gateway.

    Attributes:
        ended: done when the process has ended.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._reader = asyncio.create_task(self._read())
        self.ended = asyncio.create_task(process.wait())

    async def wait_until_healthy(self, base_url: str) -> None:
        """Ask ``/health`` until it answers.

        Raises:
            RuntimeError: the process ended, or there is no answer after a minute.
        """
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
            while asyncio.get_running_loop().time() < deadline:
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(f"{base_url}/health")).status_code == HTTPStatus.OK:
                        return
                await asyncio.wait({self.ended}, timeout=_TICK_SECONDS)
                if self.ended.done():
                    raise RuntimeError(await self.explain_end())
        raise RuntimeError(f"It did not answer within {_START_SECONDS:g} seconds.")

    async def explain_end(self) -> str:
        """Say how the process ended, with the end of what it wrote."""
        await self._reader
        return f"It ended with exit code {self.ended.result()}. It said:\n" + "\n".join(self._lines)

    async def stop(self) -> None:
        """End it: by asking, then by force."""
        if not self.ended.done():
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await asyncio.shield(self.ended)
        except (TimeoutError, asyncio.CancelledError):
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            raise
        finally:
            await self.ended
            await self._reader

    async def _read(self) -> None:
        """Keep the last lines in memory only: the first start's login link is among them."""
        assert self._process.stdout is not None  # noqa: S101  a pipe was asked for
        async for line in self._process.stdout:
            self._lines.append(line.decode(errors="replace").rstrip())


@contextlib.asynccontextmanager
async def serving_gateway(*arguments: str) -> AsyncIterator[GatewayProcess]:
    """Run ``latchpin serve``, or what ``arguments`` say, with the working folder's settings until the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "latchpin",
        *(arguments or ("serve",)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    gateway = GatewayProcess(process)
    try:
        yield gateway
    finally:
        await gateway.stop()
