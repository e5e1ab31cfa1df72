"""How a gateway is opened to find out what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic_settings import BaseSettings

__all__ = ["Looking"]


@dataclass(slots=True)
class Looking:
    """How a gateway is opened to find out what is wrong with it.

    Attributes:
        read: reads the settings of each part, whatever is wrong with them.
        failed: why parts that work side by side did not open; the others did.
    """

    read: Callable[[type[BaseSettings]], BaseSettings]
    failed: list[Exception] = field(default_factory=list)
