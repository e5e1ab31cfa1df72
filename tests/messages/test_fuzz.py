"""A part of what ``python -m tests.messages.fuzz`` does, with each run."""

from __future__ import annotations

import json

import pytest

from tests.messages import fuzz
from tests.messages.fuzz import Case, cases, compare

JSON = [("content-type", "application/json")]


def test_no_message_is_judged_differently():
    verdict = compare([*cases(seed=1, count=6_000)])
    assert verdict.wrong == []
    assert verdict.served > 2_000
    assert len(verdict.refused) > 15, "messages of many kinds"


@pytest.mark.parametrize("reader", fuzz.PYTHON)
def test_a_reader_that_reads_otherwise_is_noticed(monkeypatch: pytest.MonkeyPatch, reader: str):
    monkeypatch.setitem(fuzz.PYTHON, reader, lambda _: ("request", "another", 1, {}))
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()
    assert [name for name, _ in compare([Case(body, JSON, plain=True)]).wrong] == [reader]


def test_what_a_program_plainly_writes_is_served():
    refused = Case(b"[]", JSON, plain=True)
    assert [name for name, _ in compare([refused]).wrong] == ["refused as -32600: the body is not one message"]
