"""When a server asks us to wait, and for how long (RFC 9110 section 10.2.3, RFC 6585 section 4), without I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from latchpin.model import Reply

__all__ = ["LONGEST_PAUSE", "choose_pause", "is_page", "read_retry_after"]

LONGEST_PAUSE = timedelta(hours=1)
"""A server that asks for more is asked again after this."""
_USUAL: Mapping[int, int] = {HTTPStatus.TOO_MANY_REQUESTS: 30, HTTPStatus.REQUEST_TIMEOUT: 10, HTTPStatus.TOO_EARLY: 10}
"""Seconds, by statuses that ask for a pause even where they do not say how long."""
_CODES = dict.fromkeys(
    (
        "slow_down",
        "temporarily_unavailable",
        # No registered code says it; these are what servers say.
        "rate_limited",
        "ratelimited",
        "rate_limit_exceeded",
        "too_many_requests",
        "throttled",
    ),
    30,
)
_DECIDED = frozenset({"invalid_grant", "invalid_client"})
"""Codes that no waiting changes."""
_AT_A_FIREWALL = 30
_MOST_DIGITS = 18


def choose_pause(reply: Reply, code: str = "", *, page: int | None = _AT_A_FIREWALL) -> int | None:
    """How many seconds to leave the server alone after this answer; None: it asked for no pause.

    A 4xx that is a web page did not come from the endpoint but from what stands before it, and says nothing about the
    grant either.

    Args:
        reply: the whole answer.
        code: the error code in it, if it has one.
        page: the pause after such a page; None where a page may well be the endpoint's own word.
    """
    asked = read_retry_after(reply.headers)
    usual = _USUAL.get(reply.status, _CODES.get(code.lower()))
    if usual is None and HTTPStatus.BAD_REQUEST <= reply.status < HTTPStatus.INTERNAL_SERVER_ERROR and is_page(reply):
        usual = page
    if asked is not None and reply.status >= HTTPStatus.BAD_REQUEST and code not in _DECIDED:
        return asked
    return usual if asked is None or usual is None else asked


def read_retry_after(headers: Mapping[str, str]) -> int | None:
    """``Retry-After`` in seconds, from 1 to an hour; None if it is missing or cannot be read.

    A date is taken relative to the answer's own ``Date``, so that the two machines' clocks need not agree.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return _within(int(text[:_MOST_DIGITS]))
    until, sent = _date(text), _date(headers.get("date", ""))
    if until is None or sent is None:
        return None
    return _within(math.ceil((until - sent).total_seconds()))


def is_page(reply: Reply) -> bool:
    """Whether the answer is a web page, as firewalls and error pages are."""
    start = reply.body.lstrip()[:1]
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    return start == b"<" or (kind in {"text/html", "application/xhtml+xml"} and start != b"{")


def _within(seconds: int) -> int:
    return max(1, min(seconds, int(LONGEST_PAUSE.total_seconds())))


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    return date if date.tzinfo is not None else None
