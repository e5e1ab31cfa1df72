"""What a program with sessions can be asked, and which version it speaks: all that its sessions differ in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from latchpin.sdk.mcp import SESSIONS

__all__ = ["EVERYTHING", "NOTHING", "Profile"]

_LETTERS = {"f": ("elicitation", "form"), "u": ("elicitation", "url"), "s": ("sampling", None), "r": ("roots", None)}
"""Each capability, and a part of it, by a letter."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of program.

    Attributes:
        version: of the protocol, one with sessions.
        letters: what it can be asked, a letter each.
    """

    version: str
    letters: str = ""

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """The profile of a program by its ``initialize``; it gets the newest version where it names none of ours."""
        asked = params.get("protocolVersion")
        capabilities = params.get("capabilities")
        declared = capabilities if isinstance(capabilities, dict) else {}
        letters = "".join(letter for letter, place in _LETTERS.items() if _declares(declared, *place))
        return cls(asked if asked in SESSIONS else SESSIONS[-1], letters)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The profile that ``str`` wrote. Raises ValueError: it did not."""
        version, _, letters = text.partition(" ")
        if version not in SESSIONS or not set(letters) <= _LETTERS.keys():
            raise ValueError("no profile")
        return cls(version, letters)

    def __str__(self) -> str:
        return f"{self.version} {self.letters}"

    @property
    def opens_links(self) -> bool:
        """It asks its person to open links."""
        return "u" in self.letters

    def capabilities(self) -> dict[str, Any]:
        """As ``initialize`` declares them."""
        declared: dict[str, Any] = {}
        for letter in self.letters:
            name, part = _LETTERS[letter]
            declared.setdefault(name, {}).update({} if part is None else {part: {}})
        return declared


NOTHING = Profile(SESSIONS[-1])
"""Of who cannot be asked anything: programs of 2026-07-28, which are asked in other ways."""

EVERYTHING = Profile(SESSIONS[-1], "".join(_LETTERS))
"""In whose name lists are asked for: some servers offer a tool only to who can be asked what it asks."""


def _declares(declared: Mapping[str, Any], name: str, part: str | None) -> bool:
    """An empty ``elicitation`` means forms alone (2025-11-25, elicitation, capabilities)."""
    value = declared.get(name)
    if not isinstance(value, dict):
        return False
    return part is None or isinstance(value.get(part), dict) or (part == "form" and not value)
