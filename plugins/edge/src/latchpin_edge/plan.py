"""What a data plane has to know, whichever it is: put together from settings and gateways."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from latchpin.errors import SettingsError
from latchpin.sdk.assembly import Plugins, settings_models
from latchpin.sdk.outbound import find_roots
from latchpin.sdk.settings import CoreSettings, load
from latchpin.sdk.urls import origin_of

from latchpin_edge.folder import choose_folder
from latchpin_edge.listening import socket_paths
from latchpin_edge.settings import EdgeSettings, parse_listen
from latchpin_edge.ways import Detour, Resolve, Way, find_ways, look_up

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

__all__ = ["Front", "Limits", "Plan", "find_plan"]


@dataclass(frozen=True, slots=True)
class Front:
    """Where callers reach the data plane.

    Attributes:
        host, port: what it listens at.
        certificate, key: files of its own TLS; None where something in front does that.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """The proxy's, by its own settings.

    Attributes:
        idle: seconds in which neither side sends anything.
        wait: seconds that the proxy holds a request beside that.
        body: how large one may be, bytes.
        per_user: exchanges of one caller at once.
    """

    idle: int
    wait: int
    body: int
    per_user: int


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is configured.

    Attributes:
        front: where callers come.
        base_url: BASE_URL.
        base_path: its path, ``""`` if it has none.
        origin: its origin, as browsers write it.
        gateway: where Latchpin serves, ``host:port``.
        asked: where it answers the data plane: ``host:port``, or absolute paths of unix sockets.
        secret: EDGE_SECRET.
        cache_seconds: EDGE_CACHE_SECONDS.
        headers: EDGE_HEADERS.
        user_header: TRUSTED_USER_HEADER in lower case, None if it is not set.
        proxies: TRUSTED_PROXIES.
        folder: what is kept in memory is kept here.
        roots: the file of the roots that TLS trusts.
        ways: the gateways that are served.
        detours: those that are not.
    """

    front: Front
    base_url: str
    base_path: str
    origin: str
    gateway: str
    asked: tuple[str, ...]
    secret: str = field(repr=False)
    cache_seconds: int
    headers: tuple[str, ...]
    user_header: str | None
    proxies: tuple[str, ...]
    limits: Limits
    folder: Path
    roots: str
    ways: tuple[Way, ...]
    detours: tuple[Detour, ...]

    @property
    def secure(self) -> bool:
        """Whether callers come by https."""
        return self.base_url.startswith("https:")

    @property
    def host(self) -> str:
        """The origin's host, with the port where it has one."""
        return self.origin.partition("://")[2]

    def path_of(self, way: Way) -> str:
        """Where callers reach a gateway's MCP endpoint."""
        return f"{self.base_path}/gateways/{way.gateway_id}/mcp"


async def find_plan(application: Application, front: Front, *, resolve: Resolve = look_up) -> Plan:
    """Put the plan together.

    Raises:
        SettingsError: something is missing for a data plane.
    """
    core, edge = application.services.settings, load(EdgeSettings)
    secret = _secret(edge)
    gateway = _gateway(core)
    listen = parse_listen(edge.edge_listen)
    if listen is None:
        asked: Sequence[str] = [gateway]
    else:
        asked = socket_paths(listen, core.workers) if listen.path else [_join(listen.host, listen.port)]
    gateways = await application.services.records.gateways.list()
    found = await find_ways(gateways, edge, core, resolve=resolve)
    return Plan(
        front=front,
        base_url=core.base_url,
        base_path=core.base_path,
        origin=origin_of(core.base_url),
        gateway=gateway,
        asked=tuple(asked),
        secret=secret,
        cache_seconds=edge.edge_cache_seconds,
        headers=edge.edge_headers,
        user_header=None if core.trusted_user_header is None else core.trusted_user_header.lower(),
        proxies=core.trusted_proxies,
        limits=_limits(),
        folder=choose_folder(edge.edge_folder, os.environ),
        roots=_roots(),
        ways=tuple(each for each in found if isinstance(each, Way)),
        detours=tuple(each for each in found if isinstance(each, Detour)),
    )


def _secret(edge: EdgeSettings) -> str:
    if edge.edge_secret is None:
        text = "EDGE_SECRET is not set, so nobody may ask for tokens"
        raise SettingsError(text, remedy="Make one with: latchpin secret generate")
    return edge.edge_secret.get_secret_value()


def _gateway(core: CoreSettings) -> str:
    if core.port == 0:
        text = "PORT is 0, so that nobody knows beforehand where the gateway serves"
        raise SettingsError(text, remedy="Set PORT to a port of its own.")
    any_host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  whoever binds all is reached here
    return _join(any_host.get(core.host, core.host), core.port)


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _limits() -> Limits:
    """The proxy's settings, whoever offers them: their names are their contract."""
    for model in settings_models(Plugins()).values():
        if "proxy_idle_timeout" in model.model_fields:
            held = load(model)
            names = ("idle_timeout", "authorization_wait", "max_request_bytes", "max_exchanges_per_user")
            idle, wait, body, per_user = (int(getattr(held, f"proxy_{name}")) for name in names)
            return Limits(idle, wait, body, per_user)
    text = "nothing installed serves MCP endpoints"
    raise SettingsError(text, remedy="Install latchpin-proxy with pip.")


def _roots() -> str:
    roots = find_roots(os.environ)
    if roots is None:
        text = "the roots that TLS trusts are in a folder, and a data plane takes one file of them"
        raise SettingsError(text, remedy="Set SSL_CERT_FILE to a file with them.")
    return roots
