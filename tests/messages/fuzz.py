"""Messages at random, judged by ``parse_message`` and by what reads them behind it: the official SDKs.

    python -m tests.messages.fuzz --count 100000 [--seed 1] [--packages FOLDER]

What Latchpin serves, every reader reads alike: as request, notification or answer, with the same method, id and
parameters; or it refuses it itself. What a reader might read otherwise is refused here. And what a program plainly
writes is served. Readers are the Python SDK's two, that of its servers with sessions and that of 2026-07-28, the
standard library, one that knows names of members however they are written, as Go's does, and with ``--packages``, a
folder with ``node_modules``, the TypeScript SDK's.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydantic_core
from latchpin.sdk.mcp import CAPABILITIES, MODERN, NAMED_BY, VERSION
from latchpin_mcp.message import Message, Refused, parse_message
from mcp.shared.inbound import InboundModernRoute, classify_inbound_request, encode_header_value
from mcp_types.jsonrpc import JSONRPCNotification, JSONRPCRequest, jsonrpc_message_adapter

from tests.servers.programs import Node, find_node

__all__ = ["Case", "Verdict", "cases", "compare"]

SCRIPT = Path(__file__).with_name("reader.mjs")

Fields = Sequence[tuple[str, str]]
Reading = tuple[str, Any, Any, Any]
"""What kind of message it is, its method, its id and its ``params``."""


@dataclass(frozen=True, slots=True)
class Case:
    """A request.

    Attributes:
        plain: as a program writes it that means no harm: it has to be served.
    """

    body: bytes
    headers: Fields
    plain: bool


@dataclass
class Verdict:
    """What became of many.

    Attributes:
        served: how many we read.
        refused: how many we refused, by why.
        only_here: how many of them a reader of the SDK's would have taken.
        wrong: those that are judged differently, with the reader's name.
    """

    served: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    only_here: int = 0
    wrong: list[tuple[str, Case]] = field(default_factory=list)


# -- readers ------------------------------------------------------------------------------------------------------


def _ours(case: Case) -> Message | str:
    """Our reading; why not, if it is refused."""
    try:
        return parse_message(case.body, [(name.encode(), value.encode("latin-1")) for name, value in case.headers])
    except Refused as exc:
        return f"{exc.code}: {exc.text.partition(':')[0][:50]}"


def _kind_of(message: Mapping[str, Any]) -> Reading:
    method = message.get("method")
    kind = "answer" if method is None else "request" if "id" in message else "notification"
    return kind, method, message.get("id"), message.get("params", {})


def _our_reading(message: Message) -> Reading:
    params = {name: part.value for name, part in message.params.items()}
    kind = "answer" if message.method is None else "notification" if message.id is None else "request"
    return kind, message.method, message.id, params


def read_with_sessions(case: Case) -> Reading | None:
    """As the Python SDK's servers with sessions do."""
    try:
        raw = pydantic_core.from_json(case.body)
        message: Any = jsonrpc_message_adapter.validate_python(raw, by_name=False)
    except ValueError:
        return None
    if isinstance(message, JSONRPCRequest):
        return "request", message.method, message.id, message.params or {}
    if isinstance(message, JSONRPCNotification):
        return "notification", message.method, None, message.params or {}
    return "answer", None, message.id, raw.get("params", {})


def read_modern(case: Case) -> Reading | None:
    """As those of 2026-07-28 do, for which header fields count."""
    try:
        decoded = json.loads(case.body)
        request = JSONRPCRequest.model_validate(decoded)
    except (ValueError, RecursionError):
        return None
    route = classify_inbound_request(decoded, headers=dict(case.headers))
    return (
        ("request", request.method, request.id, request.params or {}) if isinstance(route, InboundModernRoute) else None
    )


def read_plainly(case: Case) -> Reading | None:
    """As Python's standard library does."""
    return _of_members(case, dict)


def read_in_any_case(case: Case) -> Reading | None:
    """As a reader does that takes a member for another whose name is written otherwise: Go's standard library."""
    return _of_members(case, lambda pairs: {name.casefold(): value for name, value in pairs})


def _of_members(case: Case, hook: Callable[[list[tuple[str, Any]]], dict[str, Any]]) -> Reading | None:
    try:
        message = json.loads(case.body, object_pairs_hook=hook)
    except (ValueError, RecursionError):
        return None
    return _kind_of(message) if isinstance(message, dict) else None


NAMES_IN_ANY_CASE, TYPESCRIPT = "names in any case", "the TypeScript SDK"
_LOOSE = frozenset({NAMES_IN_ANY_CASE, TYPESCRIPT})
"""Whose numbers, or names of members, are others than ours further down."""
PYTHON = {
    "the SDK, with sessions": read_with_sessions,
    "the SDK, 2026-07-28": read_modern,
    "the standard library": read_plainly,
    NAMES_IN_ANY_CASE: read_in_any_case,
}


def read_in_typescript(node: Node, packages: Path, asked: Sequence[Case]) -> list[Reading | None]:
    """As the TypeScript SDK does: all at once."""
    script = shutil.copy(SCRIPT, packages)
    lines = "".join(base64.b64encode(case.body).decode() + "\n" for case in asked)
    done = subprocess.run([node.program, script], input=lines, capture_output=True, text=True, check=True, cwd=packages)
    read = [json.loads(line) for line in done.stdout.splitlines()]
    return [None if each is None else _kind_of(each) for each in read]


# -- judging ------------------------------------------------------------------------------------------------------


def compare(asked: Sequence[Case], typescript: Sequence[Reading | None] = ()) -> Verdict:
    """Judge them, beside what the TypeScript SDK reads if that is given."""
    verdict = Verdict()
    for number, case in enumerate(asked):
        readings = {name: read(case) for name, read in PYTHON.items()}
        if typescript:
            readings[TYPESCRIPT] = typescript[number]
        ours = _ours(case)
        if isinstance(ours, str):
            verdict.refused[ours] += 1
            verdict.only_here += any(readings[name] is not None for name in readings if name.startswith("the SDK"))
            if case.plain:
                verdict.wrong.append((f"refused as {ours}", case))
            continue
        verdict.served += 1
        verdict.wrong += [(name, case) for name, reading in readings.items() if _differs(name, ours, reading)]
    return verdict


def _differs(name: str, ours: Message, reading: Reading | None) -> bool:
    if reading is None:
        return False  # it refuses it by itself
    mine = _our_reading(ours)
    if name in _LOOSE:
        return _decides(mine) != _decides(reading)
    return json.dumps(mine) != json.dumps(reading)


def _decides(reading: Reading) -> str:
    """What a decision rests on; all that stands deeper is the server's own."""
    kind, method, message_id, params = reading
    named = [params.get(key) for key in ("name", "uri")] if isinstance(params, dict) else ["none"]
    return json.dumps([kind, method, message_id, [each if isinstance(each, str) else None for each in named]])


def report(verdict: Verdict) -> str:
    """What became of them, a line each."""
    refused = verdict.refused.total()
    lines = [f"{verdict.served} are served, {refused} refused, {verdict.only_here} of them here alone"]
    lines += [f"  {count:6} {why}" for why, count in verdict.refused.most_common()]
    lines.append(f"{len(verdict.wrong)} are judged differently")
    lines += [f"  {name}: {case.body!r} {[*case.headers]}"[:600] for name, case in verdict.wrong[:20]]
    return "\n".join(lines) + "\n"


# -- messages -----------------------------------------------------------------------------------------------------

_METHODS = ("tools/call", "tools/list", "prompts/get", "resources/read", "completion/complete", "ping", "initialize")
_TOLD = ("notifications/cancelled", "notifications/initialized", "notifications/progress")
_NAMES = ("a__b", "a__c", "note://one", "\u00e4__\u00f6", " a", "a ", "", "=?base64?YQ==?=", "\U0001f600__x", "x" * 70)
_ODD = ("null", "true", "0", "-0", "1.0", "1e2", "1e999", "9007199254740993", "-9007199254740992", "123456789" * 12,
        "[]", "{}", '""', '"\\ud800"', '"\\u0000"', "NaN", "-Infinity", "01", "+1", ".5", "'a'", "9" * 5000,
        '{"name":"x","name":"y"}', "[" * 300 + "]" * 300, "undefined")  # fmt: skip
_JOINTS = ("", "", "", " ", "\n", "\t", "\r\n", "\x0b", "\u00a0", "/**/", ",", "\x00")


def cases(seed: int, count: int) -> Iterator[Case]:
    """As many, always the same ones for a seed: a third are plain."""
    random_ = random.Random(seed)
    for number in range(count):
        yield _plain(random_) if number % 3 == 0 else _odd(random_)


def _plain(random_: random.Random) -> Case:
    message, headers = _message(random_)
    text = json.dumps(message, ensure_ascii=random_.random() < 0.5, indent=random_.choice((None, None, 1)))
    return Case(text.encode(), headers, plain=True)


def _odd(random_: random.Random) -> Case:
    message, headers = _message(random_)
    text = _write(random_, message, depth=0)
    body = text.encode("utf-8", "surrogatepass")
    if random_.random() < 0.3:
        body = _spoil(random_, body)
    if random_.random() < 0.2:
        headers = _spoil_headers(random_, headers)
    return Case(body, headers, plain=False)


def _message(random_: random.Random) -> tuple[dict[str, Any], Fields]:
    headers = {"content-type": "application/json"}
    message_id: int | str = random_.choice((1, 0, -7, 2**53 - 1, "1", "", "q-\u00e9", "x" * 40))
    shape = random_.random()
    if shape < 0.15:
        return {"jsonrpc": "2.0", "method": random_.choice(_TOLD), "params": {"requestId": message_id}}, [
            *headers.items()
        ]
    if shape < 0.25:
        return {"jsonrpc": "2.0", "id": message_id, "result": {"content": []}}, [*headers.items()]
    method = random_.choice(_METHODS)
    params: dict[str, Any] = {"arguments": {"a": random_.choice((1, 1.5, None, "\u20ac", [], {"name": "z"}))}}
    if method in NAMED_BY:
        params[NAMED_BY[method]] = random_.choice(_NAMES)
    if random_.random() < 0.5:
        params["_meta"] = {VERSION: MODERN, CAPABILITIES: {}, "progressToken": 7}
        headers |= {"mcp-protocol-version": MODERN, "mcp-method": method}
        if method in NAMED_BY:
            headers["mcp-name"] = encode_header_value(params[NAMED_BY[method]])
    members = [("jsonrpc", "2.0"), ("id", message_id), ("method", method), ("params", params)]
    random_.shuffle(members)
    return dict(members), [*headers.items()]


def _write(random_: random.Random, value: Any, depth: int) -> str:
    """JSON, with oddities in the outer levels: what is wrong, twice, in another case, escaped, blank or not JSON."""
    if depth > 3:
        return json.dumps(value)
    if random_.random() < 0.03:
        return random_.choice(_ODD)
    if isinstance(value, str):
        return _write_text(random_, value)
    if not isinstance(value, dict):
        return json.dumps(value)
    members = []
    for name, inner in value.items():
        if random_.random() < 0.03:
            continue
        members.append((name, _write(random_, inner, depth + 1)))
        if random_.random() < 0.06:
            members.append((_alike(random_, name), _write(random_, _other(random_, inner), depth + 1)))
    if random_.random() < 0.1:
        random_.shuffle(members)
    written = [
        _joint(random_) + _write_text(random_, name) + _joint(random_) + ":" + _joint(random_) + text
        for name, text in members
    ]
    return _joint(random_) + "{" + ",".join(written) + _joint(random_) + "}" + _joint(random_)


def _joint(random_: random.Random) -> str:
    return random_.choice(_JOINTS) if random_.random() < 0.04 else ""


def _alike(random_: random.Random, name: str) -> str:
    """The same name, or one that some reader takes for it."""
    kinds = (name, name.upper(), name.capitalize(), name.replace("s", "\u017f"), name + "\u0000", f" {name}", "method")
    return random_.choice(kinds)


def _other(random_: random.Random, value: Any) -> Any:
    return random_.choice((value, "tools/call", "a__c", 2, "2.0", {"name": "a__c"}))


def _write_text(random_: random.Random, text: str) -> str:
    if random_.random() < 0.8:
        return json.dumps(text, ensure_ascii=random_.random() < 0.5)
    escaped = (
        f"\\u{ord(each):04x}" if ord(each) < 0x10000 and random_.random() < 0.3 else json.dumps(each)[1:-1]
        for each in text
    )
    return '"' + "".join(escaped) + '"'


def _spoil(random_: random.Random, body: bytes) -> bytes:
    at = random_.randrange(len(body) + 1)
    return random_.choice(
        (
            lambda: body[:at],
            lambda: body[:at] + bytes([random_.randrange(256)]) + body[at + 1 :],
            lambda: body[:at] + bytes([random_.randrange(256)]) + body[at:],
            lambda: body[:at] + body[at + 1 :],
            lambda: b"\xef\xbb\xbf" + body,
            lambda: body.decode("utf-8", "replace").encode(random_.choice(("utf-16", "utf-16-le", "utf-32", "utf-7"))),
            lambda: body + body,
            lambda: b"[" + body + b"]",
            lambda: body + random_.choice((b" ", b"\n\n", b"x", b"\x00", b",", b"}")),
            lambda: body.replace(b"__", random_.choice((b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\\/"))),
        )
    )()


def _spoil_headers(random_: random.Random, headers: Fields) -> Fields:
    name, value = random_.choice(headers)
    rest = [pair for pair in headers if pair[0] != name]
    other = random_.choice(("", "tools/list", "a__c", "2025-11-25", "2027-01-01", "application/json; charset=utf-8"))
    return random_.choice((rest, [*rest, (name, other)], [*headers, (name, other)], [*headers, (name, value)]))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.messages.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--packages", type=Path, help="a folder whose node_modules has @modelcontextprotocol/sdk")
    options = parser.parse_args()
    asked = list(cases(options.seed, options.count))
    typescript = [] if options.packages is None else read_in_typescript(find_node(), options.packages.resolve(), asked)
    verdict = compare(asked, typescript)
    readers = [*PYTHON, *([TYPESCRIPT] if typescript else [])]
    said = f"{len(asked)} messages, seed {options.seed}, beside {len(readers)} readers: {', '.join(readers)}\n"
    sys.stdout.write(said + report(verdict))
    return 1 if verdict.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
