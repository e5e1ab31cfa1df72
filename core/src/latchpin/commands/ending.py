"""How a command that runs until it is told to end is told: by a signal, or because nobody reads it any more."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

__all__ = ["until_told"]

LOOK_SECONDS = 1.0
"""Between two looks at whether somebody still reads."""


async def until_told(work: Coroutine[Any, Any, None]) -> bool:
    """Run ``work`` to its end, or until SIGINT, SIGTERM or SIGHUP comes or nobody reads standard output any more.

    A shell without job control starts what it puts into the background with SIGINT ignored, and ``nohup`` does so with
    SIGHUP: that is respected. SIGTERM always ends it.

    Returns:
        Whether it was told to end.
    """
    task = asyncio.ensure_future(work)
    reader = asyncio.create_task(_reader_left())
    with _signals(task):
        await asyncio.wait({task, reader}, return_when=asyncio.FIRST_COMPLETED)
        for each in (task, reader):
            each.cancel()
        await asyncio.wait({task, reader})
    if task.cancelled():
        return True
    try:
        task.result()
    except BrokenPipeError:
        _write_to_nobody()
        return True
    return False


@contextmanager
def _signals(task: asyncio.Future[None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    wanted = [getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)]
    heard = [signal.SIGTERM, *(number for number in wanted if signal.getsignal(number) is not signal.SIG_IGN)]
    for number in heard:
        loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        for number in heard:
            loop.remove_signal_handler(number)


async def _reader_left() -> None:
    """Wait until the other end of standard output is closed; for ever where it has none."""
    poll = select.poll()
    with suppress(AttributeError, OSError, ValueError):  # no standard output, or none of the system's
        poll.register(sys.stdout.fileno(), 0)  # an error or a hang-up is always reported
    while not poll.poll(0):  # noqa: ASYNC110  the system tells no loop of it
        await asyncio.sleep(LOOK_SECONDS)
    _write_to_nobody()


def _write_to_nobody() -> None:
    """What is still in the buffer would be one more failure at the very end."""
    with suppress(AttributeError, OSError, ValueError):
        nobody = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nobody, sys.stdout.fileno())
        os.close(nobody)
