"""The root of the tree of failures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

from latchpin.errors.causes import Cause
from latchpin.errors.causes.installation import INTERNAL

__all__ = [
    "LatchpinError",
]

_SAID = {"slug": "code", "status": "status", "title": "title", "public": "public", "remedy": "remedy"}
"""What an error takes from its cause, and what it is called there."""


class LatchpinError(Exception):
    """The root of the tree.

    A class names its ``cause``, which is where its code, status and texts come from; a class of a plugin may give
    those instead, and then has a cause made of them. One error may be a narrower case: ``explain_as`` says which.
    The constructor takes what is true of this one. ``code`` is the cause's slug: it names it in problem answers,
    logs and the docs. Whoever has written it to the log sets ``logged``, so that the web does not do it again, and
    ``flow_id`` where the failure belongs to a known flow. ``operator_remedy`` is the action of who runs the gateway
    where it is another than a caller's: it may name hosts and files, so it goes to the terminal, the log and doctor
    only. ``return_to`` is the path of ours where the person's browser may go on nevertheless. ``shows_detail`` says
    whether who asks may read the detail; where it is None, callers' and upstream errors do.

    Args:
        detail: what happened, in one sentence, with this case's own facts.
        public: overrides the text that anybody may read.
        hint: what only the log is told.
        remedy: overrides the one action that mends it.
    """

    cause: Cause = INTERNAL
    code: str = INTERNAL.slug
    status: int = INTERNAL.status
    title: str = INTERNAL.title
    public: str = INTERNAL.public
    remedy: str = INTERNAL.remedy
    shows_detail: bool | None = None
    operator_remedy: str = ""
    logged: bool = False
    flow_id: str | None = None
    gateway_id: str | None = None
    return_to: str = ""

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

    def __init_subclass__(cls, **options: Any) -> None:  # noqa: ANN401  handed on
        super().__init_subclass__(**options)
        own = vars(cls)
        if "cause" not in own and "code" in own:  # a plugin's, in its own words
            said = {name: getattr(cls, ours) for name, ours in _SAID.items()}
            cls.cause = replace(cls.cause, **said, general="", see="")
        for name, ours in _SAID.items():
            if ours not in own and "cause" in own:
                setattr(cls, ours, getattr(cls.cause, name))

    def for_operator(self) -> str:
        """The one action that mends it, for whoever runs the gateway."""
        return self.operator_remedy or self.remedy

    @property
    def in_full(self) -> str:
        """What happened, for operators, with what was noted on the error's way up: such as which plugin failed."""
        return "; ".join([self.detail or self.public, *getattr(self, "__notes__", ())])

    def as_cause(self) -> Cause:
        """Its cause, with the texts that this case overrides."""
        said = {name: getattr(self, ours) for name, ours in _SAID.items() if name != "slug"}
        return replace(self.cause, **said)

    def explain_as(self, cause: Cause, *, remedy: str | None = None, **facts: object) -> Self:
        """Take a narrower cause, with this case's facts, and give the error back to be raised.

        Args:
            cause: which.
            remedy: overrides the cause's.
            facts: what ``cause.happened`` wants; without any, the detail stays.
        """
        self.cause = cause
        self.code, self.title, self.status, self.public = cause.slug, cause.title, cause.status, cause.public
        self.remedy = remedy or cause.remedy
        if facts:
            self.detail = cause.tell(**facts)
            self.args = (self.detail,)
        return self

    def narrow(self, cases: Mapping[str, Cause]) -> Self:
        """Take the case that ``cases`` has of this error's cause, if there is one; what happened stays as it is.

        Args:
            cases: by the slug of the wider cause.
        """
        cause = cases.get(self.code)
        return self if cause is None else self.explain_as(cause, remedy=vars(self).get("remedy"))
