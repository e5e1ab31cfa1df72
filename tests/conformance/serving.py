"""The suite's ``server`` scenarios: at the reference server, and at both endpoints of the gateway in front of it.

A gateway answers as the server behind it does. So what counts is that nothing comes out otherwise through it.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx
from mcp.shared.inbound import decode_header_value, encode_header_value
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.servers.processes import HOST, Reservation, ServerProcess, serve_asgi
from tests.servers.programs import Node

__all__ = ["DIFFERS", "Renaming", "Served", "judge_served", "parse_marks", "render_served", "run_serving"]

REVISIONS = ("2025-11-25", "2026-07-28")
ROOT = Path(__file__).parents[2]
SLUG = "reference"
"""Of the reference server at the one endpoint."""

Place = Literal["its own", "the one"]
"""An endpoint of the gateway's."""

Marks = dict[str, tuple[int, int]]
"""How many checks passed and did not, by scenario."""

_SUBSCRIBES = "subscriptions to single resources are not served there, and it does not say that they are"
DIFFERS: dict[tuple[Place, str], str] = {
    ("the one", "resources-subscribe"): _SUBSCRIBES,
    ("the one", "resources-unsubscribe"): _SUBSCRIBES,
}
"""The scenarios that come out worse at an endpoint than at the server, each with the reason."""

_ABOUT = """## As a server, before a reference server

The suite's `server` scenarios, once at a server with all that they ask for (`tests/conformance/reference.py`, on the
official Python SDK), once at the gateway's own endpoint in front of it, and once at the [one
endpoint](one-endpoint.md). The suite has no option for a token, so a small server of the tests adds one on the way. The
suite calls things by fixed names, which begin with the server's slug at the one endpoint: there the same small server
puts the slug before what a request names, and takes it from what a list names (`tests/conformance/serving.py`). It
changes nothing else. The part fails if anything comes out worse through the gateway and is not explained below.

Each scenario by endpoint and revision: how many checks passed there and at the server, or how many of how many.
"""


@dataclass(frozen=True, slots=True)
class Served:
    """One scenario.

    Attributes:
        place: the endpoint.
        direct: how many checks passed and failed at the server itself.
        through: the same through the gateway.
    """

    place: Place
    revision: str
    scenario: str
    direct: tuple[int, int]
    through: tuple[int, int]


def run_serving(node: Node, program: Path, base_url: str, bearer: Callable[[], str], output: Path) -> list[Served]:
    """Run all scenarios that the revisions require, in both places.

    Args:
        node: runs the suite.
        program: the suite's.
        base_url: the gateway's.
        bearer: gives a token of somebody who may make gateways.
        output: a folder for the suite's files.
    """
    with _start_reference() as server:
        headers = {"authorization": f"Bearer {bearer()}"}
        entry = {"name": SLUG, "url": server, "auth_type": "none"}
        made = httpx.post(f"{base_url}/gateways", json=entry, headers=headers, trust_env=False, timeout=60)
        own = f"{base_url}/gateways/{made.raise_for_status().json()['id']}/mcp"
        with (
            start_bearer(own, bearer()) as its_own,
            start_bearer(f"{base_url}/mcp", bearer(), Renaming(SLUG)) as the_one,
        ):
            places: dict[Place, str] = {"its own": its_own, "the one": the_one}
            served = []
            for revision in REVISIONS:
                direct = _run(node, program, revision, server, output / f"direct-{revision}")
                for place, url in places.items():
                    folder = output / f"{place.replace(' ', '-')}-{revision}"
                    served += _pair(place, revision, direct, _run(node, program, revision, url, folder))
            return served


@contextmanager
def _start_reference() -> Iterator[str]:
    with Reservation() as reserved:
        command = [sys.executable, "-W", "ignore", "-m", "tests.conformance.reference", str(reserved.port)]
        with ServerProcess(command, cwd=ROOT) as process:
            process.wait_for_output("running on", timeout=60)
            yield f"http://{HOST}:{reserved.port}/mcp"


def _run(node: Node, program: Path, revision: str, url: str, output: Path) -> Marks:
    command = [str(program), "server", "--url", url, "--requirements", revision, "--output-dir", str(output)]
    output.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        command, env=node.environment({}), capture_output=True, text=True, errors="replace", check=False
    )
    (output / "suite.log").write_text(done.stdout + done.stderr)
    if not (marks := parse_marks(done.stdout)):
        raise RuntimeError(f"{' '.join(command)} gave no summary:\n{(done.stdout + done.stderr)[-4000:]}")
    return marks


def parse_marks(said: str) -> Marks:
    """How many checks passed and did not, by scenario, from the suite's summary."""
    summary = said.partition("=== SUMMARY ===")[2].partition("\nTotal:")[0]
    found = re.findall(r"^[✓✗] (\S+): (\d+) passed, (\d+) failed(?:, (\d+) warnings?)?", summary, re.MULTILINE)
    return {name: (int(passed), int(failed) + int(warned or 0)) for name, passed, failed, warned in found}


def _pair(place: Place, revision: str, direct: Marks, through: Marks) -> list[Served]:
    none = (0, 1)
    return [
        Served(place, revision, name, direct.get(name, none), through.get(name, none)) for name in {**direct, **through}
    ]


def judge_served(served: Sequence[Served]) -> list[str]:
    """What speaks against these results, a line each: what the gateway spoils, and reasons that hold no more."""
    spoiled = {(each.place, each.scenario) for each in served if each.through[1] > each.direct[1]}
    lines = [
        f"server {name} comes out worse at {place} endpoint than at the server"
        for place, name in sorted(spoiled - DIFFERS.keys())
    ]
    return lines + [
        f"server {name} is said to differ at {place} endpoint, and does not"
        for place, name in sorted(DIFFERS.keys() - spoiled)
    ]


def render_served(served: Sequence[Served]) -> str:
    """The part of the page about them."""
    columns = list(dict.fromkeys((each.place, each.revision) for each in served))
    lines = [
        _ABOUT,
        f"| scenario | {' | '.join(f'{place}, {revision}' for place, revision in sorted(columns))} |",
        "|---" * (len(columns) + 1) + "|",
    ]
    by_place = {(each.scenario, each.place, each.revision): each for each in served}
    for scenario in sorted({each.scenario for each in served}):
        cells = [_cell(by_place.get((scenario, *column))) for column in sorted(columns)]
        lines.append(f"| `{scenario}` | {' | '.join(cells)} |")
    lines += [
        "",
        "What does not pass at the server itself is no matter of the gateway: the SDK has no `tasks`, an extension.",
    ]
    if DIFFERS:
        lines += ["", *(f"- `{name}` at {place} endpoint: {reason}" for (place, name), reason in DIFFERS.items())]
    return "\n".join(lines) + "\n"


def _cell(served: Served | None) -> str:
    if served is None:
        return ""
    if served.through == served.direct and not served.through[1]:
        return f"pass ({served.through[0]})"
    direct, through = (f"{passed} of {passed + failed}" for passed, failed in (served.direct, served.through))
    return f"{through} in both" if direct == through else f"{through}; {direct} at the server"


# What the suite has no option for: a server in front of an endpoint that adds a token to each request.


_OURS = frozenset({"authorization", "content-length", "transfer-encoding", "connection"})
_THEIRS = frozenset({"transfer-encoding", "connection"})
_OF_BYTES = frozenset({"content-length", "content-encoding"})


class _Bearer:
    """Passes on what comes, with the token. Who addresses this server rightly addresses the endpoint rightly."""

    def __init__(self, url: str, token: str, renaming: Renaming | None) -> None:
        self._url = url
        self._token = token
        self._renaming = renaming
        self._http = httpx.AsyncClient(trust_env=False, timeout=None)  # streams last as long as they like

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        headers = self._headers(request, "{}:{}".format(*scope["server"]))
        body = await request.body()
        if self._renaming is not None:
            headers = [(name, self._renaming.header(name, value)) for name, value in headers]
            body = self._renaming.request(body)
        passed = self._http.build_request(request.method, self._url, headers=headers, content=body)
        answer = await self._http.send(passed, stream=True)
        try:
            kept = {name: value for name, value in answer.headers.items() if name not in _THEIRS}
            if self._renaming is not None and kept.get("content-type") == "application/json":  # as all lists are there
                whole = self._renaming.answer(await answer.aread())
                kept = {name: value for name, value in kept.items() if name not in _OF_BYTES}
                await Response(whole, answer.status_code, kept)(scope, receive, send)
                return
            streamed = StreamingResponse(answer.aiter_raw(), answer.status_code, kept)
            await streamed(scope, receive, send)
        finally:
            await answer.aclose()

    def _headers(self, request: Request, here: str) -> list[tuple[str, str]]:
        there = httpx.URL(self._url).netloc.decode()
        passed = [
            (name, value.strip().replace(here, there) if name in {"host", "origin"} else value.strip())
            for name, value in request.headers.items()
            if name not in _OURS
        ]
        return [*passed, ("authorization", f"Bearer {self._token}")]


@contextmanager
def start_bearer(url: str, token: str, renaming: Renaming | None = None) -> Iterator[str]:
    """Serve it in front of ``url``; give where it is."""
    app: ASGIApp = _Bearer(url, token, renaming)
    with socket.create_server((HOST, 0)) as listener, serve_asgi(app, sock=listener):
        yield f"http://{HOST}:{listener.getsockname()[1]}/mcp"


_HEADER = "mcp-name"
_LISTS = {"tools": "name", "prompts": "name", "resources": "uri", "resourceTemplates": "uriTemplate"}


class Renaming:
    """Names of one server's tools, prompts and resources, as the one endpoint gives them, and back.

    The suite calls things by fixed names. At the one endpoint they begin with the server's slug. So the small server of
    the tests that adds a token renames them too, and nothing else: in a request what it is about, in a list each entry.
    """

    def __init__(self, slug: str) -> None:
        self._slug = slug

    def header(self, name: str, value: str) -> str:
        """A header field of a request."""
        if name != _HEADER:
            return value
        decoded = decode_header_value(value)
        return value if decoded is None else encode_header_value(self._exposed(decoded))

    def request(self, body: bytes) -> bytes:
        """A request's body; as it is where it names nothing, or is no request."""
        try:
            message = json.loads(body)
        except ValueError:
            return body
        params = message.get("params") if isinstance(message, dict) else None
        if not isinstance(params, dict):
            return body
        changed = [_rename(place, key, self._exposed) for place, key in _named(message.get("method"), params)]
        return json.dumps(message).encode() if any(changed) else body

    def answer(self, body: bytes) -> bytes:
        """An answer's body; as it is where it lists nothing."""
        try:
            message = json.loads(body)
        except ValueError:
            return body
        result = message.get("result") if isinstance(message, dict) else None
        if not isinstance(result, dict):
            return body
        changed = [_rename(place, key, self._own) for place, key in _listed(result)]
        return json.dumps(message).encode() if any(changed) else body

    def _exposed(self, name: str) -> str:
        return f"{self._slug}+{name}" if "://" in name else f"{self._slug}__{name}"

    def _own(self, name: str) -> str:
        return name.removeprefix(f"{self._slug}+").removeprefix(f"{self._slug}__")


def _named(method: object, params: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Where a request says what it is about."""
    if method in {"tools/call", "prompts/get"}:
        yield params, "name"
    if isinstance(method, str) and method.startswith("resources/"):
        yield params, "uri"
    if method == "completion/complete" and isinstance(params.get("ref"), dict):
        yield params["ref"], "name"
        yield params["ref"], "uri"


def _listed(result: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    for kind, key in _LISTS.items():
        entries = result.get(kind)
        for entry in entries if isinstance(entries, list) else ():
            yield entry, key


def _rename(place: dict[str, Any], key: str, rename: Callable[[str], str]) -> bool:
    value = place.get(key)
    if not isinstance(value, str):
        return False
    place[key] = rename(value)
    return True
