"""Records of MCP calls: what is in them, what nobody can put into them, and what happens where they cannot be kept."""

from __future__ import annotations

import asyncio
import csv
import errno
import gc
import io
import json
import logging
import os
import select
from datetime import UTC, datetime

import pytest
from latchpin.contracts import DerivedKey, McpCall
from latchpin.errors import BackendUnavailable, SettingsError
from latchpin.model import Caller
from latchpin_audit import lines_sink as lines_module
from latchpin_audit import outbox as outbox_module
from latchpin_audit.call_record import MEMBERS, build_record, hash_arguments, is_recorded
from latchpin_audit.calls import AuditedCalls
from latchpin_audit.chain_sink import ChainSink, describe_call
from latchpin_audit.command import CALL_COLUMNS, _csv_writer
from latchpin_audit.errors import CallNotKept
from latchpin_audit.lines_sink import LinesSink, write_line
from latchpin_audit.log import AuditLog
from latchpin_audit.losses import LOSSES, Losses, read_losses
from latchpin_audit.outbox import Outbox, Trouble
from latchpin_audit.pseudonyms import Names
from latchpin_audit.reading import read, verify
from latchpin_mcp.call_reading import read_message
from latchpin_memory_store.records import MemoryRecordStore
from latchpin_testing import MovedClock
from latchpin_testing.sealing import SuiteCipher, SuiteSigner

from tests.audit.test_trail import log_on
from tests.records.stores import Pieces

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
ALICE = Caller("alice@example.com", via="access-token", client="program")
KEY = DerivedKey.named(b"k" * 32)
EVIL = 'x\n{"who":"forged"}\r\x1b[31m\u2028\u009b31m\x00\ud800=cmd|calc'


def call_of(name="shout", **about):
    params = about.pop("params", {})
    message = read_message(json.dumps({"method": "tools/call", "id": 1, "params": {"name": name} | params}).encode())
    made = McpCall("server", ALICE, "/mcp", message.method, message.name, message.params, message.id)
    made.outcome = "ok"
    for member, value in about.items():
        setattr(made, member, value)
    return made


def record_of(name="shout", **about):
    return build_record(call_of(name, **about), NOW, None)


def test_a_path_that_a_caller_wrote_spoils_no_store():
    """A batch that one database does not take would be lost with everybody's records."""
    record = record_of(endpoint=f"/gateways/{EVIL}{'x' * 9_000}/mcp")
    assert "\x00" not in record.endpoint
    assert len(record.endpoint) == 500
    record.endpoint.encode()


class Sink:
    """Keeps records, unless ``fails`` says how it fails; ``hangs`` until it is set."""

    def __init__(self):
        self.kept, self.fails, self.closed = [], None, False
        self.hangs: asyncio.Event | None = None
        self.failures = asyncio.Event()

    async def write(self, records):
        if self.hangs is not None:
            await self.hangs.wait()
        if self.fails is not None:
            self.failures.set()
            raise self.fails
        self.kept += [record.name for record in records]

    async def close(self):
        self.closed = True


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    """Nothing is gathered and nobody pauses; a slow machine has its time."""
    monkeypatch.setattr(outbox_module, "GATHERED", 0.0)
    monkeypatch.setattr(outbox_module, "PAUSES", (0.001,))
    monkeypatch.setattr(outbox_module, "KEPT_WITHIN", 60.0)
    monkeypatch.setattr(outbox_module, "LAST_TRY", 60.0)


@pytest.fixture
def impatient(monkeypatch):
    """Nobody waits for what hangs."""
    monkeypatch.setattr(outbox_module, "LAST_TRY", 0.05)


# -- the record ------------------------------------------------------------------------------------------


def test_a_record_holds_no_argument_and_says_who_called_what():
    call = call_of(params={"arguments": {"password": "hunter2"}}, session="s" * 40, seconds=1.23456789)
    record = build_record(call, NOW, None)
    assert record.members() == {
        "at": "2026-11-30T12:00:00.000+00:00",
        "who": "alice@example.com",
        "via": "access-token",
        "client": "program",
        "endpoint": "/mcp",
        "gateway_id": "",
        "gateway": "",
        "method": "tools/call",
        "name": "shout",
        "id": "1",
        "outcome": "ok",
        "error": "",
        "seconds": 1.234568,
        "request_bytes": 0,
        "response_bytes": 0,
        "session": record.session,
        "version": "",
        "trace_id": "",
        "arguments": "",
    }
    assert len(record.session) == 16
    assert "hunter2" not in repr(call)


def test_only_calls_that_came_here_are_recorded():
    told = [("server", "tools/list"), ("server", "(answer)"), ("server", "(unread)"), ("server", "initialize")]
    silent = [("client", "tools/call"), ("server", "ping"), ("server", "notifications/initialized")]
    assert [is_recorded(McpCall(side, ALICE, method=method)) for side, method in told + silent] == [True] * 4 + [
        False
    ] * 3


def test_the_hash_of_arguments_is_keyed_and_the_same_for_the_same_arguments():
    one = hash_arguments(KEY, {"arguments": {"a": 1, "b": "\ud800"}})
    assert one == hash_arguments(KEY, {"arguments": {"b": "\ud800", "a": 1}})
    assert one.startswith(f"{KEY.id}:")
    assert one != hash_arguments(DerivedKey.named(b"l" * 32), {"arguments": {"a": 1, "b": "\ud800"}})
    assert [hash_arguments(KEY, params) for params in ({}, {"arguments": {}}, {"arguments": [1]})] == ["", "", ""]


def test_arguments_too_deep_to_be_hashed_hide_no_call():
    deep = {}
    for _ in range(100_000):
        deep = {"a": deep}
    assert hash_arguments(KEY, {"arguments": deep}) == f"{KEY.id}:(too deep)"


# -- the way out -----------------------------------------------------------------------------------------


async def test_records_are_written_in_their_order_and_held_while_that_fails(caplog):
    sink, told, failed = Sink(), [], asyncio.Event()

    def note(trouble):
        told.append((trouble.reason, trouble.dropped))
        failed.set()

    outbox = Outbox(sink, 100, on_trouble=note)
    sink.fails = BackendUnavailable("no store")
    for number in range(3):
        outbox.put(record_of(str(number)))
    await failed.wait()
    sink.fails = None
    outbox.put(record_of("3"))
    await outbox.close()
    assert (sink.kept, sink.closed) == (["0", "1", "2", "3"], True)
    assert told == [("no store", 0), ("", 0)]
    assert "cannot be written now" in caplog.text


@pytest.mark.usefixtures("impatient")
async def test_what_hangs_holds_nobody_up_and_what_is_too_much_is_dropped_and_told(caplog):
    sink, told = Sink(), []
    sink.hangs = asyncio.Event()
    outbox = Outbox(sink, 2, on_trouble=lambda trouble: told.append(trouble.dropped))
    for number in range(5):
        outbox.put(record_of(str(number)))
    assert told == [1, 2, 3]
    assert caplog.text.count("was dropped") == 1
    await outbox.close()
    assert outbox.trouble.dropped == 5
    assert sink.closed


async def test_a_record_that_nobody_can_write_holds_up_no_other():
    sink = Sink()
    sink.fails = UnicodeEncodeError("utf-8", "x", 0, 1, "poison")
    dropped = asyncio.Event()
    outbox = Outbox(sink, 10, on_trouble=lambda _: dropped.set())
    outbox.put(record_of("poison"))
    await dropped.wait()
    sink.fails = None
    outbox.put(record_of("fine"))
    await outbox.close()
    assert sink.kept == ["fine"]


@pytest.mark.parametrize("place", [0, 3, 7, 499, 600])
async def test_one_record_that_nobody_can_write_takes_no_other_along(place: int):
    kept, most = [], []

    class Picky(Sink):
        async def write(self, records):
            most.append(len(records))
            if any(each.name == "poison" for each in records):
                raise UnicodeEncodeError("utf-8", "x", 0, 1, "poison")
            kept.extend(each.name for each in records)

    names = [str(number) for number in range(601)]
    outbox = Outbox(Picky(), 1_000)
    for number, name in enumerate(names):
        outbox.put(record_of("poison" if number == place else name))
    await outbox.close()
    assert kept == [name for number, name in enumerate(names) if number != place]
    assert outbox.trouble.dropped == 1
    assert len(most) < 25, "it is looked for by halves"


async def test_with_strict_a_call_waits_until_its_record_is_kept_but_not_for_ever(monkeypatch):
    sink = Sink()
    calls = AuditedCalls(Outbox(sink, 10, strict=True), lambda: NOW, None)
    end = calls.begin(call_of("kept"))
    assert calls.sees_all
    await end()
    assert sink.kept == ["kept"]
    sink.hangs = asyncio.Event()
    with monkeypatch.context() as impatient:
        impatient.setattr(outbox_module, "KEPT_WITHIN", 0.05)
        with pytest.raises(CallNotKept, match=r"within 0\.05 s"):
            await calls.begin(call_of("late"))()
    sink.fails, hung = OSError(errno.ENOSPC, "No space left on device"), sink.hangs
    sink.hangs = None
    hung.set()
    with pytest.raises(CallNotKept, match="No space left"):
        await calls.begin(call_of("full"))()
    sink.fails = None
    await calls._outbox.close()
    assert {"kept", "late", "full"} == set(sink.kept)


async def test_a_call_that_is_told_at_once_that_nothing_goes_leaves_nothing_unheard(caplog):
    """asyncio logs a failure that nobody waited for, with its traceback: one for each call."""
    sink, failed = Sink(), asyncio.Event()
    outbox = Outbox(sink, 10, strict=True, on_trouble=lambda _: failed.set())
    sink.fails = BackendUnavailable("no store")
    outbox.put(record_of("first"))
    await failed.wait()
    with pytest.raises(CallNotKept, match="no store"):
        await outbox.keep(record_of("second"))
    sink.failures.clear()
    await sink.failures.wait()
    sink.fails = None
    await outbox.close()
    gc.collect()
    assert sink.kept == ["first", "second"]
    assert "never retrieved" not in caplog.text


async def test_what_could_not_be_recorded_is_told_to_all_workers():
    clock = MovedClock()
    documents = MemoryRecordStore(clock).collection(LOSSES)
    for worker, trouble in (("one", Trouble(3, "no disk")), ("two", Trouble(4))):
        losses = Losses(documents, clock, worker)
        losses.note(Trouble(1))
        losses.note(trouble)
        await losses.close()
    found = await read_losses(documents)
    assert [(each.worker, each.dropped, each.reason) for each in found] == [("one", 3, "no disk"), ("two", 4, "")]


# -- lines -----------------------------------------------------------------------------------------------


def test_no_name_ends_a_line_or_speaks_to_a_terminal():
    line = write_line(record_of(EVIL))
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert not any(byte < 0x20 or byte == 0x7F for byte in line[:-1])
    assert json.loads(line)["who"] == "alice@example.com"
    assert len(write_line(record_of("n" * 1_000_000))) < 1_000


async def test_a_file_that_is_moved_away_or_cut_off_is_gone_on_with(tmp_path):
    path = tmp_path / "calls.jsonl"
    sink = LinesSink(str(path))
    await sink.write([record_of("a"), record_of("b")])
    path.rename(tmp_path / "calls.jsonl.1")
    await sink.write([record_of("c")])
    await sink.write([record_of("d")])
    os.truncate(path, 0)
    await sink.write([record_of("e")])
    await sink.close()
    names = [
        [json.loads(line)["name"] for line in file.read_bytes().splitlines()] for file in sorted(tmp_path.iterdir())
    ]
    assert names == [["e"], ["a", "b"]]
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(SettingsError, match="cannot be written"):
        LinesSink(str(tmp_path))


async def test_a_disk_that_is_full_leaves_no_torn_record(tmp_path, monkeypatch):
    path, room = tmp_path / "calls.jsonl", [50]
    sink, write = LinesSink(str(path)), os.write

    def write_a_little(file, data):
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        count, room[0] = write(file, data[: room[0]]), 0
        return count

    monkeypatch.setattr(lines_module.os, "write", write_a_little)
    with pytest.raises(OSError, match="No space"):
        await sink.write([record_of("a")])
    monkeypatch.setattr(lines_module.os, "write", write)
    await sink.write([record_of("a")])
    torn, whole = path.read_bytes().splitlines()
    assert (len(torn), json.loads(whole)["name"]) == (50, "a")


@pytest.mark.usefixtures("impatient")
async def test_a_pipe_that_nobody_reads_holds_up_neither_calls_nor_the_end(tmp_path):
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    outbox = Outbox(LinesSink(str(fifo)), 200)
    for _ in range(300):
        outbox.put(record_of("n" * 150))
    await outbox.close()
    assert outbox.trouble.dropped == 300
    assert select.select([reading], [], [], 60)[0], "a slow machine may write only now"
    held = os.read(reading, 1_000_000)
    os.close(reading)
    assert {json.loads(line)["name"] for line in held.splitlines()[:-1]} == {"n" * 150}


# -- the chain -------------------------------------------------------------------------------------------


@pytest.fixture
def store():
    clock = MovedClock()
    return Pieces(MemoryRecordStore(clock), clock)


async def test_calls_of_several_workers_are_one_chain_without_addresses(store):
    logs = [log_on(store, SuiteCipher()) for _ in range(3)]
    sinks = [ChainSink(log) for log in logs]
    batches = [[record_of(f"{worker}-{number}", error="") for number in range(50)] for worker in range(3)]
    await asyncio.gather(*(sink.write(batch[:25]) for sink, batch in zip(sinks, batches, strict=True)))
    await asyncio.gather(*(sink.write(batch[25:]) for sink, batch in zip(sinks, batches, strict=True)))
    entries = [entry async for entry in read(store.audit)]
    assert sorted(entry.facts["name"] for entry in entries) == sorted(each.name for batch in batches for each in batch)
    assert "example.com" not in str(entries)
    verdict = await verify(store.audit, SuiteSigner())
    assert (verdict.entries, verdict.broken) == (150, None)
    shown = await describe_call(entries[0], Names(logs[0].pseudonyms))
    assert (shown["actor_address"], shown["client"], shown["seconds"]) == ("alice@example.com", "program", "0.0")


async def test_who_cannot_be_named_is_recorded_all_the_same(store, caplog):
    await ChainSink(log_on(store, SuiteCipher())).write([record_of("a")])

    class Other(SuiteCipher):
        def unseal(self, sealed, *, associated_data):
            from latchpin.errors import Unsealable

            raise Unsealable("another secret")

    await ChainSink(log_on(store, Other())).write([record_of("b")])
    with caplog.at_level(logging.ERROR):
        entries = [entry async for entry in read(store.audit)]
    assert [entry.actor == "person-unknown" for entry in entries] == [False, True]


async def test_no_cell_of_the_export_is_a_formula_or_ends_a_row(store, capsys):
    log: AuditLog = log_on(store, SuiteCipher())
    names = ["=cmd|' /C calc'!A1", "+1", "-1", "@SUM(1)", "\t=1", "a\r\n=1,b", EVIL, "é"]
    await ChainSink(log).write([record_of(name) for name in names])
    write = _csv_writer(CALL_COLUMNS, names=False)
    async for entry in read(store.audit):
        write(await describe_call(entry))
    out = capsys.readouterr().out
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == len(names)
    assert not [cell for row in rows for cell in row.values() if cell[:1] in {"=", "+", "-", "@", "\t", "\r", "\n"}]
    assert "\x1b" not in out
    assert rows[-1]["name"] == "é"
    assert set(CALL_COLUMNS) - {"number"} == {*MEMBERS} - {"gateway"}
