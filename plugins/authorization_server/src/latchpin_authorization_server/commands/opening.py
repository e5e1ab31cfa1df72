"""The authorization server, loaded and opened when a command does something: its help does without."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from latchpin.sdk.gateway import Application

    from latchpin_authorization_server.personal_tokens.service import PersonalTokens
    from latchpin_authorization_server.server import AuthorizationServer

__all__ = ["open_personal_tokens", "open_server"]


async def open_server(application: Application) -> AuthorizationServer:
    """Open what is kept here on the record store of ``application``."""
    from latchpin_authorization_server import server  # noqa: PLC0415  see above

    return await server.open_server(application.services.context)


async def open_personal_tokens(application: Application) -> PersonalTokens:
    """Open the personal access tokens that are kept on the record store of ``application``."""
    from latchpin_authorization_server.personal_tokens import service  # noqa: PLC0415  see above

    return await service.open_personal_tokens(application.services.context)
