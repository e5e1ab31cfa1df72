"""What the threats' tests look at: routes, stored rows, and the tests that prove a defence."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from tests.servers import GatewayBackend

__all__ = [
    "ADMIN",
    "EVERYBODY",
    "FOR_ALL",
    "LEADING",
    "OWN",
    "dump",
    "method_and_path",
    "missing",
    "proven_by",
    "routes_of_app",
]

# Pointers to tests elsewhere that prove a defence: they must exist under the name that is written here.


_ROOT = Path(__file__).parents[2]


def proven_by(file: str, *names: str) -> None:
    """Assert that ``tests/<file>`` has each of these tests."""
    path = _ROOT / "tests" / file
    assert path.is_file(), f"{path} is gone"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert [name for name in names if name not in tests] == [], f"no such tests in {path}"
    assert all(name.startswith("test_") for name in names)


# Who may use each route. A route that is not here fails ``test_every_route.py``: whoever adds one says whose it is.


EVERYBODY = frozenset(
    {
        "DELETE /oauth2/register/{client_id}",
        "DELETE /scim/v2/Users/{user_id}",
        "GET /.well-known/oauth-authorization-server{path}",
        "GET /.well-known/oauth-protected-resource/{path}",
        "GET /.well-known/openid-configuration{path}",
        "GET /admin/static/{name}",
        "GET /docs",
        "GET /docs/static/{name}",
        "GET /edge/token/{gateway_id}",
        "GET /flows/static/flows.css",
        "GET /health",
        "GET /login",
        "GET /login/oidc",
        "GET /login/oidc/callback",
        "GET /login/oidc/sign-out",
        "GET /logout",
        "GET /oauth/callback",
        "GET /oauth/callback/{gateway_id}",
        "GET /oauth/client-metadata.json",
        "GET /oauth/success",
        "GET /oauth2/jwks.json",
        "GET /oauth2/register/{client_id}",
        "GET /openapi.json",
        "GET /problems",
        "GET /problems/{code}",
        "GET /ready",
        "GET /scim/v2/ResourceTypes",
        "GET /scim/v2/ResourceTypes/{name}",
        "GET /scim/v2/Schemas",
        "GET /scim/v2/Schemas/{name}",
        "GET /scim/v2/ServiceProviderConfig",
        "GET /scim/v2/Users",
        "GET /scim/v2/Users/{user_id}",
        "GET /static/{name}",
        "OPTIONS /v0.1/servers",
        "OPTIONS /v0.1/servers/{namespace}/{name}/versions",
        "OPTIONS /v0.1/servers/{namespace}/{name}/versions/{version}",
        "OPTIONS /v0/servers",
        "OPTIONS /v0/servers/{namespace}/{name}/versions",
        "OPTIONS /v0/servers/{namespace}/{name}/versions/{version}",
        "PATCH /scim/v2/Users/{user_id}",
        "POST /login",
        "POST /login/oidc/backchannel-logout",
        "POST /logout",
        "POST /oauth/callback",
        "POST /oauth/callback/{gateway_id}",
        "POST /oauth2/device_authorization",
        "POST /oauth2/register",
        "POST /oauth2/revoke",
        "POST /oauth2/token",
        "POST /scim/v2/Users",
        "PUT /oauth2/register/{client_id}",
        "PUT /scim/v2/Users/{user_id}",
    }
)
"""Asks nobody who it is; the callbacks, the success page and SCIM have proofs of their own."""

OWN = frozenset(
    {
        "DELETE /gateways/{gateway_id}/mcp",
        "DELETE /mcp",
        "DELETE /mcp/{slug}",
        "DELETE /oauth/identity-assertion/{gateway_id}",
        "DELETE /oauth/tokens",
        "DELETE /oauth/tokens/{gateway_id}",
        "DELETE /oauth2/grants",
        "DELETE /oauth2/grants/{grant_id}",
        "DELETE /oauth2/personal-tokens/{token_id}",
        "GET /",
        "GET /admin/gateways",
        "GET /admin/gateways/{gateway_id}",
        "GET /admin/my-connections",
        "GET /admin/my-connections/{gateway_id}",
        "GET /admin/my-connections/{gateway_id}/add",
        "GET /admin/sets",
        "GET /applications",
        "GET /connect",
        "GET /device",
        "GET /flows",
        "GET /flows/{flow_id}",
        "GET /gateways",
        "GET /gateways/{gateway_id}",
        "GET /gateways/{gateway_id}/key",
        "GET /admin/attention",
        "GET /admin/mail",
        "GET /attention",
        "GET /gateways/{gateway_id}/mcp",
        "GET /gateways/{gateway_id}/tools",
        "GET /mcp",
        "GET /mcp/{slug}",
        "GET /oauth/authorize/{gateway_id}",
        "GET /oauth/authorize/{gateway_id}/for/{person}",
        "GET /oauth/identity-assertion/{gateway_id}",
        "GET /oauth/status",
        "GET /oauth/status/{gateway_id}",
        "GET /oauth/tokens",
        "GET /oauth2/authorize",
        "GET /oauth2/continue",
        "GET /oauth2/grants",
        "GET /oauth2/personal-tokens",
        "GET /personal-tokens",
        "GET /sets",
        "GET /sets/{slug}",
        "GET /v0.1/servers",
        "GET /v0.1/servers/{namespace}/{name}/versions",
        "GET /v0.1/servers/{namespace}/{name}/versions/{version}",
        "GET /v0/servers",
        "GET /v0/servers/{namespace}/{name}/versions",
        "GET /v0/servers/{namespace}/{name}/versions/{version}",
        "POST /admin/mail",
        "POST /admin/my-connections/{gateway_id}/default",
        "POST /admin/my-connections/{gateway_id}/disconnect",
        "POST /applications/end",
        "POST /device",
        "POST /gateways/{gateway_id}/key",
        "POST /gateways/{gateway_id}/mcp",
        "POST /mcp",
        "POST /mcp/{slug}",
        "POST /oauth/authorize/{gateway_id}",
        "POST /oauth/fetch-tools/{gateway_id}",
        "POST /oauth/tokens/{gateway_id}/disconnect",
        "POST /oauth2/decision",
        "POST /oauth2/personal-tokens",
        "POST /personal-tokens",
        "POST /personal-tokens/end",
        "PUT /gateways/{gateway_id}/key",
        "PUT /oauth/identity-assertion/{gateway_id}",
        "PUT /oauth/tokens/{gateway_id}/default",
    }
)
"""Whoever is signed in, about what is theirs."""

LEADING = {
    "GET /oauth2/authorize": frozenset({400}),
    "GET /oauth/authorize/{gateway_id}/for/{person}": frozenset({303}),
    "GET /gateways/{gateway_id}/key": frozenset({303}),
}
"""Of ``OWN``: what they answer, beside 401, to who is not signed in. All are told to browsers by a client: the first
says that the client is unknown before anybody signs in, the others send to the sign-in whatever asks."""

FOR_ALL = frozenset(
    {
        "DELETE /oauth/tokens",
        "DELETE /oauth2/grants",
        "DELETE /oauth2/grants/{grant_id}",
        "DELETE /oauth2/personal-tokens/{token_id}",
        "GET /flows",
        "GET /flows/{flow_id}",
        "GET /oauth/tokens",
        "GET /oauth2/grants",
        "GET /oauth2/personal-tokens",
    }
)
"""Of ``OWN``: shows an administrator what is everybody's, or does what it does to whom an administrator names."""

ADMIN = frozenset(
    {
        "DELETE /gateways/{gateway_id}",
        "DELETE /groups/{name}",
        "DELETE /oauth/registered-clients/{client_id}",
        "DELETE /oauth2/clients/{client_id}",
        "DELETE /people/ended",
        "DELETE /rules/{rule_id}",
        "DELETE /sets/{slug}",
        "GET /access/explain",
        "GET /admin/clients",
        "GET /admin/clients/{row_id}/delete",
        "GET /admin/configuration",
        "GET /admin/connections",
        "GET /admin/connections/end",
        "GET /admin/doctor",
        "GET /admin/gateways/new",
        "GET /admin/gateways/{gateway_id}/edit",
        "GET /admin/gateways/{gateway_id}/remove",
        "GET /admin/groups",
        "GET /admin/groups/new",
        "GET /admin/groups/{name}/edit",
        "GET /admin/groups/{name}/remove",
        "GET /admin/people",
        "GET /admin/people/end",
        "GET /admin/plugins",
        "GET /admin/audit",
        "GET /admin/rules",
        "GET /admin/rules/new",
        "GET /admin/rules/{rule_id}/edit",
        "GET /admin/rules/{rule_id}/remove",
        "GET /admin/sets/new",
        "GET /admin/sets/{slug}/edit",
        "GET /admin/sets/{slug}/remove",
        "GET /admin/undelivered/mail",
        "GET /admin/undelivered/webhooks",
        "POST /admin/undelivered/mail/retry",
        "POST /admin/undelivered/webhooks/retry",
        "GET /admin/settings",
        "GET /admin/tools",
        "GET /applications/clients",
        "GET /applications/clients/new",
        "GET /applications/clients/{client_id}/delete",
        "GET /applications/everybody",
        "GET /changed-tools",
        "GET /configuration",
        "GET /gateways/{gateway_id}/discovery",
        "GET /groups",
        "GET /groups/{name}",
        "GET /metrics",
        "GET /oauth/registered-clients",
        "GET /oauth/registered-clients/{gateway_id}",
        "GET /oauth2/clients",
        "GET /oauth2/clients/{client_id}",
        "GET /audit",
        "GET /people/ended",
        "GET /rules",
        "GET /rules/{rule_id}",
        "POST /admin/clients/{row_id}/delete",
        "POST /admin/connections/disconnect",
        "POST /admin/connections/end",
        "POST /admin/doctor",
        "POST /admin/gateways",
        "POST /admin/gateways/new",
        "POST /admin/gateways/{gateway_id}/edit",
        "POST /admin/gateways/{gateway_id}/remove",
        "POST /admin/gateways/{gateway_id}/test",
        "POST /admin/groups/new",
        "POST /admin/groups/{name}/edit",
        "POST /admin/groups/{name}/remove",
        "POST /admin/people/end",
        "POST /admin/people/restore",
        "POST /admin/rules/new",
        "POST /admin/rules/{rule_id}/edit",
        "POST /admin/rules/{rule_id}/remove",
        "POST /admin/sets/new",
        "POST /admin/sets/{slug}/edit",
        "POST /admin/sets/{slug}/remove",
        "POST /admin/tools/{tool_id}/approve",
        "POST /applications/clients/new",
        "POST /applications/clients/{client_id}/delete",
        "POST /applications/everybody/end",
        "POST /changed-tools/{tool_id}/approve",
        "POST /gateways",
        "POST /gateways/{gateway_id}/issuer",
        "POST /oauth2/clients",
        "POST /rules",
        "POST /sets",
        "PUT /people/ended",
        "PUT /gateways/{gateway_id}",
        "PUT /groups/{name}",
        "PUT /rules/{rule_id}",
        "PUT /sets/{slug}",
    }
)
"""Administrators only."""


def routes_of_app(app: FastAPI) -> set[str]:
    """Every route as ``METHOD /path``, also those that the API's description leaves out."""
    return set(_routes_of(app.routes))


def _routes_of(routes: Iterable[object]) -> Iterator[str]:
    for route in routes:
        if (inner := getattr(route, "original_router", None)) is not None:
            yield from _routes_of(inner.routes)
            continue
        path = re.sub(r":\w+\}", "}", getattr(route, "path"))  # noqa: B009  routes of several kinds
        for method in getattr(route, "methods", None) or ():
            if method != "HEAD":
                yield f"{method} {path}"


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


# What a thief of the store holds: every byte that it kept.


_TABLES = "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = 'public'"


def dump(backend: GatewayBackend, server: Any) -> bytes:
    """All that ``backend`` keeps: SQLite's files, Redis's journal, every row of PostgreSQL."""
    if backend.name == "sqlite":
        path = Path(backend.environment["DATABASE_URL"].partition("///")[2])
        return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    if backend.name == "redis":
        return b"".join(file.read_bytes() for file in server.folder.rglob("*") if file.is_file())
    url = backend.environment["DATABASE_URL"]
    rows = [
        row
        for (table,) in server.execute(_TABLES, url=url)
        for (row,) in server.execute(f'SELECT t::text FROM "{table}" t', url=url)
    ]
    return "\n".join(rows).encode()
