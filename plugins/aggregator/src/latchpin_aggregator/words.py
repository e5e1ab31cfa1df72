"""How one server's answer is put for one program: in the words of its era, with its own name of the request. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from latchpin_mcp.parts import read_members, read_value, replace_parts

from latchpin_aggregator.envelopes import answer_for_modern, answer_for_sessions, dump

__all__ = ["AsItIs", "Asking", "ForModern", "ForSessions", "Renamed", "Words"]

LOG = "notifications/message"

Id = str | int


class Words(Protocol):
    """Puts an answer."""

    streams: bool
    """Nothing in an answer has to be read: it passes in the pieces in which it comes."""
    modern: bool
    """The program speaks 2026-07-28."""

    def piece(self, piece: bytes, *, last: bool) -> bytes:
        """A piece of an answer that streams."""

    def message(self, text: str) -> tuple[str, int | None]:
        """One answer, and the code of the error that it is. Raises ValueError: it cannot be read."""

    def lead(self, value: Mapping[str, Any], text: str) -> str | None:
        """What comes before the answer, a notification or a question; None: it does not pass.

        Raises:
            ValueError: it cannot be read.
        """


class AsItIs:
    """Both speak 2026-07-28: nothing changes."""

    streams, modern = True, True

    def piece(self, piece: bytes, *, last: bool) -> bytes:  # noqa: ARG002  the protocol's
        """The same."""
        return piece

    def message(self, text: str) -> tuple[str, int | None]:
        """The same."""
        return text, None

    def lead(self, value: Mapping[str, Any], text: str) -> str | None:  # noqa: ARG002  the protocol's
        """The same."""
        return text


class Renamed:
    """Both have sessions: only the request's id is another, which nobody can guess, so that it is found as it is.

    Args:
        there: the id at the server.
        here: the caller's.
    """

    streams, modern = True, False

    def __init__(self, there: str, here: Id) -> None:
        self._there = f'"{there}"'.encode()
        self._here = dump(here).encode()
        self._held = b""

    def piece(self, piece: bytes, *, last: bool) -> bytes:
        """With the caller's id; what may be the beginning of the other waits for the next piece."""
        text = (self._held + piece).replace(self._there, self._here)
        keep = 0 if last else _overlap(text, self._there)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def message(self, text: str) -> tuple[str, int | None]:
        """With the caller's id."""
        return text.replace(self._there.decode(), self._here.decode()), None

    def lead(self, value: Mapping[str, Any], text: str) -> str | None:  # noqa: ARG002  the protocol's
        """The same."""
        return text


class Asking(Renamed):
    """The same, for a program that can be asked something: a question gets a name that leads back to its server.

    Args:
        there, here: as before.
        name: makes the name from the id that the question has at its server.
    """

    streams = False

    def __init__(self, there: str, here: Id, name: Callable[[Id], str]) -> None:
        super().__init__(there, here)
        self._name = name

    def lead(self, value: Mapping[str, Any], text: str) -> str | None:
        """A question with its name; a notification as it is."""
        if "id" not in value:
            return text
        if not isinstance(value["id"], str | int):
            return None
        whole = read_value(text)
        return replace_parts(text, whole, [(read_members(text, whole)["id"], dump(self._name(value["id"])))])


class ForModern:
    """The program speaks 2026-07-28, the server has sessions.

    Args:
        method: of the request.
        here: its id.
        logs: the program wants log messages: it has to say so in each request.
    """

    streams, modern = False, True

    def __init__(self, method: str, here: Id, *, logs: bool) -> None:
        self._method = method
        self._here = here
        self._logs = logs

    def piece(self, piece: bytes, *, last: bool) -> bytes:
        """Never: each message is read."""
        raise NotImplementedError

    def message(self, text: str) -> tuple[str, int | None]:
        """The answer in the program's words."""
        return answer_for_modern(text, method=self._method, id=self._here)

    def lead(self, value: Mapping[str, Any], text: str) -> str | None:
        """No question: it was said that the program cannot be asked."""
        return None if "id" in value or (value.get("method") == LOG and not self._logs) else text


class ForSessions:
    """The program has sessions, the server speaks 2026-07-28."""

    streams, modern = False, False

    def __init__(self, here: Id) -> None:
        self._here = here

    def piece(self, piece: bytes, *, last: bool) -> bytes:
        """Never: each message is read."""
        raise NotImplementedError

    def message(self, text: str) -> tuple[str, int | None]:
        """The answer in the program's words."""
        return answer_for_sessions(text, id=self._here), None

    def lead(self, value: Mapping[str, Any], text: str) -> str | None:
        """No question, as before."""
        return None if "id" in value else text


def _overlap(text: bytes, word: bytes) -> int:
    """How many bytes at the end of ``text`` may be the beginning of ``word``."""
    for length in range(min(len(word) - 1, len(text)), 0, -1):
        if text.endswith(word[:length]):
            return length
    return 0
