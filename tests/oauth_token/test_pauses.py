"""Which answers ask us to wait, and for how long."""

from __future__ import annotations

import pytest
from latchpin.model import Reply
from latchpin.oauth.pauses import LONGEST_PAUSE, choose_pause, read_retry_after

HOUR = int(LONGEST_PAUSE.total_seconds())
SENT = "Sun, 01 Mar 2026 10:00:00 GMT"
HTML = {"content-type": "text/html; charset=utf-8"}


def said(after: str, **more: str) -> dict[str, str]:
    return {"retry-after": after, **more}


@pytest.mark.parametrize(
    ("status", "headers", "body", "code", "wanted"),
    [
        (429, said("120"), b"", "", 120),
        (429, {}, b"", "", 30),  # no time named: half a minute
        (429, said("soon"), b"", "", 30),  # one that cannot be read is none
        (429, said("-5"), b"", "", 30),
        (429, HTML, b"<h1>slow</h1>", "", 30),
        (408, {}, b"", "", 10),
        (425, said("2"), b"", "", 2),
        (503, said("7"), b"", "", 7),
        (502, said("7"), b"", "", 7),
        (503, {}, b"", "", None),  # in trouble, and asks for nothing
        (500, HTML, b"<h1>", "", None),
        (400, {}, b"{}", "slow_down", 30),
        (400, said("5"), b"{}", "slow_down", 5),
        (400, {}, b"{}", "temporarily_unavailable", 30),
        (403, HTML, b"<h1>blocked", "", 30),  # a firewall's page is not the endpoint's word
        (401, {}, b"\n <!doctype html>", "", 30),
        (403, HTML, b'{"error": "invalid_grant"}', "invalid_grant", None),  # mislabelled JSON is its word
        (400, said("60"), b"{}", "invalid_grant", None),  # a decision, which no waiting changes
        (401, {}, b"", "", None),
        (400, said("60"), b"{}", "invalid_client", None),
        (429, said("60"), b"{}", "invalid_grant", 60),  # the status says that nobody decided
        (403, said("60"), b'{"message": "API rate limit exceeded"}', "", 60),  # as some answer instead of 429
        (400, said("60"), b"{}", "made_up", 60),
        (420, said("60"), b"", "", 60),
        (401, said("soon"), b"", "", None),
        (200, said("60"), b"{}", "ratelimited", 60),  # Slack refuses with 200
        (200, {}, b"{}", "ratelimited", 30),
        (400, {}, b"{}", "TOO_MANY_REQUESTS", 30),
        (200, said("60"), b"{}", "", None),
    ],
)
def test_an_answer_asks_for_a_pause(status, headers, body, code, wanted):
    assert choose_pause(Reply("https://as.example/token", status, headers, body), code) == wanted


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        (said("0"), 1),
        (said(" 30 "), 30),
        (said("9" * 400), HOUR),
        (said("86400"), HOUR),
        (said("Sun, 01 Mar 2026 10:01:30 GMT", date=SENT), 90),
        (said("Sun, 01 Mar 2026 09:00:00 GMT", date=SENT), 1),  # past already
        (said("Sun, 01 Mar 2026 10:01:30 GMT"), None),  # by whose clock?
        (said("Sun, 41 Mar 2026 10:01:30 GMT", date=SENT), None),
        (said("\u0663\u0660"), None),  # digits, but not ASCII
        (said("1.5"), None),
        ({}, None),
    ],
)
def test_retry_after_is_read(headers, wanted):
    assert read_retry_after(headers) == wanted
