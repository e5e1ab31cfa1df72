"""The log file is its owner's, a line is written once, and access lines are written together."""

import asyncio
import io
import json
import logging
import os
import re
import stat

import pytest
from latchpin.activity import access_lines as module
from latchpin.activity.access_lines import JoiningStream, access_lines
from latchpin.activity.logs import TextFormatter, set_up_logging, tear_down_logging
from latchpin.activity.recorder import _CURRENT
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


# -- lines -------------------------------------------------------------------------------------------------


def test_a_record_is_formatted_once_for_all_handlers(log_into, monkeypatch):
    written = []
    write = TextFormatter.write
    monkeypatch.setattr(TextFormatter, "write", lambda each, record: written.append(record) or write(each, record))
    file, log = log_into()
    log("one")
    assert len(written) == 1
    assert "latchpin.tests WARNING - one" in file.read_text()


def test_a_time_is_the_records_own(log_into):
    formatter = TextFormatter()
    for created in (0.0, 0.9996, 1.0, 1.25, 0.5, 1_900_000_000.123):
        record = logging.makeLogRecord({"msg": "x", "created": created, "msecs": (created % 1) * 1000})
        assert formatter.formatTime(record) == logging.Formatter().formatTime(record)


# -- access lines, gathered --------------------------------------------------------------------------------


@pytest.fixture
def lines_of(log_into):
    file, _ = log_into()
    return lambda: re.findall(r"(?<=GET )\w+(?= 200)|(?<=WARNING - )\w+$", file.read_text(), re.MULTILINE)


def access(*paths, **extra):
    for path in paths:
        access_lines.tell(("127.0.0.1", "GET", path, 200, 1.0, ""), extra)


async def test_they_are_held_and_written_together_after_a_moment(lines_of, monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 0)
    with access_lines.gathered():
        access("one", "two")
        assert lines_of() == []
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert lines_of() == ["one", "two"]


async def test_they_come_before_what_is_told_after_them(lines_of):
    with access_lines.gathered():
        access("one", "two")
        logging.getLogger("latchpin.tests").warning("three")
        assert lines_of() == ["one", "two", "three"]


async def test_the_end_writes_them_and_then_each_goes_out_by_itself(lines_of):
    with access_lines.gathered():
        access("one")
    assert lines_of() == ["one"]
    access("two")
    assert lines_of() == ["one", "two"]


async def test_the_file_is_the_one_that_has_the_name_when_they_are_written(lines_of, tmp_path):
    file = tmp_path / "logs" / "mcpgateway.log"
    with access_lines.gathered():
        access("one")
        file.rename(file.with_name("older"))
    assert lines_of() == ["one"]


async def test_the_locks_of_handlers_are_taken_in_one_order(lines_of, monkeypatch):
    """Else two threads that write at once could each hold what the other waits for."""
    first, second = JoiningStream(io.StringIO()), JoiningStream(io.StringIO())
    held, taken = [], []
    for each in (first, second):
        monkeypatch.setattr(each, "acquire", lambda each=each: (taken.append((each, tuple(held))), held.append(each)))
        monkeypatch.setattr(each, "release", lambda each=each: held.remove(each))
        logging.getLogger().addHandler(each)
    try:
        with access_lines.gathered():
            access("one")
            second.handle(logging.makeLogRecord({"name": "latchpin.tests", "msg": "two"}))
    finally:
        for each in (first, second):
            logging.getLogger().removeHandler(each)
    assert (first, ()) in taken
    assert all(second not in before for each, before in taken if each is first)
    assert second.stream.getvalue().splitlines()[1:] == ["two"]


async def test_a_line_is_not_lost_where_another_thread_writes_while_it_is_told(lines_of, monkeypatch):
    with access_lines.gathered():
        access("one")
        monkeypatch.setattr(module.time, "time", lambda: access_lines.write() or 0.0)
        access("two")
        monkeypatch.undo()
    assert lines_of() == ["one", "two"]


async def test_a_line_says_the_flow_that_it_was_about_when_it_was_told(log_into, tmp_path):
    file = tmp_path / "json.log"
    set_up_logging(CoreSettings(_env_file=None, log_file=str(file), log_format="json"))
    with access_lines.gathered():
        access("one", flow_id="f")
        token = _CURRENT.set("g")
        access("two")
        logging.getLogger("latchpin.tests").warning("three")
        _CURRENT.reset(token)
    assert [json.loads(line).get("flow_id") for line in file.read_text().splitlines()] == ["f", None, "g"]


class Noting(logging.Handler):
    def __init__(self, level: int = logging.NOTSET):
        super().__init__(level)
        self.told = []

    def emit(self, record):
        self.told.append((record.getMessage(), getattr(record, "flow_id", None)))


async def test_other_handlers_and_filters_are_told_each_by_itself(lines_of):
    above, deaf, logger = Noting(), Noting(logging.ERROR), logging.getLogger("latchpin.access")
    hides = lambda record: record.args[2] != "two"  # noqa: E731
    logging.getLogger("latchpin").addHandler(above)
    logger.addHandler(deaf)
    logger.addFilter(hides)
    try:
        with access_lines.gathered():
            access("one", flow_id="f")
            access("two", "three")
    finally:
        logging.getLogger("latchpin").removeHandler(above)
        logger.removeHandler(deaf)
        logger.removeFilter(hides)
    assert above.told == [("127.0.0.1 GET one 200 1.0ms", "f"), ("127.0.0.1 GET three 200 1.0ms", None)]
    assert deaf.told == []
    assert lines_of() == ["one", "three"]


async def test_a_disk_that_is_full_disturbs_nobody(lines_of, monkeypatch, capsys):
    def full(_handler, _lines):
        raise OSError(28, "No space left on device")

    with access_lines.gathered():
        access("one")
        monkeypatch.setattr(JoiningStream, "write_lines", full)
    monkeypatch.undo()
    access("two")
    assert lines_of() == ["two"]
