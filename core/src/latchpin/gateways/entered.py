"""What somebody enters about what a plugin keeps: read by a model, with errors that name each member. Pure."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from latchpin.errors import InvalidRequest

__all__ = ["parse_body"]

BodyT = TypeVar("BodyT", bound=BaseModel)

_MOST = 10
"""How many errors are told at once."""
_SHOWN = 80
"""How many characters of a member's name, which is the caller's own word."""


def parse_body(model: type[BodyT], document: object, *, example: str = "") -> BodyT:
    """Read the JSON of a body, a form or a command. What it holds is not repeated: it may be a secret.

    Args:
        model: what is allowed.
        document: what was entered.
        example: JSON that would hold, for who sends no object.

    Raises:
        InvalidRequest: it does not hold; the text names each member.
    """
    if not isinstance(document, dict):
        raise InvalidRequest("the body must be a JSON object" + (f" such as {example}" if example else ""))
    try:
        return model.model_validate(document)
    except ValidationError as exc:
        errors = exc.errors(include_url=False, include_input=False)
    raise InvalidRequest("; ".join(dict.fromkeys(_explain(error) for error in errors[:_MOST])))


def _explain(error: ErrorDetails) -> str:
    place = ".".join(ascii(str(part))[1:-1][:_SHOWN] for part in error["loc"])
    text = error["msg"].removeprefix("Value error, ")
    return f"{place}: {text}" if place else text
