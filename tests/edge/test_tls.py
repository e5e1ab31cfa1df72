"""The data plane and MCP servers over TLS: whom it trusts, and by which name."""

from __future__ import annotations

from pathlib import Path

import pytest
from latchpin_edge.kinds import Kind

from tests.edge.conftest import start_edge
from tests.edge.test_calls import ANSWER
from tests.support.http_servers import answer, serve, write_certificate, writing


@pytest.mark.parametrize("kind", Kind)
async def test_a_server_is_believed_by_its_certificate_and_name(kind: Kind, tmp_path: Path):
    (tmp_path / "own").mkdir()
    (tmp_path / "others").mkdir()
    (tmp_path / "gateway").mkdir()
    own, tls = write_certificate(tmp_path / "own", "localhost")
    others, tls_of_others = write_certificate(tmp_path / "others", "others.example")
    roots = tmp_path / "roots.pem"
    roots.write_bytes(own.read_bytes() + others.read_bytes())
    reply = writing(answer(ANSWER, "Content-Type: application/json"))
    async with serve(reply, tls=tls) as server, serve(reply, tls=tls_of_others) as impostor:
        with start_edge(tmp_path / "gateway", kind, SSL_CERT_FILE=str(roots)) as edge:
            gateway = await edge.add(f"https://localhost:{server.port}/mcp", auth_type="none")
            proxied = await edge.proxied(gateway)
            assert (await edge.call(gateway)).content == ANSWER
            assert await edge.proxied(gateway) == proxied
            false = await edge.add(f"https://localhost:{impostor.port}/mcp", auth_type="none")
            refused = await edge.call(false)
            assert (refused.status_code, refused.json()["cause"]) == (502, "provider-unreachable")
    assert impostor.requests == []
