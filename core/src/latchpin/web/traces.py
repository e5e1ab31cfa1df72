"""What an answer and the log's lines have in common: the id of the flow or request, and one line for a failure."""

from __future__ import annotations

import logging
import secrets
from collections.abc import MutableMapping
from typing import Any, Literal, NamedTuple

from latchpin.errors import LatchpinError

__all__ = ["FLOW_ID", "Trace", "known_trace", "log_failure", "name_request", "one_line", "trace_of"]

_log = logging.getLogger("latchpin.web")

FLOW_ID = "latchpin.flow_id"
"""Where a request's scope has the id of the flow that it belongs to, if it belongs to one."""

_REQUEST_ID = "latchpin.request_id"


class Trace(NamedTuple):
    """What an answer and its lines in the log have in common.

    Attributes:
        kind: ``flow``, which ``latchpin flows show`` knows, or ``request``, which the log alone knows.
        id: 128 random bits.
    """

    kind: Literal["flow", "request"]
    id: str

    @property
    def member(self) -> str:
        """What it is called in problem documents and in the log."""
        return f"{self.kind}_id"


def trace_of(scope: MutableMapping[str, Any], error: LatchpinError | None = None) -> Trace:
    """The flow that ``error`` or the request belongs to; else the request by itself, the same ever after."""
    if error is not None and error.flow_id is not None:
        scope[FLOW_ID] = error.flow_id  # the access line names the flow too
    flow: str | None = scope.get(FLOW_ID)
    if flow is not None:
        return Trace("flow", flow)
    return Trace("request", scope.setdefault(_REQUEST_ID, secrets.token_hex(16)))


def name_request(scope: MutableMapping[str, Any], name: str) -> None:
    """Give the request an id that other requests have too: a sign-in is two, and no flow."""
    scope[_REQUEST_ID] = name


def known_trace(scope: MutableMapping[str, Any]) -> Trace | None:
    """The same for a request of which nothing had to be said: None where no id was made."""
    return trace_of(scope) if FLOW_ID in scope or _REQUEST_ID in scope else None


def one_line(text: str, limit: int = 500) -> str:
    """``text`` for a log: no line breaks or other control characters, and not endless."""
    shown = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    return shown if len(shown) <= limit else f"{shown[:limit]}..."


def log_failure(error: LatchpinError, trace: Trace) -> None:
    """Write one line about an expected failure, without a traceback, unless it was written before."""
    if error.logged:
        return
    error.logged = True
    facts = "; ".join(text for text in (error.detail, error.hint) if text)
    text = f"{error.public.rstrip('.')}: {facts}" if facts else error.public
    extra = {trace.member: trace.id, "cause": error.code}
    _log.warning("%s [cause=%s, %s %s]", one_line(text), error.code, trace.kind, trace.id, extra=extra)
