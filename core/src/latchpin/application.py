"""The gateway's scripts, put together over one set of services; the web and the commands both start here."""

from __future__ import annotations

from datetime import timedelta

from latchpin.clients import ClientDirectory, Forgotten
from latchpin.connections import ConnectionDesk
from latchpin.flow import AuthorizationFlow
from latchpin.flow_history import FlowHistory
from latchpin.flow_journal import FlowJournal, StepEvents
from latchpin.flow_log import FlowLog
from latchpin.gateways import GatewayBook
from latchpin.model import Caller, Gateway
from latchpin.servers import ServerDirectory
from latchpin.services import Services
from latchpin.status import StatusDesk
from latchpin.tickets import Tickets
from latchpin.tokens import TokenKeeper
from latchpin.toolbox import Toolbox

__all__ = ["Application"]


class Application:
    """Everything the gateway can do, each thing in one attribute; what needs several of them is a method."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.tickets = Tickets.of(services)
        self.servers = ServerDirectory(services.upstream, services.settings, services.clock, services.providers)
        self.clients = ClientDirectory(
            records=services.records,
            cipher=services.cipher,
            registrars=services.registrars,
            clock=services.clock,
            redirect_uri=services.settings.redirect_uri,
        )
        self.gateways = GatewayBook(services)
        self.tokens = TokenKeeper(services, self.servers, self.clients, pin=self.gateways.pin_issuer)
        life = timedelta(hours=services.settings.flow_history_hours)
        self.history = FlowHistory(services.records.flows, life=life)
        self.journal = FlowJournal(
            [FlowLog(services.state_backend), StepEvents(services.events), self.history],
            clock=services.clock,
            worker=services.instance_id,
        )
        self.flow = AuthorizationFlow(
            services, self.gateways, self.servers, self.clients, self.tokens, journal=self.journal
        )
        self.toolbox = Toolbox(services, self.tokens, self.journal)
        self.connections = ConnectionDesk(services, self.gateways, self.tokens)
        self.status = StatusDesk(services, self.tokens)

    async def remove_gateway(self, gateway_id: str, caller: Caller) -> tuple[Gateway, list[Forgotten]]:
        """Remove a gateway with its tokens, tools and clients, asking the servers to forget those first.

        Returns:
            What it was, and what each server said. A server that refuses, or is away, does not keep a gateway.

        Raises:
            Forbidden: the caller is no administrator.
            NotFound: there is none, or somebody else removed it at the same time.
            BackendUnavailable: the store cannot be asked; some of its clients may be gone then.
        """
        gateway = await self.gateways.get_to_change(gateway_id, caller)
        forgotten = await self.clients.delete_all(gateway.id)
        return await self.gateways.remove(gateway.id, caller), forgotten

    async def close(self) -> None:
        """Let what is under way with other servers end, while the stores are still open."""
        await self.connections.close()
        await self.tokens.close()
        await self.clients.close()
        await self.history.close()
