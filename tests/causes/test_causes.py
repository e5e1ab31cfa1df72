"""Every cause brought about, on each store that has a part in it: that cause is named, in the answer and the log."""

from __future__ import annotations

import pytest
from latchpin.errors import LatchpinError

from tests.causes.conftest import Deployment, Row
from tests.causes.test_page import ROWS

pytestmark = [pytest.mark.needs("latchpin_dcr"), pytest.mark.slow]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_exactly_that_cause_is_named(row: Row, deployment: Deployment):
    assert deployment.backend.name not in row.impossible
    answer = await row.bring(deployment)
    if isinstance(answer, LatchpinError):
        assert row.cause.stops
        assert (answer.code, row.fact in answer.detail) == (row.slug, True)
        return
    problem = answer.json()
    named = problem["cause"]
    assert named == row.answered, problem
    assert deployment.causes_logged()[-1:] == [row.slug]
    assert row.fact in problem["detail"]
    assert answer.status_code == problem["status"]
    assert problem["remedy"]
    assert problem["documentation"].endswith(f"#{named}")
