"""What a stored token is good for, by its times."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from latchpin.oauth.status import is_authorized, status_of
from latchpin_testing import samples

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def token(*, left, life=HOUR, **facts):
    stored = samples.stored_token(NOW, gateway_id=samples.new_id())
    return replace(stored, updated_at=NOW + left - life, expires_at=NOW + left, **facts)


@pytest.mark.parametrize(
    ("stored", "status", "authorized"),
    [
        (None, "missing", False),
        (token(left=HOUR), "valid", True),
        (token(left=timedelta(minutes=5, seconds=1)), "valid", True),
        (token(left=timedelta(minutes=5)), "near_expiry", True),  # five minutes at most ...
        (token(left=timedelta(seconds=61), life=timedelta(minutes=5)), "valid", True),
        (token(left=timedelta(seconds=60), life=timedelta(minutes=5)), "near_expiry", True),  # ... or a fifth
        (token(left=timedelta(microseconds=1)), "near_expiry", True),
        (token(left=timedelta(0)), "expired", True),  # the refresh token renews it
        (token(left=-HOUR, refresh_token=None), "expired", False),
        (token(left=HOUR, needs_reauth=True), "needs_reauth", False),
    ],
)
def test_status(stored, status, authorized):
    assert (status_of(stored, NOW), is_authorized(stored, NOW)) == (status, authorized)
