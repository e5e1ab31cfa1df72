"""What is found out about one gateway: where it leads, and how it comes by a client there.

Doctor, the test of a gateway, ``gateways add`` and ``show``, and ``GET /gateways/{gateway_id}/discovery`` read it here.
"""

from __future__ import annotations

from dataclasses import replace

from latchpin.clients.directory import ClientDirectory
from latchpin.errors import LatchpinError
from latchpin.gateways.discovered import Discovered
from latchpin.model import Gateway
from latchpin.servers.directory import ServerDirectory
from latchpin.servers.discovery_client import OnStep, tell_nobody
from latchpin.services import Services
from latchpin.tokens.client_grant import require_grant, subject_of

__all__ = ["GatewayExaminer"]


class GatewayExaminer:
    """Looks at gateways. It registers, pins and keeps nothing."""

    def __init__(self, services: Services, servers: ServerDirectory, clients: ClientDirectory) -> None:
        self._services = services
        self._servers = servers
        self._clients = clients

    async def discover(self, gateway: Gateway, on_step: OnStep = tell_nobody) -> Discovered:
        """Search anew, as an authorization would: what the gateway remembers may be over."""
        unasked, found, options = self._unasked(gateway), None, None
        try:
            found = await self._servers.explore(gateway, on_step)
            found.require_scopes()
            require_grant(self._services, found.config)
            redirect_uri = found.config.redirect_uri or unasked.redirect_uri
            options = await self._clients.ways(gateway, found.metadata, redirect_uri, found.scopes)
            if options.chosen is None and options.kept is None:
                raise options.refusal()
            if found.config.grant_type == "authorization_code":
                found.require_authorization_endpoint()
        except LatchpinError as exc:
            return replace(unasked, found=found, options=options, obstacle=exc)
        return replace(unasked, found=found, options=options)

    def _unasked(self, gateway: Gateway) -> Discovered:
        subject = subject_of(self._services, gateway.oauth) if gateway.oauth is not None else None
        whose = subject.vouched_for_by if subject is not None else "person"
        return Discovered(gateway, self._services.settings.redirect_uri, whose)
