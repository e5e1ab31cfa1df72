"""Where an endpoint is."""

from __future__ import annotations

__all__ = ["PATH", "endpoint_path", "resource_url"]

PATH = "/gateways/{gateway_id}/mcp"


def resource_url(base_url: str, gateway_id: str) -> str:
    """The endpoint's own URL."""
    return base_url + endpoint_path(gateway_id)


def endpoint_path(gateway_id: str) -> str:
    """The endpoint's path below BASE_URL."""
    return f"/gateways/{gateway_id}/mcp"
