"""The log file is its owner's."""

import logging
import os
import stat

import pytest
from latchpin.activity.logs import set_up_logging, tear_down_logging
from latchpin.settings.core import CoreSettings


@pytest.fixture
def log_into(tmp_path):
    umask = os.umask(0)  # the most careless one
    file = tmp_path / "logs" / "mcpgateway.log"

    def log(text):
        logging.getLogger("latchpin.tests").warning(text)
        return stat.S_IMODE(file.stat().st_mode)

    def begin():
        set_up_logging(CoreSettings(_env_file=None, log_file=str(file)))
        return file, log

    yield begin
    tear_down_logging()
    os.umask(umask)


def test_nobody_else_may_read_the_log_also_after_it_was_rotated(log_into):
    file, log = log_into()
    assert log("one") == 0o600
    file.rename(file.with_name("older"))
    assert log("two") == 0o600
    assert "two" in file.read_text()


def test_a_log_that_was_opened_to_others_on_purpose_stays_so(log_into, tmp_path):
    (tmp_path / "logs").mkdir()
    shared = tmp_path / "logs" / "mcpgateway.log"
    shared.touch(mode=0o640)
    _, log = log_into()
    assert log("one") == 0o640
