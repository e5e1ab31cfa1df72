"""Starts ``latchpin`` in processes that need not import anything: that takes longer than most of what they do.

One process has imported all that the core and the plugins import. For each start, a copy of it (``fork``) takes the
arguments, the environment, the folder and the streams, and does what the installed ``latchpin`` does from there on.
Where that has several workers, which are spawned, a further copy is ready for each: it becomes the worker instead of a
new interpreter, and has nothing of what its supervisor did. One that replaces a worker is really spawned.
"""

from __future__ import annotations

import array
import atexit
import builtins
import contextlib
import fcntl
import functools
import gc
import importlib
import json
import multiprocessing.util
import os
import pkgutil
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from importlib.metadata import Distribution, MetadataPathFinder, entry_points
from pathlib import Path
from typing import IO, Any

_LONGEST = 1 << 17
_MOST_WORKERS, _MOST_GIVEN, _ABOVE_ALL_GIVEN = 8, 64, 512
_NUMBER = "i"
_LOCK = threading.Lock()


class ForkedLatchpin:
    """One such process, as ``subprocess.Popen`` has it.

    Attributes:
        args: the command line.
        pid: the process id.
        returncode: the exit status; None while nobody has seen it end.
        stdout: what it writes, where that is ``PIPE``.
    """

    def __init__(
        self,
        args: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        stdin: IO[Any] | int,
        stdout: IO[Any] | int,
        stderr: IO[Any] | int,
        start_new_session: bool = False,
        errors: str = "strict",
        **_: Any,
    ) -> None:
        self.args = list(args)
        self.returncode: int | None = None
        self.stdout: IO[str] | None = None
        self._seen = threading.Lock()
        self._answer, theirs = socket.socketpair()
        self._answer_number = self._answer.fileno()
        with contextlib.ExitStack() as given, theirs:
            if stdin == subprocess.DEVNULL:
                stdin = given.enter_context(Path(os.devnull).open())
            if stdout == subprocess.PIPE:
                ours, written = os.pipe()
                self.stdout = os.fdopen(ours, errors=errors)
                stdout = given.enter_context(os.fdopen(written, "w"))
            streams = [stdin, stdout, stdout if stderr == subprocess.STDOUT else stderr]
            request = {"arguments": self.args[1:], "env": dict(env), "cwd": str(cwd), "session": start_new_session}
            numbers = [each if isinstance(each, int) else each.fileno() for each in streams]
            with _LOCK:
                socket.send_fds(_server(), [json.dumps(request).encode()], [theirs.fileno(), *numbers])
        self.pid = self._number()

    def poll(self) -> int | None:
        """The exit status, if it has ended."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it still runs after ``timeout`` seconds.
        """
        if self.returncode is None:
            ends = select.poll()
            ends.register(self._answer_number, select.POLLIN)
            if not ends.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
        with self._seen:
            if self.returncode is None:
                with self._answer:
                    self.returncode = self._number()
            return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to it, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def _number(self) -> int:
        told = self._answer.recv(4)
        assert told, "the process that forks is gone; its output says why"
        return array.array(_NUMBER, told)[0]


@functools.cache
def _server() -> socket.socket:
    """The way to the process that forks, which ends when we do: then this socket is closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-P", __file__, str(theirs.fileno())]
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], start_new_session=True)
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours


# What follows is done in the process that forks, and in its copies.


_RUN_WHEN_IMPORTED = re.compile(r"\.(__main__|asgi|migrations\..*)$")


_asked_for: dict[str, set[str]] = {}
"""By the name of a package, those that its modules asked for when they were imported, whether or not they are there."""


def _import_all() -> None:
    """Import each module of the core and of the plugins that are installed, and with them what those import."""
    builtins.__import__, given = functools.partial(_note_and_import, builtins.__import__), builtins.__import__
    for package in sorted(_packages()):
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not _RUN_WHEN_IMPORTED.search(module.name):
                with contextlib.suppress(ModuleNotFoundError):  # of an extra that is not installed here
                    importlib.import_module(module.name)
    builtins.__import__ = given
    importlib.import_module("setproctitle").getproctitle()  # it has to find its place before the environment changes
    gc.freeze()


def _note_and_import(
    given: Callable[..., Any], name: str, namespace: Mapping[str, Any] | None = None, *others: Any
) -> Any:
    if namespace is not None:
        _asked_for.setdefault(_top(namespace.get("__name__", "")), set()).add(_top(name))
    return given(name, namespace, *others)


def _top(name: str) -> str:
    return name.partition(".")[0]


def _packages() -> set[str]:
    return {"latchpin", *(point.value.partition(".")[0] for point in entry_points(group="latchpin"))}


def _begin_anew(folders: str, hidden: frozenset[str]) -> None:
    """Be as if nothing had been imported that what is found now could change.

    Args:
        folders: what would be on PYTHONPATH.
        hidden: packages that are not found, neither to be imported nor by their entry points.
    """
    _forget(_packages() if folders else _asking_for(hidden))
    sys.path[:] = [each for each in sys.path if not any(Path(each, name).is_dir() for name in hidden)]
    sys.path[:0] = filter(None, folders.split(os.pathsep))
    importlib.invalidate_caches()
    find: Any = MetadataPathFinder.find_distributions

    def find_others(*context: Any) -> Iterator[Distribution]:
        return (each for each in find(*context) if each.name.replace("-", "_") not in hidden)

    MetadataPathFinder.find_distributions = find_others  # type: ignore[assignment,method-assign]


def _asking_for(hidden: AbstractSet[str]) -> AbstractSet[str]:
    """These packages, and whoever asked for one of them."""
    found = set(hidden)
    while more := {name for name, asked in _asked_for.items() if asked & found} - found:
        found |= more
    return found & _packages()


def _forget(packages: AbstractSet[str]) -> None:
    """Take packages out of the interpreter, with the subclasses that they made of what stays."""
    for name in [name for name in sys.modules if _top(name) in packages]:
        del sys.modules[name]
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    if (errors := sys.modules.get("latchpin.errors")) is not None:
        left = {each.__module__ for each in errors.LatchpinError.__subclasses__() if _top(each.__module__) in packages}
        assert not left, f"{left} are still held"


def _wait_for_a_start(channel: socket.socket) -> None:
    """Return in a copy of this process, which has become the one that was asked for; in this process, never."""
    signal.signal(signal.SIGCHLD, _count_time_of_the_ended)
    while True:
        request, streams, _, _ = socket.recv_fds(channel, _LONGEST, 4)
        if not request:
            os._exit(0)
        if os.fork() == 0:
            channel.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if (started := os.fork()) == 0:
                return _become(json.loads(request), streams)
            for stream in streams[1:]:
                os.close(stream)
            _, status = os.waitpid(started, 0)
            _tell(streams[0], os.waitstatus_to_exitcode(status))
            os._exit(0)
        for stream in streams:
            os.close(stream)


def _count_time_of_the_ended(*_: Any) -> None:
    """Wait for each copy that has watched to the end, so that its time is found where ours is looked up."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def _become(request: Mapping[str, Any], streams: Sequence[int]) -> None:
    if request["session"]:
        os.setsid()
    _tell(streams[0], os.getpid())
    for number, stream in enumerate(streams[1:]):
        os.dup2(stream, number)
    for stream in streams:
        os.close(stream)
    sys.stdin, sys.stdout = open(0), open(1, "w", buffering=1)  # noqa: SIM115  to the end
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace")  # noqa: SIM115
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    os.chdir(request["cwd"])
    sys.argv = ["latchpin", *request["arguments"]]
    folders, hidden = os.environ.get("PYTHONPATH", ""), frozenset(os.environ.get("HIDDEN_PACKAGES", "").split())
    if folders or hidden:
        _begin_anew(folders, hidden)
    _keep_workers_ready(_workers_of(sys.argv))


def _workers_of(arguments: Sequence[str]) -> int:
    """How many workers will be spawned, as far as the arguments or the environment say it."""
    if "serve" not in arguments:
        return 0
    named = arguments[arguments.index("--workers") + 1 :] if "--workers" in arguments else ()
    told = next(iter(named), os.environ.get("WORKERS", ""))
    return int(told) if told.isdecimal() and 1 < int(told) <= _MOST_WORKERS else 0


def _keep_workers_ready(number: int) -> None:
    """Let what multiprocessing spawns be a copy of this process as it is now, as often as ``number``."""
    ready: list[tuple[int, socket.socket]] = []
    for _ in range(number):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if (started := os.fork()) == 0:
            for each in (ours, *(channel for _, channel in ready)):
                each.close()
            _wait_to_be_spawned(theirs)
            sys.exit()
        theirs.close()
        ready.append((started, ours))
    spawn = multiprocessing.util.spawnv_passfds

    def take_one(path: bytes, args: Sequence[Any], passfds: Sequence[int]) -> int:
        code = next((each for each in args if isinstance(each, str) and "spawn_main" in each), "")
        if not ready or not code:
            return int(spawn(path, args, passfds))
        started, channel = ready.pop(0)
        request = {"code": code, "env": dict(os.environ), "cwd": str(Path.cwd()), "numbers": list(passfds)}
        with channel:
            socket.send_fds(channel, [json.dumps(request).encode()], list(passfds))
        return started

    multiprocessing.util.spawnv_passfds = take_one


def _wait_to_be_spawned(channel: socket.socket) -> None:
    """Do what a new interpreter would be told to, with the same numbers of what it is given; nothing if nobody asks."""
    interrupted = signal.signal(signal.SIGINT, signal.SIG_DFL)  # who is not there yet has nothing to say of a Ctrl-C
    with channel:
        text, given, _, _ = socket.recv_fds(channel, _LONGEST, _MOST_GIVEN)
    if not text:
        return
    signal.signal(signal.SIGINT, interrupted)
    request = json.loads(text)
    apart = [fcntl.fcntl(each, fcntl.F_DUPFD, _ABOVE_ALL_GIVEN) for each in given]
    for each in given:
        os.close(each)
    for each, number in zip(apart, request["numbers"], strict=True):
        os.dup2(each, number)
        os.close(each)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.argv = ["-c", "--multiprocessing-fork"]
    exec(request["code"], {})


def _end(code: str | int | None) -> None:
    """End as an interpreter does, but leave it to the system to take back the memory.

    A copy shares what was imported with the process that it comes of: to free each object would copy all of it first.
    """
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code or 0)


def _tell(answer: int, number: int) -> None:
    os.write(answer, array.array(_NUMBER, [number]).tobytes())


if __name__ == "__main__":
    _import_all()
    try:
        _wait_for_a_start(socket.socket(fileno=int(sys.argv[1])))
        from latchpin.commands.main import main

        main()
    except SystemExit as exc:
        _end(exc.code)
    _end(None)
