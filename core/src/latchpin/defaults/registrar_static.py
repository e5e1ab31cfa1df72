"""The built-in registrar: the client that an administrator entered on the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from latchpin.contracts import Backend, ClientRegistrar, Context, Keeps, Registration, RegistrationRequest
from latchpin.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from latchpin.model import ClientCredentials, RegisteredClient
    from latchpin.settings import Settings

__all__ = ["StaticRegistrar"]

LABEL = "entered by an administrator"


class StaticRegistrar:
    """Gives the entered client, with the authentication method that entry, server and secret allow."""

    @property
    def label(self) -> str:
        """What people call it."""
        return LABEL

    @property
    def keeps(self) -> Keeps:
        """The gateway's entry is the record."""
        return Keeps.COMPUTED

    def obstacle(self, request: RegistrationRequest) -> str | None:
        """It needs a client_id."""
        return "no client_id is entered on the gateway" if request.configured is None else None

    async def register(self, request: RegistrationRequest) -> ClientCredentials | Registration | None:
        """Give the entered client, or None if none is entered."""
        if request.configured is None:
            return None
        from latchpin.oauth.client_auth import choose_method  # noqa: PLC0415  loaded when asked for

        method = choose_method(
            request.auth_method,
            request.server.token_endpoint_auth_methods_supported,
            bool(request.configured.client_secret),
        )
        return replace(request.configured, auth_method=method)

    async def forget(self, client: RegisteredClient, registration_access_token: str | None) -> str:  # noqa: ARG002
        """An entered client was not registered by us, so it is not ours to delete."""
        return f"{client.client_id} was entered by hand; delete it at the provider."


@asynccontextmanager
async def _open(settings: Settings, context: Context) -> AsyncIterator[ClientRegistrar]:  # noqa: ARG001  the contract's
    yield StaticRegistrar()


@hookimpl
def latchpin_client_registrar() -> Backend[Settings, ClientRegistrar]:
    """Offer the entered client, before every other way."""
    from latchpin.settings import Settings  # noqa: PLC0415  loaded when asked for

    return Backend(name="static", label=LABEL, settings=Settings, open=_open, rank=10)
