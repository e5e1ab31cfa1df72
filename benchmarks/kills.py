"""What is lost when workers are killed: ``python -m benchmarks.kills --backends sqlite,postgres,redis --kills 200``.

``latchpin serve --workers 3`` on a real backend, and a provider in a process of its own that takes each code and each
refresh token once. People authorize, and then call through the proxy with tokens that are expired at once, so that
every call refreshes. All the while a worker is killed (SIGKILL) at a random moment, and again when another one is in
its place. Whoever's connection breaks asks the same again, as a browser that reloads and an agent that retries do.

Each outcome is counted. Some are said in docs/deploy.md, "Workers", and are no fault: what was under
way in the killed worker. Everything else is: then what happened is printed, and the exit status is 1. Memory cannot be
asked: it serves with one worker, and what it keeps ends with that worker.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import multiprocessing
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import jwt
import uvicorn

from benchmarks.flows import JWT_KEY, add_gateway, backend_environment, serve_gateway
from tests.servers.gateway import LatchpinProcess
from tests.servers.processes import Reservation

CALLS = 4
UNREAD = 5.0
"""Seconds that a request may wait at the provider, on a busy machine, after its sender was killed."""
LEASE = 34.0
"""Seconds after which another worker refreshes in the place of one that died: OAUTH_REQUEST_TIMEOUT and 15, nearly.

A worker that died with the answer in its hands had closed the connection already: its port names nobody any more. One
that lives and holds the lease would have kept the new token long before.
"""
THOUGHT = 0.5
"""Seconds that a person thinks at the most between two things."""
PATIENCE = 180
SLOW = 0.15
"""Seconds that the provider takes at the most before it carries out a request, and again before it answers."""
TRACEBACK = "Traceback (most recent call last):"


# -- the provider, in a process of its own ------------------------------------------------------------


@dataclass
class Provider:
    """Redeems each code once and each refresh token once; tells what it saw at ``/seen``."""

    codes: Counter[str] = field(default_factory=Counter)
    refreshes: list[tuple[str, int, float, float]] = field(default_factory=list)
    """Refresh token, the port it came from, when it came, when its answer was made."""
    current: dict[str, int] = field(default_factory=dict)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", scope["type"] == "http"
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if scope["path"] == "/seen":
            await _answer(send, 200, {"codes": self.codes, "refreshes": self.refreshes})
        elif scope["path"] == "/token":
            came = time.monotonic()
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            await asyncio.sleep(random.random() * SLOW)
            status, document = self._redeem(form, scope["client"][1], came)
            await asyncio.sleep(random.random() * SLOW)
            await _answer(send, status, document)
        else:
            await _answer(send, 200, {"jsonrpc": "2.0", "id": 1, "result": {}})

    def _redeem(self, form: dict[str, str], port: int, came: float) -> tuple[int, dict[str, Any]]:
        if "code" in form:
            family, number = form["code"], 0
            self.codes[family] += 1
            taken = self.codes[family] == 1
        else:
            family, _, text = form["refresh_token"].rpartition(".")
            number = int(text) + 1
            self.refreshes.append((form["refresh_token"], port, came, time.monotonic()))
            taken = self.current.get(family) == int(text)
        if not taken:
            self.current.pop(family, None)  # taken for a theft: the whole family ends
            return 400, {"error": "invalid_grant"}
        self.current[family] = number
        tokens = {"access_token": f"{family}-{number}", "refresh_token": f"{family}.{number}"}
        return 200, {**tokens, "token_type": "Bearer", "expires_in": 1}


async def _answer(send: Any, status: int, document: Any) -> None:
    body = json.dumps(document).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _serve_provider(port: int) -> None:
    uvicorn.run(Provider(), port=port, log_level="critical", access_log=False, lifespan="off")


def _wait_for(port: int) -> None:
    """Return when the provider takes connections: on a busy machine its process starts after the gateway's."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


@contextlib.contextmanager
def provider() -> Iterator[str]:
    with Reservation() as reservation:
        arguments = (reservation.port,)
        process = multiprocessing.get_context("spawn").Process(target=_serve_provider, args=arguments, daemon=True)
        process.start()
        try:
            _wait_for(reservation.port)
            yield f"http://127.0.0.1:{reservation.port}"
        finally:
            process.terminate()
            process.join()


# -- the workers and their end ------------------------------------------------------------------------


@dataclass(frozen=True)
class Kill:
    """One worker's end: when, and which ports it had connections from."""

    at: float
    ports: frozenset[int]


def workers_of(supervisor: int) -> list[int]:
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return [int(pid) for pid in children if b"uvicorn worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def ports_of(pid: int) -> frozenset[int]:
    """The local ports of a process that stands still."""
    links = (str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir())
    inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
    lines = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return frozenset(int(words[1].partition(":")[2], 16) for words in lines if words[9] in inodes)


def kill_one(supervisor: int, *, but: int | None = None) -> Kill:
    """Kill one of the workers, ``but`` for that one."""
    victim = random.choice([pid for pid in workers_of(supervisor) if pid != but])
    os.kill(victim, signal.SIGSTOP)
    try:
        return Kill(time.monotonic(), ports_of(victim))
    finally:
        os.kill(victim, signal.SIGKILL)


async def kill_many(process: LatchpinProcess, kills: int, workers: int, minutes: float) -> list[Kill]:
    done: list[Kill] = []
    end = time.monotonic() + minutes * 60
    while len(done) < kills and time.monotonic() < end:
        await asyncio.sleep(random.random())
        done.append(kill_one(process.pid))
        await asyncio.to_thread(
            process.wait_for_output, "Application startup complete", times=workers + len(done), timeout=PATIENCE
        )
    return done


# -- people and their agents --------------------------------------------------------------------------


@dataclass
class Crowd:
    """People at one gateway, and what became of what they did."""

    base: str
    gateway: str
    session: aiohttp.ClientSession
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    burnt: set[str] = field(default_factory=set)
    kills: int = 0
    over: bool = False

    async def ask(self, method: str, path: str, user: str, **headers: str) -> tuple[int, dict[str, str], str] | None:
        """The answer; None if the connection broke."""
        headers |= {"Authorization": f"Bearer {bearer(self.base, f'{user}@example.com')}", "Accept": "application/json"}
        body = b"{}" if method == "POST" else None
        try:
            async with self.session.request(
                method, self.base + path, headers=headers, data=body, allow_redirects=False
            ) as answer:
                return answer.status, dict(answer.headers), await answer.text()
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
            return None

    async def insist(self, *words: str, **headers: str) -> tuple[tuple[int, dict[str, str], str], bool]:
        """The answer, and whether it took more than one try."""
        for number in itertools.count():
            if (answer := await self.ask(*words, **headers)) is not None:
                return answer, number > 0
        raise AssertionError

    def fault(self, what: str, user: str, answer: tuple[int, dict[str, str], str]) -> None:
        self.outcomes[f"FAULT: {what}"] += 1
        self.faults.append(f"{what}: {user}: {answer[0]} {answer[2][:300]}")

    async def live(self, number: int) -> None:
        """One person's life: an authorization, some calls, and the next."""
        for turn in itertools.count():
            user = f"p{number}-{turn}"
            if self.over or not await self.authorize(user):
                if self.over:
                    return
                continue
            for _ in range(CALLS):
                await asyncio.sleep(random.random() * THOUGHT)
                if self.over or not await self.call(user):
                    break

    async def authorize(self, user: str) -> bool:
        begun, _ = await self.insist("GET", f"/oauth/authorize/{self.gateway}", user)
        if begun[0] != 302:
            self.fault("authorize", user, begun)
            return False
        state = parse_qs(urlsplit(begun[1]["Location"]).query)["state"][0]
        cookie = begun[1]["Set-Cookie"].partition(";")[0]
        path = f"/oauth/callback?code={user}&state={state}"
        answer, again = await self.insist("GET", path, user, Cookie=cookie)
        if answer[0] == 200:
            self.outcomes["authorized" + (" when the same link was opened again" if again else "")] += 1
            return True
        if not again or '"state-used"' not in answer[2]:
            self.fault("callback", user, answer)
            return False
        status, _ = await self.insist("GET", f"/oauth/status/{self.gateway}", user)
        if json.loads(status[2])["user_token_status"]["authorized"]:
            self.outcomes["authorized, its page lost"] += 1
            return True
        self.burnt.add(user)
        return False

    async def call(self, user: str) -> bool:
        """Two agents of one person at once: they share one refresh. Whether the person is still connected."""
        path = f"/gateways/{self.gateway}/mcp"
        headers = {"Content-Type": "application/json"}
        answers = await asyncio.gather(*(self.insist("POST", path, user, **headers) for _ in range(2)))
        broken = any(again for _, again in answers)
        for answer, again in answers:
            if answer[0] == 200:
                self.outcomes["call served" + (" when asked again" if again else "")] += 1
            elif broken and '"authorization-required"' in answer[2]:
                self.outcomes["call: authorize again, the answer died with the worker"] += 1
            else:
                self.fault("call", user, answer)
        return all(answer[0] == 200 for answer, _ in answers)

    def judge(self, seen: dict[str, Any], kills: list[Kill]) -> None:
        """What the provider saw, against who was killed when."""
        for user in self.burnt:
            redeemed = "after its code was redeemed" if user in seen["codes"] else "before its code was redeemed"
            self.outcomes[f"link used up, to begin again: killed {redeemed}"] += 1
        for code, times in seen["codes"].items():
            if times > 1:
                self.fault("a code was redeemed twice", code, (times, {}, ""))
        first: dict[str, tuple[int, float, float]] = {}
        for token, port, came, answered in seen["refreshes"]:
            if token not in first:
                first[token] = (port, came, answered)
                continue
            sent_by, began, ended = first[token]
            if any(sent_by in kill.ports and began - UNREAD <= kill.at <= came for kill in kills):
                self.outcomes["refresh token sent again, its worker killed meanwhile"] += 1
            elif came - ended >= LEASE and any(began <= kill.at <= ended + UNREAD for kill in kills):
                self.outcomes["refresh token sent again after the lease, a worker killed with the answer"] += 1
            else:
                self.fault("a refresh token was sent twice", token, (0, {}, f"{began} {ended} {came}"))


def bearer(base: str, email: str) -> str:
    claims = {"iss": base, "aud": base, "exp": int(time.time()) + 600, "email": email}
    return jwt.encode(claims, JWT_KEY, algorithm="HS256")


@contextlib.asynccontextmanager
async def open_crowd(base: str, gateway: str) -> AsyncIterator[Crowd]:
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout
    ) as session:
        session._retry_connection = False  # noqa: SLF001  else it asks for a callback again without a word
        yield Crowd(base, gateway, session)


def tracebacks_in(output: str) -> list[str]:
    """What the gateway wrote of what it did not foresee, which its answers do not tell."""
    found: list[list[str]] = []
    inside = False
    for line in output.splitlines():
        if not inside and TRACEBACK in line:  # that of a group has blanks before it
            found.append([])
            inside = True
        if inside:
            found[-1].append(line)
            inside = line.startswith((" ", "Traceback "))
    return ["\n".join(lines[-12:]) for lines in found]


async def run(process: LatchpinProcess, origin: str, arguments: argparse.Namespace) -> Crowd:
    gateway = await asyncio.to_thread(add_gateway, process.base_url, origin)
    async with open_crowd(process.base_url, gateway) as crowd:
        people = [asyncio.create_task(crowd.live(number)) for number in range(arguments.people)]
        kills = await kill_many(process, arguments.kills, arguments.workers, arguments.minutes)
        crowd.over, crowd.kills = True, len(kills)
        await asyncio.gather(*people)
        async with crowd.session.get(f"{origin}/seen") as answer:
            crowd.judge(await answer.json(), kills)
    return crowd


def measure(name: str, arguments: argparse.Namespace) -> Crowd:
    with (
        tempfile.TemporaryDirectory() as folder,
        backend_environment(name, Path(folder)) as environment,
        provider() as origin,
    ):
        command = ("serve", "--workers", str(arguments.workers))
        settings = {"OAUTH_REQUEST_TIMEOUT": "20", "MAX_PENDING": "1000000", "LOG_LEVEL": "INFO"}
        with serve_gateway(environment, Path(folder), *command, **settings) as process:
            process.wait_for_output("Application startup complete", times=arguments.workers)
            crowd = asyncio.run(run(process, origin, arguments))
            if crowd.faults:
                crowd.faults += tracebacks_in(process.output)
            return crowd


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", default="sqlite,postgres,redis")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=60, help="stop after so many, for each backend")
    parser.add_argument("--people", type=int, default=12)
    parser.add_argument("--workers", type=int, default=3)
    arguments = parser.parse_args()
    faulty = False
    for name in arguments.backends.split(","):
        if name == "memory":
            print("memory: serves with one worker, and what it keeps ends with that worker: not asked")
            continue
        began = time.monotonic()
        crowd = measure(name, arguments)
        print(f"{name}: {crowd.kills} kills in {time.monotonic() - began:.0f} s", flush=True)
        for outcome, count in sorted(crowd.outcomes.items()):
            print(f"  {count:7} {outcome}")
        for line in [*crowd.faults[:10], *crowd.faults[10:][-10:]]:
            print(f"    {line}")
        faulty = faulty or bool(crowd.faults)
    sys.exit(1 if faulty else 0)


if __name__ == "__main__":
    main()
