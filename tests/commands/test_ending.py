"""A command that runs until it is told to end hears every way of being told."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest
from latchpin.commands import ending
from latchpin.commands.ending import until_told

from tests.conftest import hear_signals
from tests.servers import ServerProcess
from tests.servers.gateway import clean_environment

COMMAND = """
import asyncio, sys
from latchpin.commands.ending import until_told

async def work():
    try:
        print("up", flush=True)
        await asyncio.Event().wait()
    finally:
        print("closed in order", file=sys.stderr, flush=True)

sys.exit(0 if asyncio.run(until_told(work())) else 1)
"""

WAYS = [
    # the shell's word before it, the signal, why
    ("", signal.SIGINT, "Ctrl-C"),
    ("", signal.SIGTERM, "kill, or a service's stop"),
    ("", signal.SIGHUP, "the terminal is gone"),
    ("trap '' INT;", signal.SIGTERM, "in the background of a shell without job control, which ignores SIGINT"),
    ("trap '' HUP;", signal.SIGTERM, "under nohup"),
]


def run_shell(script, *more):
    command = ["/bin/sh", "-c", script, sys.executable, COMMAND, *more]
    return ServerProcess(command, env=clean_environment({}))


@pytest.mark.parametrize(("before", "number", "why"), WAYS)
def test_a_signal_ends_it_in_order(before, number, why):
    with run_shell(f'{before} exec "$0" -c "$1"') as process:
        process.wait_for_output("up")
        process.send(number)
        assert process.wait() == 0, why
        assert process.output.endswith("closed in order\n"), why


def test_it_ends_when_nobody_reads_it_although_it_has_nothing_to_say():
    with run_shell('{ "$0" -c "$1"; echo "ended with $?" >&2; } | head -n 1') as process:
        process.wait_for_output("ended with 0")
        assert process.wait() == 0
        assert "Traceback" not in process.output
        assert "BrokenPipe" not in process.output


async def test_writing_to_nobody_is_being_told(monkeypatch):
    closed = []
    monkeypatch.setattr(ending, "_write_to_nobody", lambda: closed.append(True))

    async def work():
        raise BrokenPipeError

    assert await until_told(work())
    assert closed


async def test_work_that_ends_by_itself_was_not_told_and_its_failure_is_the_callers(monkeypatch):
    monkeypatch.setattr(ending, "LOOK_SECONDS", 60)

    async def fail():
        raise LookupError("it")

    assert not await until_told(asyncio.sleep(0))
    with pytest.raises(LookupError, match="it"):
        await until_told(fail())


def test_what_the_tests_start_hears_signals_whoever_started_the_tests():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        hear_signals()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_every_command_without_an_end_of_its_own_is_told_to_end_in_this_one_way():
    root = Path(ending.__file__).parents[4]
    commands = [path for path in root.glob("*/src/latchpin/commands/*.py") if "typer" in path.read_text()]
    commands += [path for path in root.glob("plugins/*/src/*/*.py") if "import typer" in path.read_text()]
    endless = [path for path in commands if "while True" in path.read_text() or ".ended})" in path.read_text()]
    assert {path.name for path in endless} >= {"command.py"}
    assert [path.name for path in endless if "until_told(" not in path.read_text()] == []
