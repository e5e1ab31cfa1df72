"""How a plugin's commands are reached from the command line."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Command"]


@dataclass(frozen=True, slots=True)
class Command:
    """A command, or a group of them, that is loaded when somebody uses it: the list of all commands needs no more.

    Attributes:
        name: the word after ``latchpin``, in lower case. No other plugin may offer it.
        about: what it does, in one line of ``latchpin --help``; the first line of its own help.
        app: where its Typer app is, as ``package.module:attribute``. An app that has this name is a group; any other
            has a command, or a group, of this name in it.
    """

    name: str
    about: str
    app: str
