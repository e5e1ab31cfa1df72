"""Users' tokens, and the gateway's clients."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from latchpin.oauth.status import TokenStatus
from latchpin.web.documents.base import Document, Id, Moment

__all__ = [
    "UserTokenStatus",
    "GatewayStatus",
    "Connection",
    "ConnectionList",
    "Message",
    "Disconnected",
    "EndedConnection",
    "EverythingDisconnected",
    "RegisteredClientDocument",
    "RegisteredClientList",
    "RegisteredClientDeleted",
]


class UserTokenStatus(Document):
    """How the caller's own token is."""

    status: TokenStatus
    authorized: bool = Field(description="Whether it can be used, if need be after a renewal.")
    scopes: list[str]
    expires_at: Moment | None
    updated_at: Moment | None


class GatewayStatus(Document):
    """How a gateway does OAuth, and how the caller's token is. Without OAuth, the first two members and a message.

    Where the server wants an API key, how that is too.
    """

    gateway_id: Id
    oauth_enabled: bool
    grant_type: str | None = None
    client_id: str | None = None
    scopes: list[str] | None = None
    authorization_url: str | None = None
    redirect_uri: str | None = None
    issuer: str | None = None
    message: str
    connection: Literal["own", "shared"] | None = Field(
        None, description="Whose account is used: each person's own, or one that an administrator connects for all."
    )
    account: str | None = Field(
        None, description="The label of the account that serves the caller; null: there is none."
    )
    connected_by: str | None = Field(None, description="Who connected it, where all share it.")
    user_token_status: UserTokenStatus | None = None


class Connection(Document):
    """A user's token for a gateway."""

    gateway_id: Id
    gateway_name: str
    app_user_email: str
    status: TokenStatus
    authorized: bool
    issuer: str | None
    scopes: list[str]
    expires_at: Moment
    created_at: Moment
    updated_at: Moment
    account: str = Field(description="The label of the account, of several that one person has there; empty: none.")
    default: bool = Field(description="Whether it serves its owner where a program names no account.")
    shared: bool = Field(description="Whether it is the account that all share; app_user_email is then (company).")
    connected_by: str | None = Field(description="Who connected it, where all share it.")
    in_use: bool = Field(description="False: the gateway uses another account now, own or shared.")


class ConnectionList(Document):
    """Who is connected to what."""

    connections: list[Connection]
    total: int


class Message(Document):
    """It is done."""

    success: Literal[True]
    message: str


class Disconnected(Message):
    """A connection that has ended here."""

    authorization_server: str = Field(description="What the authorization server said to the revocation.")


class EndedConnection(Document):
    """One of a user's connections that have ended."""

    gateway_id: Id
    gateway_name: str
    authorization_server: str


class SharedConnection(Document):
    """An account that all share and the user connected. It stays."""

    gateway_id: Id
    gateway_name: str


class EndedBesides(Document):
    """What a plugin ended because the user's sessions ended: an application's access, a personal token."""

    fact: str = Field(description="What happened, as the audit log names it, such as grant.ended.")
    details: dict[str, str] = Field(description="Of what: such as client_id and resource.")


class EverythingDisconnected(Message):
    """A user's connections that have ended."""

    signed_out: bool = Field(description="Whether the user's sessions ended too: they do where an administrator asks.")
    connections: list[EndedConnection]
    stay: list[SharedConnection] = Field(description="What the user connected for all. An administrator ends it.")
    besides: list[EndedBesides]


class RegisteredClientDocument(Document):
    """A client that an authorization server registered for this gateway, without its secrets."""

    id: str
    gateway_id: Id
    issuer: str
    client_id: str
    redirect_uris: list[str]
    grant_types: list[str]
    scope: str
    token_endpoint_auth_method: str
    created_at: Moment
    expires_at: Moment | None
    is_active: bool


class RegisteredClientList(Document):
    """Registered clients."""

    clients: list[RegisteredClientDocument]
    total: int


class RegisteredClientDeleted(Message):
    """A client that was deleted here."""

    authorization_server: str = Field(description="What the server said when it was asked to forget the client.")
    client: RegisteredClientDocument
