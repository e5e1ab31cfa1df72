"""Who may use each route. A route that is not here fails ``test_every_route.py``: whoever adds one says whose it is."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import FastAPI

from tests.docs.code import routes_of

__all__ = ["ADMIN", "EVERYBODY", "FOR_ALL", "OWN", "method_and_path", "missing", "routes_of_app"]

EVERYBODY = frozenset(
    {
        "GET /.well-known/oauth-protected-resource/{path}",
        "GET /admin/static/{name}",
        "GET /docs",
        "GET /health",
        "GET /login",
        "GET /flows/static/flows.css",
        "GET /login/oidc",
        "GET /login/oidc/callback",
        "GET /login/oidc/sign-out",
        "GET /logout",
        "GET /oauth/callback",
        "GET /oauth/callback/{gateway_id}",
        "GET /oauth/client-metadata.json",
        "GET /oauth/success",
        "GET /openapi.json",
        "GET /problems",
        "GET /problems/{code}",
        "GET /ready",
        "GET /static/{name}",
        "POST /login",
        "POST /logout",
        "POST /oauth/callback",
        "POST /oauth/callback/{gateway_id}",
    }
)
"""Asks nobody who it is; the callbacks and the success page have proofs of their own."""

OWN = frozenset(
    {
        "DELETE /gateways/{gateway_id}/mcp",
        "DELETE /oauth/identity-assertion/{gateway_id}",
        "DELETE /oauth/tokens",
        "DELETE /oauth/tokens/{gateway_id}",
        "GET /",
        "GET /admin/gateways",
        "GET /admin/gateways/{gateway_id}",
        "GET /admin/my-connections",
        "GET /admin/my-connections/{gateway_id}",
        "GET /flows",
        "GET /flows/{flow_id}",
        "GET /gateways",
        "GET /gateways/{gateway_id}",
        "GET /gateways/{gateway_id}/mcp",
        "GET /gateways/{gateway_id}/tools",
        "GET /oauth/authorize/{gateway_id}",
        "GET /oauth/identity-assertion/{gateway_id}",
        "GET /oauth/status",
        "GET /oauth/status/{gateway_id}",
        "GET /oauth/tokens",
        "POST /admin/my-connections/{gateway_id}/disconnect",
        "POST /gateways/{gateway_id}/mcp",
        "POST /oauth/fetch-tools/{gateway_id}",
        "POST /oauth/tokens/{gateway_id}/disconnect",
        "PUT /oauth/identity-assertion/{gateway_id}",
    }
)
"""Whoever is signed in, about what is theirs."""

FOR_ALL = frozenset({"DELETE /oauth/tokens", "GET /flows", "GET /flows/{flow_id}", "GET /oauth/tokens"})
"""Of ``OWN``: shows an administrator what is everybody's, or does what it does to whom an administrator names."""

ADMIN = frozenset(
    {
        "DELETE /gateways/{gateway_id}",
        "DELETE /oauth/registered-clients/{client_id}",
        "GET /admin/clients",
        "GET /admin/clients/{row_id}/delete",
        "GET /admin/connections",
        "GET /admin/connections/end",
        "GET /admin/doctor",
        "GET /admin/gateways/new",
        "GET /admin/gateways/{gateway_id}/edit",
        "GET /admin/gateways/{gateway_id}/remove",
        "GET /admin/plugins",
        "GET /admin/settings",
        "GET /gateways/{gateway_id}/discovery",
        "GET /metrics",
        "GET /oauth/registered-clients",
        "GET /oauth/registered-clients/{gateway_id}",
        "POST /admin/clients/{row_id}/delete",
        "POST /admin/connections/disconnect",
        "POST /admin/connections/end",
        "POST /admin/doctor",
        "POST /admin/gateways",
        "POST /admin/gateways/new",
        "POST /admin/gateways/{gateway_id}/edit",
        "POST /admin/gateways/{gateway_id}/remove",
        "POST /admin/gateways/{gateway_id}/test",
        "POST /gateways",
        "POST /gateways/{gateway_id}/issuer",
        "PUT /gateways/{gateway_id}",
    }
)
"""Administrators only."""


def routes_of_app(app: FastAPI) -> set[str]:
    """Every route as ``METHOD /path``, also those that the API's description leaves out."""
    return set(routes_of(app.routes))


def method_and_path(route: str, ids: dict[str, str]) -> tuple[str, str]:
    """A route with something in each of its places."""
    method, _, path = route.partition(" ")
    for name, value in ids.items():
        path = path.replace(f"{{{name}}}", value)
    assert "{" not in path, f"{route}: what stands in its place?"
    return method, path


def missing(routes: Iterable[str]) -> set[str]:
    """The routes that nobody has said the owner of."""
    return set(routes) - EVERYBODY - OWN - ADMIN
