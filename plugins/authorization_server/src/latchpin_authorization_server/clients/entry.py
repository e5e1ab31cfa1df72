"""What an administrator enters about a client: what is allowed, and errors that say what is wrong. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from latchpin.errors import InvalidRequest
from latchpin.sdk.gateway import parse_body
from latchpin.sdk.identity import parse_email
from pydantic import BaseModel, ConfigDict, Field

from latchpin_authorization_server.clients.client import Client
from latchpin_authorization_server.clients.metadata import MOST_REDIRECT_URIS
from latchpin_authorization_server.redirect_uris import check_redirect_uri
from latchpin_authorization_server.shown_text import one_line

__all__ = ["ClientEntry", "build_client", "parse_entry"]

_FOR_PEOPLE = ["authorization_code", "refresh_token"]
_FOR_SERVICES = ["client_credentials"]


class ClientEntry(BaseModel):
    """A client that people sign in with, or a service that acts by itself."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(min_length=1, max_length=80, description="What people read when they are asked.")
    redirect_uris: list[str] = Field(
        default_factory=list,
        max_length=MOST_REDIRECT_URIS,
        description="Where answers may go; on loopback any port will do.",
    )
    grant_types: list[str] | None = Field(
        None, description="How it may get tokens. Left out: by a person, or by itself where ``acts_as`` is there."
    )
    token_endpoint_auth_method: Literal["none", "client_secret_basic", "client_secret_post"] = Field(
        "client_secret_basic", description="``none`` is for programs that cannot keep a secret."
    )
    acts_as: str | None = Field(None, description="The address whose tokens a service gets, without a person.")


def parse_entry(document: object) -> ClientEntry:
    """Read what was entered.

    Raises:
        InvalidRequest: it does not hold; the text names each member.
    """
    return parse_body(ClientEntry, document)


def build_client(
    entry: ClientEntry, *, client_id: str, grant_types: Collection[str], schemes: Collection[str] = ()
) -> Client:
    """The client that was entered; its secret is made afterwards.

    Args:
        entry: what was entered.
        client_id: what it is called.
        grant_types: those that the token endpoint takes.
        schemes: further private-use schemes of redirect URIs.

    Raises:
        InvalidRequest: what was entered does not fit together.
    """
    wanted = entry.grant_types or (_FOR_PEOPLE if entry.acts_as is None else _FOR_SERVICES)
    unknown = [each for each in wanted if each not in grant_types]
    if unknown:
        raise InvalidRequest(f"grant_types: {unknown[0][:80]!a} is none of {', '.join(grant_types)}")
    _check_service(entry, wanted)
    if "authorization_code" in wanted and not entry.redirect_uris:
        raise InvalidRequest("redirect_uris: a client that people sign in with has at least one")
    try:
        redirect_uris = tuple(check_redirect_uri(uri, schemes=schemes) for uri in entry.redirect_uris)
    except ValueError as exc:
        raise InvalidRequest(f"redirect_uris: {exc}") from None
    return Client(
        id=client_id,
        name=_plain(entry.name),
        source="entered",
        redirect_uris=redirect_uris,
        grant_types=tuple(dict.fromkeys(wanted)),
        auth_method=entry.token_endpoint_auth_method,
        acts_as="" if entry.acts_as is None else parse_email(entry.acts_as),
    )


def _check_service(entry: ClientEntry, wanted: Collection[str]) -> None:
    """A service gets tokens by itself, and by nothing else: what it may do hangs on its secret alone."""
    by_itself = "client_credentials" in wanted
    if by_itself != (entry.acts_as is not None):
        raise InvalidRequest("acts_as: a client with the grant type client_credentials has it, and no other has")
    if by_itself and set(wanted) != {"client_credentials"}:
        raise InvalidRequest("grant_types: a service has client_credentials and nothing else")
    if by_itself and entry.token_endpoint_auth_method == "none":  # noqa: S105  that there is none
        raise InvalidRequest("token_endpoint_auth_method: a service has a secret")


def _plain(name: str) -> str:
    shown = one_line(name)
    if not shown:
        raise InvalidRequest("name: it has nothing that can be read")
    return shown
