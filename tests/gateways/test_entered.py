"""What is said of what somebody enters about something that a plugin keeps."""

from __future__ import annotations

from typing import Annotated

import pytest
from latchpin.errors import InvalidRequest
from latchpin.sdk.gateway import AllowedUsers, parse_body
from pydantic import AfterValidator, BaseModel, ConfigDict


def loud(value: str) -> str:
    if value != value.upper():
        raise ValueError("must be loud")
    return value


class Note(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    text: Annotated[str, AfterValidator(loud)]
    who: AllowedUsers | None = None


def test_what_holds_is_read():
    assert parse_body(Note, {"text": "HO", "who": "a@example.com, group:staff"}).who == ["a@example.com", "group:staff"]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], 'the body must be a JSON object such as {"text": "HO"}'),
        ({}, "text: Field required"),
        ({"text": "s3cret"}, "text: must be loud"),
        ({"text": "HO", "who": [1]}, "who.0: Input should be a valid string"),
        (
            {"text": 1, "list[str]": 1},
            "text: Input should be a valid string; list[str]: Extra inputs are not permitted",
        ),
        ({"text": "HO", "a\n\u202e" + "b" * 100: 1}, "a\\n\\u202e" + "b" * 71 + ": Extra inputs are not permitted"),
    ],
)
def test_each_member_that_does_not_hold_is_named_and_what_it_holds_is_not(document: object, said: str):
    with pytest.raises(InvalidRequest) as caught:
        parse_body(Note, document, example='{"text": "HO"}')
    assert caught.value.detail == said
