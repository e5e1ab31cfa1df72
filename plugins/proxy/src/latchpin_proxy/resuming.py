"""A request that was answered with a question of ours and comes again: the state it brings, sealed by us. Pure.

It holds for one person, one gateway and one request: what the request is about is hashed into it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latchpin_proxy.bindings import Binder, NotBound
from latchpin_proxy.errors import NameNotYours

__all__ = ["QUESTION", "Resumed", "build_state", "read_resumed"]

QUESTION = "authorize"
"""What our question is called among those that one answer may hold."""
_OURS = ("requestState", "inputResponses")
_PASSING = frozenset({*_OURS, "_meta"})
"""Members that are no part of what is asked for."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """A request that comes again.

    Attributes:
        body: the message as it was first asked: without our state, and what the person answered.
        rounds: how often it came again, this time included.
        agreed: the person did not decline.
    """

    body: bytes
    rounds: int
    agreed: bool


def build_state(binder: Binder, method: str, params: Mapping[str, Any], *, rounds: int) -> str:
    """The ``requestState`` for a question about this request, after so many rounds."""
    return binder.bind("authorization", json.dumps([_digest(method, params), rounds]))


def read_resumed(body: bytes, binder: Binder) -> Resumed | None:
    """What a body resumes; None where it brings no state of ours.

    Raises:
        NameNotYours: the state was given for another request.
    """
    if b"requestState" not in body:
        return None
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return None
    params = message.get("params") if isinstance(message, dict) else None
    if not isinstance(params, dict) or not isinstance(text := params.get("requestState"), str):
        return None
    try:
        digest, rounds = json.loads(binder.release("authorization", text))
    except (NotBound, ValueError):
        return None
    if digest != _digest(str(message.get("method")), params):
        raise NameNotYours("the state that the request brings was given for another request")
    answers = params.get("inputResponses")
    kept = {name: value for name, value in params.items() if name not in _OURS}
    first = json.dumps({**message, "params": kept}, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return Resumed(first, rounds + 1, _agreed(answers))


def _agreed(answers: object) -> bool:
    """Where the question was not asked again, there is no answer to it."""
    answer = answers.get(QUESTION) if isinstance(answers, dict) else None
    return not isinstance(answer, dict) or answer.get("action") == "accept"


def _digest(method: str, params: Mapping[str, Any]) -> str:
    asked = {name: value for name, value in params.items() if name not in _PASSING}
    text = json.dumps([method, asked], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
