"""Whose gateway an MCP endpoint is."""

from __future__ import annotations

from dataclasses import replace

from latchpin.contracts.resources import ProtectedResource

from tests.support.http_servers import gateway

FIRST = gateway("https://weather.example.com/mcp")
SECOND = replace(FIRST, id="b" * 32)


def test_an_endpoint_of_one_gateway_names_it_and_an_aggregate_names_none():
    own = ProtectedResource("https://gateway.example.com/servers/1/mcp", "Weather", (FIRST,))
    assert own.gateway is FIRST
    assert replace(own, gateways=(FIRST, SECOND)).gateway is None
    assert replace(own, aggregate=True).gateway is None, "the person may use one today and more tomorrow"
