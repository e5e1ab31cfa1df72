"""Calls of real clients to real servers are recorded once each: as lines, in the chain of two workers, at a SIEM."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import csv
import gzip
import io
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from latchpin_demo.loopback import bind, url_of
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.aggregator.conftest import AGES, Program, start_gateway, start_server
from tests.providers.clients import Age
from tests.proxy.conftest import read, reply
from tests.servers import GatewayBackend, run_latchpin, serve_asgi
from tests.support.gateway_process import ALICE, DeployedGateway, one_connection_to_each, settings_of, start_pair

NEEDS = ("latchpin_aggregator", "latchpin_audit", "latchpin_dcr", "latchpin_memory_store", "latchpin_proxy")


@contextlib.asynccontextmanager
async def connected(deployed: DeployedGateway, path: str, age: Age) -> AsyncIterator[Client]:
    """The official client."""
    headers = {"Authorization": f"Bearer {deployed.bearer(ALICE, client_id='agent')}"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False, timeout=60) as http,
        Client(streamable_http_client(f"{deployed.url}{path}", http_client=http), mode=age) as client,
    ):
        yield client


async def use(deployed: DeployedGateway, path: str, prefix: str, age: Age) -> None:
    """A bit of everything."""
    async with connected(deployed, path, age) as client:
        assert f"{prefix}shout" in {tool.name for tool in (await client.list_tools()).tools}
        await client.call_tool(f"{prefix}shout", {"text": "a secret word"})
        assert (await client.call_tool(f"{prefix}fail", {})).is_error
        await client.get_prompt(f"{prefix}greet", {"name": "Ann"})
        with contextlib.suppress(MCPError):
            await client.call_tool(f"{prefix}nobody-has-this", {})


def told(lines: list[dict[str, Any]]) -> collections.Counter[tuple[str, ...]]:
    """What was called, for which gateway, and what became of it."""
    names = ("gateway", "method", "name", "outcome", "error")
    return collections.Counter(tuple(line[name] for name in names) for line in lines)


async def test_each_call_is_one_line_whoever_makes_it_and_wherever_it_comes(tmp_path: Path):
    file = tmp_path / "calls.jsonl"
    settings = {"AUDIT_CALLS": "lines", "AUDIT_CALLS_FILE": str(file), "AUDIT_ARGUMENTS": "hash"}
    with start_server("modern") as modern, start_gateway(tmp_path, **settings) as deployed:
        gateway_id = await deployed.add(modern.url, name="Modern", auth_type="none")
        await deployed.add("http://127.0.0.1:1/mcp", name="Dead", auth_type="none")
        for age in AGES:
            await use(deployed, "/mcp", "modern__", age)
        await use(deployed, f"/gateways/{gateway_id}/mcp", "", "2026-07-28")
        async with deployed.api(ALICE) as http:
            refused = Program(http, f"{deployed.url}/gateways/{'0' * 32}/mcp")
            assert (await refused.send(*refused.message("tools/call", name="x"))).status_code == 404
            program = Program(http, f"{deployed.url}/mcp")
            message, headers = program.message("tools/call", name="modern__wait", arguments={})
            call = asyncio.create_task(program.send(message, headers))
            assert await asyncio.to_thread(modern.backstage.begun.wait, 60)
            call.cancel()
            assert await asyncio.to_thread(modern.backstage.cancelled.wait, 60)
        async with httpx.AsyncClient(trust_env=False) as nobody:
            assert (await nobody.post(f"{deployed.url}/mcp", json={})).status_code == 401
    text = file.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    found = told(lines)
    assert found["", "tools/list", "", "ok", ""] == 2
    assert found["Modern", "tools/list", "", "ok", ""] == 1
    assert found["Modern", "tools/call", "shout", "ok", ""] == 3
    assert found["Modern", "tools/call", "fail", "tool_error", ""] == 3
    assert found["Modern", "prompts/get", "greet", "ok", ""] == 3
    assert found["", "tools/call", "modern__nobody-has-this", "refused", "-32602"] == 2
    assert found["", "tools/call", "x", "refused", "not-found"] == 1
    assert found["Modern", "tools/call", "wait", "cancelled", ""] == 1
    assert found["", "initialize", "", "ok", ""] == 1
    [shouted] = [line for line in lines if line["name"] == "shout" and line["endpoint"] != "/mcp"]
    assert {line["who"] for line in lines} == {ALICE}
    assert (shouted["client"], shouted["via"], shouted["gateway_id"]) == ("agent", "bearer", gateway_id)
    assert shouted["endpoint"] == f"/gateways/{gateway_id}/mcp"
    assert shouted["request_bytes"] > 100 < shouted["response_bytes"]
    assert shouted["seconds"] > 0
    assert "secret" not in text
    hashes = {line["arguments"] for line in lines if line["name"] == "shout"}
    assert len(hashes) == 1
    assert len(hashes.pop().partition(":")[2]) == 64


@pytest.mark.backends("sqlite")
async def test_two_workers_write_one_chain_that_can_be_proven_and_exported(backend: GatewayBackend, tmp_path: Path):
    with start_server("modern") as server, start_pair(backend, tmp_path, AUDIT_CALLS="chain") as pair:
        await pair.add(server.url, name="Modern", auth_type="none")
        async with one_connection_to_each(pair) as clients:
            programs = [Program(client, f"{pair.url}/mcp") for client in clients]
            await asyncio.gather(*(each.tools() for each in programs))
            for _ in range(10):
                await asyncio.gather(*(each.call("modern__shout", text="=1") for each in programs))

    def latchpin(*arguments: str) -> str:
        ended = run_latchpin("audit", *arguments, env=settings_of(backend), cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    lines = [json.loads(line) for line in latchpin("export", "--calls", "--names").splitlines()]
    assert collections.Counter((line["method"], line["name"]) for line in lines) == {
        ("tools/list", ""): 2,
        ("tools/call", "shout"): 20,
    }
    assert {line["actor_address"] for line in lines} == {ALICE}
    verdict = json.loads(latchpin("verify", "--json"))
    assert (verdict["entries"], verdict["broken"]) == (23, None)
    assert len(latchpin("export").splitlines()) == 1
    rows = list(csv.DictReader(io.StringIO(latchpin("export", "--calls", "--csv", "--since", "2020-01-01"))))
    assert (len(rows), rows[-1]["outcome"]) == (22, "ok")
    assert latchpin("export", "--calls", "--since", "2999-01-01") == ""


class Collector:
    """A receiver of OTLP logs and traces over HTTP; ``answers`` are the statuses that it gives before 200."""

    def __init__(self) -> None:
        self.logs: list[ExportLogsServiceRequest] = []
        self.answers: list[int] = []
        self.headers: list[dict[str, str]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = await read(receive)
        if scope["path"] == "/v1/logs":
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            self.headers.append(headers)
            status = self.answers.pop(0) if self.answers else 200
            if status == 200:
                raw = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
                self.logs.append(ExportLogsServiceRequest.FromString(raw))
            await reply(send, status, [("content-type", "application/x-protobuf")], b"")
            return
        await reply(send, 200, [("content-type", "application/x-protobuf")], b"")

    def records(self) -> list[tuple[Any, dict[str, Any]]]:
        """Each record with its attributes."""
        found = []
        for export in self.logs:
            for resource in export.resource_logs:
                for scoped in resource.scope_logs:
                    for record in scoped.log_records:
                        values = {
                            each.key: getattr(each.value, each.value.WhichOneof("value")) for each in record.attributes
                        }
                        found.append((record, values))
        return found


@pytest.fixture
def collector() -> Iterator[tuple[Collector, str]]:
    with bind() as listener:
        made = Collector()
        with serve_asgi(made, lifespan="off", sock=listener):
            yield made, url_of(listener)


async def test_a_siem_gets_each_call_as_an_otlp_log_with_its_trace(collector: tuple[Collector, str], tmp_path: Path):
    received, url = collector
    received.answers = [400]  # not taken: tried again
    settings = {
        "AUDIT_CALLS": "otlp",
        "TRACING": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer siem",
    }
    with start_server("modern") as server, start_gateway(tmp_path, **settings) as deployed:
        gateway_id = await deployed.add(server.url, name="Modern", auth_type="none")
        await use(deployed, "/mcp", "modern__", "2026-07-28")
    found = [(record, values) for record, values in received.records() if values.get("gen_ai.tool.name") == "shout"]
    [(record, values)] = found
    assert (record.event_name, record.body.string_value, record.severity_text) == (
        "mcp.call",
        "tools/call shout",
        "INFO",
    )
    assert len(record.trace_id) == 16
    expected = {
        "user.email": ALICE,
        "latchpin.via": "bearer",
        "latchpin.client": "agent",
        "latchpin.endpoint": "/mcp",
        "latchpin.gateway.id": gateway_id,
        "latchpin.gateway.name": "Modern",
        "mcp.method.name": "tools/call",
        "latchpin.outcome": "ok",
        "mcp.protocol.version": "2026-07-28",
    }
    assert {name: values[name] for name in expected} == expected
    [failed] = [values for _, values in received.records() if values.get("gen_ai.tool.name") == "fail"]
    assert failed["error.type"] == "tool_error"
    assert all(headers["authorization"] == "Bearer siem" for headers in received.headers)
    assert "Records of MCP calls are written again; 0 were dropped" in deployed.log
    assert "a secret word" not in str(received.logs)
