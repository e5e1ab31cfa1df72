"""A flood of unfinished authorizations ends at the gateway."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from latchpin.authorization.admission import Admission
from latchpin.errors import TooManyPending


class Moved:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def test_one_user_is_limited_and_others_are_not():
    admission = Admission(per_user=2, total=10, lifetime=timedelta(seconds=300), clock=Moved())
    admission.admit("f1", "ann")
    admission.admit("f2", "ann")
    with pytest.raises(TooManyPending, match="MAX_PENDING_PER_USER"):
        admission.admit("f3", "ann")
    admission.admit("f4", "bob")


def test_all_users_together_are_limited():
    admission = Admission(per_user=5, total=3, lifetime=timedelta(seconds=300), clock=Moved())
    for number in range(3):
        admission.admit(f"f{number}", f"user{number}")
    with pytest.raises(TooManyPending, match="MAX_PENDING"):
        admission.admit("f3", "user3")


def test_a_finished_flow_makes_room_once():
    admission = Admission(per_user=1, total=10, lifetime=timedelta(seconds=300), clock=Moved())
    admission.admit("f1", "ann")
    admission.release("f1")
    admission.release("f1")
    admission.release("unknown")
    admission.admit("f2", "ann")
    with pytest.raises(TooManyPending):
        admission.admit("f3", "ann")


def test_an_expired_flow_makes_room_by_itself():
    clock = Moved()
    admission = Admission(per_user=1, total=1, lifetime=timedelta(seconds=300), clock=clock)
    admission.admit("f1", "ann")
    clock.now += timedelta(seconds=299)
    with pytest.raises(TooManyPending):
        admission.admit("f2", "ann")
    clock.now += timedelta(seconds=1)
    admission.admit("f2", "ann")
