"""The gateway's scripts, put together over one set of services; the web and the commands both start here."""

from __future__ import annotations

from latchpin.clients import ClientDirectory
from latchpin.flow import AuthorizationFlow
from latchpin.gateways import GatewayBook
from latchpin.servers import ServerDirectory
from latchpin.services import Services
from latchpin.status import StatusDesk
from latchpin.tickets import Tickets
from latchpin.tokens import TokenKeeper
from latchpin.toolbox import Toolbox

__all__ = ["Application"]


class Application:
    """Everything the gateway can do, each thing in one attribute."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.tickets = Tickets.of(services)
        self.servers = ServerDirectory(services.upstream, services.settings, services.clock)
        self.clients = ClientDirectory(
            records=services.records,
            cipher=services.cipher,
            registrars=services.registrars,
            clock=services.clock,
            redirect_uri=services.settings.redirect_uri,
        )
        self.gateways = GatewayBook(services)
        self.tokens = TokenKeeper(services, self.servers, self.clients, pin=self.gateways.pin_issuer)
        self.flow = AuthorizationFlow(services, self.gateways, self.servers, self.clients, self.tokens)
        self.toolbox = Toolbox(services, self.tokens)
        self.status = StatusDesk(services, self.tokens)

    async def close(self) -> None:
        """Let what is under way with other servers end, while the stores are still open."""
        await self.tokens.close()
        await self.clients.close()
