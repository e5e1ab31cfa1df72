"""How an MCP server without OAuth is shown for whom a request is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from latchpin.model import ApiKeyConfig

__all__ = ["AuthScheme"]


class AuthScheme(Protocol):
    """A way other than OAuth to show an MCP server for whom a request is (RFC 9110 section 11, or of the server's own).

    A gateway's entry names it in ``auth_type``. A person enters a key: an API key, or a password or signing key in its
    place. The core tries it at the server, keeps it sealed as tokens are, and finds and opens the caller's key for each
    call. The scheme says what may be a key, and how requests show it.
    """

    @property
    def name(self) -> str:
        """The ``auth_type``: at most 32 lower-case letters, digits, ``_`` and ``-``; neither ``oauth`` nor ``none``."""

    @property
    def label(self) -> str:
        """What administrators choose, such as ``API key, in a header field``."""

    @property
    def page(self) -> str:
        """The path of the page where a person enters the key, with ``{gateway_id}`` in it.

        Its query may hold ``next``, the path to go on to, and ``account``, the label of the account that is meant.
        """

    def change_place(self, earlier: ApiKeyConfig | None, given: Mapping[str, str | None] | None) -> ApiKeyConfig | None:
        """Say in which field the key goes once an entry is changed. Another place than before drops every key.

        Args:
            earlier: where it went; None: the entry named another scheme before, or this one has no such place.
            given: what the change says in ``api_key``: ``header`` and ``prefix``, if they are there; a None in it goes
                back to the default. None: it says nothing.

        Returns:
            The place; None for a scheme whose key always goes in the same one.

        Raises:
            InvalidRequest: names the member that does not hold, without its value: that may be the key.
        """

    def explain_key(self, key: str) -> str | None:
        """Say why a text cannot be a key, without any of it; None: it can be one. Asks nobody."""

    def headers(self, place: ApiKeyConfig | None) -> Sequence[str]:
        """The names, in lower case, of the fields that show the key. A caller's own fields of these names stay here."""

    async def fields(self, key: str, place: ApiKeyConfig | None, *, method: str, url: str) -> Sequence[tuple[str, str]]:
        """The header fields that show the key in one request. It may be asked for each of many requests a second.

        Args:
            key: as it was entered. It is neither kept nor logged.
            place: as ``change_place`` gave it.
            method: of the request.
            url: to which it goes.

        Raises:
            LatchpinError: they cannot be had; its text says who has to do what.
        """
