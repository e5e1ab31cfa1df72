"""The root of the tree of failures."""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "LatchpinError",
]


class LatchpinError(Exception):
    """The root of the tree.

    Class attributes are what is true of every such failure; the constructor takes what is true of this
    one. ``code`` is the stable slug: it names the cause in problem answers, logs and the docs. Whoever has
    written it to the log sets ``logged``, so that the web does not do it again, and ``flow_id`` where the
    failure belongs to a known flow.

    Args:
        detail: what happened, in one sentence, with this case's own facts.
        public: overrides the text that anybody may read.
        hint: what only the log is told.
        remedy: overrides the one action that mends it.
    """

    code: ClassVar[str] = "internal"
    status: int = 500
    title: ClassVar[str] = "Something went wrong"
    public: str = "The gateway could not do this."
    remedy: str = "Look for the flow id in the gateway's log."
    logged: bool = False
    flow_id: str | None = None

    def __init__(
        self,
        detail: str = "",
        *,
        public: str | None = None,
        hint: str = "",
        remedy: str | None = None,
    ) -> None:
        self.detail = detail
        self.hint = hint
        if public is not None:
            self.public = public
        if remedy is not None:
            self.remedy = remedy
        super().__init__(detail or self.public)
