"""What is called the database's silence, and what is not; and that what was told 'not done' is not done."""

import asyncio
import threading
import time

import pytest
from latchpin.errors import BackendUnavailable
from latchpin.workers.store_deadline import store_deadline
from latchpin_sql_store import write_queue
from latchpin_sql_store.engine import build_engine, parse_url
from latchpin_sql_store.kept_connection import KeptConnection
from latchpin_sql_store.threads import Thread
from latchpin_sql_store.write_queue import WriteQueue
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

FOREVER = 60.0


class Bench:
    """A queue on a real file; what it does can be held up before its first statement, or goes on asking meanwhile."""

    def __init__(self, url):
        self.engine = build_engine(parse_url(url), "write")
        with self.engine.begin() as connection:
            connection.execute(text("CREATE TABLE done (item TEXT)"))
        self.thread = Thread("bench")
        event.listen(self.engine, "after_cursor_execute", self.thread.heard)
        self.queue = WriteQueue(self.thread, KeptConnection(self.engine), self.apply, where="sqlite:///here")
        self.begun, self.go_on, self.asking_on = threading.Event(), threading.Event(), False
        self.batches = []

    def apply(self, connection, items):
        self.batches.append(list(items))
        self.begun.set()
        if self.asking_on:
            while not self.go_on.is_set():
                connection.execute(text("SELECT 1"))
        assert self.go_on.wait(FOREVER)
        for item in items:
            connection.execute(text("INSERT INTO done VALUES (:item)"), {"item": item})
        return list(items)

    async def submit(self, item, *, within=FOREVER):
        write_queue.PATIENCE = within  # it is read before the first await
        return await self.queue.submit(item)

    async def has_begun(self):
        assert await asyncio.to_thread(self.begun.wait, FOREVER)

    async def done(self):
        await self.queue.close()
        with self.engine.connect() as connection:
            return sorted(connection.execute(text("SELECT item FROM done")).scalars())


@pytest.fixture
def bench(sqlite_url, monkeypatch):
    monkeypatch.setattr(write_queue, "PATIENCE", FOREVER)
    made = Bench(sqlite_url)
    yield made
    made.go_on.set()
    made.thread.close()
    made.engine.dispose()


async def passes(seconds):
    """So much time of this process's own."""
    with pytest.raises(TimeoutError):
        async with store_deadline(seconds):
            await asyncio.Event().wait()


async def test_a_pause_of_the_process_is_not_the_databases_silence(bench, monkeypatch):
    callers = [asyncio.create_task(bench.submit(f"{number:03}", within=1.8)) for number in range(3)]
    await bench.has_begun()
    callers += [asyncio.create_task(bench.submit(f"{number:03}", within=1.8)) for number in range(3, 150)]
    await asyncio.sleep(0)
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + 3600)  # the loop's clock too, as after a SIGCONT
    bench.go_on.set()
    assert await asyncio.gather(*callers) == [f"{number:03}" for number in range(150)]
    assert len(await bench.done()) == 150


async def test_a_queue_that_moves_is_not_the_databases_silence(bench):
    bench.asking_on = True
    first = asyncio.create_task(bench.submit("first", within=0.6))
    await bench.has_begun()
    behind = asyncio.create_task(bench.submit("behind", within=0.6))
    await passes(1.5)
    assert not first.done(), "the database answers one statement after the other"
    assert not behind.done(), "nobody has asked the database yet"
    bench.go_on.set()
    assert await asyncio.gather(first, behind) == ["first", "behind"]


async def test_a_database_that_hangs_is_called_silent_by_all_who_wait_and_does_none_of_it(bench):
    under_way = asyncio.create_task(bench.submit("under way", within=0.1))
    await bench.has_begun()
    results = await asyncio.gather(under_way, bench.submit("queued", within=0.1), return_exceptions=True)
    assert [str(error) for error in results] == ["the database at sqlite:///here does not answer"] * 2
    bench.go_on.set()
    assert await bench.submit("later") == "later"
    assert await bench.done() == ["later"]


async def test_of_one_batch_only_those_are_done_whose_callers_still_wait(bench):
    impatient = asyncio.create_task(bench.submit("impatient", within=0.1))
    patient = asyncio.create_task(bench.submit("patient"))
    with pytest.raises(BackendUnavailable, match="does not answer"):
        await impatient
    bench.go_on.set()
    assert await patient == "patient"
    assert bench.batches == [["impatient", "patient"], ["patient"]]
    assert await bench.done() == ["patient"]


async def test_who_is_told_during_the_commit_is_told_that_it_may_have_been_done(bench):
    committing, finish = threading.Event(), threading.Event()

    def hang(_connection):
        committing.set()
        assert finish.wait(FOREVER)

    event.listen(bench.engine, "commit", hang)
    bench.go_on.set()
    with pytest.raises(BackendUnavailable, match="may have been done"):
        await bench.submit("item", within=0.1)
    finish.set()
    assert committing.is_set()
    assert await bench.done() == ["item"]


@pytest.mark.parametrize(("failures", "wanted"), [(1, ["item"]), (2, [])])
async def test_a_connection_that_cannot_be_made_is_tried_once_more(bench, failures, wanted):
    """A driver's own clock runs on while the process is paused, so that its first answer may be wrong."""
    bench.engine.dispose()
    tries = iter([OperationalError("", {}, Exception("connection timeout expired"))] * failures)

    def fail(*_):
        for error in tries:
            raise error

    event.listen(bench.engine, "do_connect", fail)
    bench.go_on.set()
    outcome = await asyncio.gather(bench.submit("item"), return_exceptions=True)
    event.remove(bench.engine, "do_connect", fail)
    assert [str(each) for each in outcome] == (
        wanted or ["the database at sqlite:///here is not usable: connection timeout expired"]
    )
    assert await bench.done() == wanted


async def test_who_comes_after_the_end_is_refused_and_does_not_wait(bench):
    bench.thread.close()
    with pytest.raises(BackendUnavailable, match="stopping"):
        await bench.submit("late")
