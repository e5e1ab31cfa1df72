"""How commands speak (results on stdout, everything else on stderr, JSON for programs), and what they open."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from latchpin.commands.tables import UNLIMITED, width_of_output
from latchpin.plugins.hookspecs import CLIENT_REGISTRAR, EVENT_LISTENERS, GRANTS, IDENTITY_ASSERTIONS, Hook

if TYPE_CHECKING:
    from latchpin.application import Application
    from latchpin.contracts import StateStore

__all__ = ["TO_SERVERS", "confirm", "err", "opened", "opened_states", "out", "print_json", "run", "say"]

ResultT = TypeVar("ResultT")
UNANSWERED = 2
"""As where an option is missing."""

out = Console(width=width_of_output() or UNLIMITED)
err = Console(stderr=True)


def print_json(value: object) -> None:
    """Print for programs: one JSON value, never wrapped or coloured."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def say(text: str) -> None:
    """A word for people, on stderr."""
    err.print(escape(text), highlight=False, soft_wrap=True)


def confirm(question: str) -> None:
    """Ask before what cannot be taken back, on stderr; the command ends unless the answer is yes.

    The command has the option ``--yes``, with which it does not ask. Where nobody answers, as without a terminal, that
    is said, and the exit code is ``UNANSWERED``.

    Raises:
        typer.Exit: nobody can be asked.
        typer.Abort: the answer is no, or Ctrl-C.
    """
    if not _is_answered(question):
        raise typer.Abort


def _is_answered(question: str) -> bool:
    """The answer; a line that a pipe holds is one too."""
    try:
        if sys.stdin is not None:
            return typer.confirm(question, err=True)
    except typer.Abort:
        if sys.stdin.isatty():
            raise
    say("\nNothing was changed: nobody can be asked here. Run it again with --yes.")
    raise typer.Exit(UNANSWERED)


def run(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a command's asynchronous part."""
    return asyncio.run(work)


TO_SERVERS = (CLIENT_REGISTRAR, GRANTS, IDENTITY_ASSERTIONS, EVENT_LISTENERS)
"""What a command needs of ``SIDE_BY_SIDE`` that speaks to a gateway's servers."""


def opened(*hooks: Hook[Any], states: bool = False) -> AbstractAsyncContextManager[Application]:
    """The record store and what stands on it, opened for one command beside a gateway that may be serving.

    Args:
        hooks: of ``hookspecs.SIDE_BY_SIDE``, which the command needs. Nothing else is opened, the state store neither:
            a part that is broken or away stops no command that has no use for it.
        states: the command needs the state store too.

    Raises:
        SettingsError: the records live in a serving process's memory, where no other process can reach them.
    """
    from latchpin.commands.opening import open_application  # noqa: PLC0415  all of the gateway

    return open_application(*hooks, states=states)


def opened_states() -> AbstractAsyncContextManager[StateStore]:
    """The state store, opened for one command.

    Raises:
        SettingsError: the states live in a serving process's memory.
        StateStorageDisabled: CACHE_TYPE is none.
    """
    from latchpin.commands.opening import open_states  # noqa: PLC0415  all of the gateway

    return open_states()
