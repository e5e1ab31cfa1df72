"""What this project's other distributions bring: who asks for it where one is not installed is told which.

Those sentences stand on this table, and which plugins are this project's own. A distribution has one entry in it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from latchpin.model import JWT_BEARER

__all__ = [
    "ELSEWHERE",
    "Brings",
    "key_services",
    "missing",
    "missing_behind",
    "nobody_offers",
    "nobody_offers_scheme",
    "stores",
]


@dataclass(frozen=True, slots=True)
class Brings:
    """What one distribution brings that somebody may ask for by name.

    Attributes:
        commands: first words of the command line.
        paths: a pattern of addresses below BASE_URL.
        settings: variables of which one that is set is a wish.
        registrar: the way to a client_id that it is.
        grants: values of a gateway's ``grant_type``.
        auth_types: values of a gateway's ``auth_type``.
        store: the name that CACHE_TYPE and RECORD_STORE have for it.
        key_service: the name that KEY_WRAPPER has for it.
    """

    commands: tuple[str, ...] = ()
    paths: str | None = None
    settings: tuple[str, ...] = ()
    registrar: str | None = None
    grants: tuple[str, ...] = ()
    auth_types: tuple[str, ...] = ()
    store: str | None = None
    key_service: str | None = None


ELSEWHERE: Mapping[str, Brings] = {
    "latchpin-sql-store": Brings(commands=("db",), store="database"),
    "latchpin-redis-store": Brings(store="redis"),
    "latchpin-memory-store": Brings(store="memory"),
    "latchpin-kms-aws": Brings(settings=("KMS_AWS_KEY_ID",), key_service="aws-kms"),
    "latchpin-kms-vault": Brings(settings=("VAULT_TRANSIT_KEY",), key_service="vault"),
    "latchpin-dcr": Brings(registrar="Dynamic Client Registration"),
    "latchpin-cimd": Brings(
        paths=r"/oauth/client-metadata\.json", settings=("CIMD_URL",), registrar="Client ID Metadata Document"
    ),
    "latchpin-api-docs": Brings(paths=r"/openapi\.json|/docs(/.*)?"),
    "latchpin-api-keys": Brings(paths=r"/gateways/[^/]+/key", auth_types=("api_key",)),
    "latchpin-inspection": Brings(paths=r"/gateways/[^/]+/discovery"),
    "latchpin-proxy": Brings(paths=r"/gateways/[^/]+/mcp"),
    "latchpin-aggregator": Brings(commands=("sets",), paths=r"/mcp(/[^/]+)?|/sets(/[^/]+)?|/admin/sets(/.*)?"),
    "latchpin-policy": Brings(
        commands=("rules", "groups", "tools", "access"),
        paths=r"/rules(/[^/]+)?|/groups(/[^/]+)?|/changed-tools(/.*)?|/access/explain|/admin/(rules|groups|tools)(/.*)?",
        settings=("TOOL_PINNING",),
    ),
    "latchpin-registry": Brings(paths=r"/v0(\.1)?/servers(/.*)?", settings=("REGISTRY_PUBLIC",)),
    "latchpin-config": Brings(
        commands=("apply", "diff", "export", "configuration"), paths=r"/configuration(/.*)?|/admin/configuration"
    ),
    "latchpin-edge": Brings(commands=("edge",), paths=r"/edge/token/[^/]+", settings=("EDGE_SECRET",)),
    "latchpin-authorization-server": Brings(
        commands=("applications", "personal-tokens", "login", "logout"),
        paths=r"/oauth2/.*|/device|/applications(/.*)?|/personal-tokens(/.*)?|/\.well-known/oauth-authorization-server(/.*)?",
        settings=("AUTHORIZATION_SERVER_ENABLED",),
    ),
    "latchpin-connect": Brings(commands=("clients",), paths=r"/connect"),
    "latchpin-oidc-login": Brings(paths=r"/login/oidc(/.*)?", settings=("OIDC_LOGIN_ISSUER",)),
    "latchpin-offboarding": Brings(commands=("people",), paths=r"/people/ended|/admin/people(/.*)?"),
    "latchpin-scim": Brings(paths=r"/scim/v2/.*", settings=("SCIM_TOKEN",)),
    "latchpin-profiles": Brings(settings=("SERVER_PROFILES_FILE",)),
    "latchpin-enterprise": Brings(
        paths=r"/oauth/identity-assertion/[^/]+",
        settings=("IDENTITY_PROVIDER", "ASSERTION_FOLDER"),
        grants=(JWT_BEARER,),
    ),
    "latchpin-refresh-ahead": Brings(settings=("REFRESH_AHEAD",)),
    "latchpin-idle-connections": Brings(settings=("IDLE_CONNECTION_DAYS",)),
    "latchpin-key-ring": Brings(commands=("keys",), settings=("KEY_RING_DAYS",)),
    "latchpin-attention": Brings(
        commands=("attention",), paths=r"/attention|/admin/attention", settings=("ATTENTION_DAYS_AHEAD",)
    ),
    "latchpin-mail": Brings(
        commands=("mail",), paths=r"/admin/mail|/admin/undelivered/mail(/retry)?", settings=("MAIL_SMTP_HOST",)
    ),
    "latchpin-webhook": Brings(
        commands=("webhook",), paths=r"/admin/undelivered/webhooks(/retry)?", settings=("WEBHOOK_URLS",)
    ),
    "latchpin-metrics": Brings(paths=r"/metrics", settings=("TRACING",)),
    "latchpin-audit": Brings(commands=("audit",), settings=("AUDIT_LOG",)),
    "latchpin-flows": Brings(commands=("flows",), paths=r"/flows(/.*)?", settings=("FLOW_HISTORY_HOURS",)),
    "latchpin-adopt-contextforge": Brings(commands=("adopt",)),
    "latchpin-demo": Brings(commands=("demo",)),
    "latchpin-admin-cli": Brings(commands=("gateways", "config", "states", "break-glass")),
    "latchpin-doctor": Brings(commands=("doctor",), paths=r"/admin/doctor|/admin/gateways/[^/]+/test"),
    "latchpin-scaffold": Brings(commands=("plugin",)),
    "latchpin-admin-ui": Brings(paths=r"/admin(/.*)?"),
}
"""By the distribution's name. Of several that have a path, the first is meant."""


@functools.cache
def missing() -> Mapping[str, Brings]:
    """Those that are not installed."""
    return {name: brings for name, brings in ELSEWHERE.items() if not _is_installed(name)}


def missing_behind(path: str) -> str | None:
    """The distribution that would answer at a path and is not installed; None if there is none."""
    return next((name for name, each in missing().items() if each.paths and re.fullmatch(each.paths, path)), None)


def nobody_offers(grant_type: str) -> tuple[str, str]:
    """Say that nothing installed offers a grant, and what helps."""
    name = next((name for name, each in ELSEWHERE.items() if grant_type in each.grants), None)
    return f"no installed plugin offers the grant '{grant_type}'", _remedy(name, "grant_type")


def nobody_offers_scheme(auth_type: str) -> tuple[str, str]:
    """Say that nothing installed offers a way to show a server for whom a request is, and what helps."""
    name = next((name for name, each in ELSEWHERE.items() if auth_type in each.auth_types), None)
    return f"no installed plugin offers the auth_type {auth_type!a}", _remedy(name, "auth_type")


def _remedy(name: str | None, member: str) -> str:
    install = f"Install {name} with pip" if name else "Install a plugin that offers it"
    return f"{install}, or change {member} on the gateway."


def stores() -> str:
    """The distributions that bring a store, each with the name that settings have for it."""
    return _or(f"{name} ({brings.store})" for name, brings in ELSEWHERE.items() if brings.store)


def key_services() -> str:
    """The distributions that bring a key service, each with the name that KEY_WRAPPER has for it."""
    return _or(f"{name} ({brings.key_service})" for name, brings in ELSEWHERE.items() if brings.key_service)


def _or(names: Iterable[str]) -> str:
    *some, last = names
    return f"{', '.join(some)} or {last}"


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
