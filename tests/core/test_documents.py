"""What no store could hold alike is refused where it is made."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from latchpin.model import Document, Span, index_time

NOW = datetime(2030, 1, 2, 3, 4, 5, 6, tzinfo=UTC)

REFUSED = [
    ({"id": ""}, "an id that every store can hold"),
    ({"id": "a\0b"}, "PostgreSQL has no NUL"),
    ({"id": "\ud800"}, "UTF-8 has no half of a pair"),
    ({"id": "x" * 256}, "longer than MariaDB's key"),
    ({"id": 5}, "a number is found under its text by one store only"),
    ({"fields": {"id": "x"}}, "the id has an index already, and would stand in it twice"),
    ({"fields": {"\ud800": "x"}}, "no collection can declare it"),
    ({"fields": {"Owner": "x"}}, "no collection can declare it"),
    ({"fields": {"owner": 5}}, "an index sorts text"),
    ({"fields": {"owner": None}}, "a field that is not there is left out"),
    ({"fields": {"owner": "x" * 701}}, "longer than MariaDB's key"),
    ({"revision": -1}, "no write has it"),
    ({"expires_at": NOW.replace(tzinfo=None)}, "it cannot be compared with now, for anybody who reads the collection"),
]


@pytest.mark.parametrize(("values", "why"), REFUSED)
def test_what_a_store_could_not_hold_is_refused(values, why):
    with pytest.raises((ValueError, TypeError)):
        Document(**{"id": "x", "body": {}, **values})
    assert why


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("", ["", "a", "\U0010ffff"], []),
        ("a", ["a", "a\x01", "a\U0010ffff", "a\U0010ffff!"], ["", "A", "b"]),
        ("a\U0010ffff", ["a\U0010ffff", "a\U0010ffffz"], ["a", "b"]),
        ("\U0010ffff", ["\U0010ffff", "\U0010ffff\U0010ffff"], ["", "\U0010fffe"]),
        ("\ud7ff", ["\ud7ff", "\ud7ff😀"], ["\ud7fe", "\ue000"]),
    ],
)
def test_a_prefix_spans_what_begins_with_it(text, inside, outside):
    span = Span.prefix(text)
    assert [value in span for value in inside] == [True] * len(inside)
    assert [value in span for value in outside] == [False] * len(outside)
    (span.begin + (span.end or "")).encode()  # both can be sent to a store


def test_times_sort_as_texts():
    hour = timezone(timedelta(hours=1))
    moments = [datetime(1, 1, 1, 2, tzinfo=hour), datetime(987, 1, 1, tzinfo=UTC), NOW.replace(microsecond=0), NOW]
    texts = [index_time(moment) for moment in moments]
    assert texts == sorted(texts)
    assert texts[0] == "0001-01-01T01:00:00.000000Z"
    assert texts[2:] == ["2030-01-02T03:04:05.000000Z", "2030-01-02T03:04:05.000006Z"]
