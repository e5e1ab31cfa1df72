"""Fetching an MCP server's tools with the caller's own token, and keeping them for this caller only."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from latchpin.activity.recorder import FlowRecorder
from latchpin.errors import AccessRefused, TokenRefused, UpstreamError
from latchpin.errors.causes.upstream import AT_MCP_SERVER
from latchpin.gateways.gates import Gates
from latchpin.gateways.tools.listing import LeftOut, Listing
from latchpin.model import COMPANY, Caller, Gateway, StoredToken, StoredTool
from latchpin.model.flow_steps import ToolsFetched
from latchpin.services import Services
from latchpin.tokens.client_grant import needs_browser
from latchpin.tokens.service import TokenService, UsableToken

__all__ = ["Fetched", "NoteMissing", "Toolbox"]

_log = logging.getLogger("latchpin.toolbox")

INSUFFICIENT_SCOPE = "insufficient_scope"
INVALID_TOKEN = "invalid_token"  # noqa: S105  an error code (RFC 6750 section 3.1)


OPERATION = "tools/list"


class NoteMissing(Protocol):
    """Notes scopes for a user's next authorization; says whether one may help. See ``StepUp.note``."""

    def __call__(self, refused: StoredToken, scopes: Sequence[str], *, operation: str) -> Awaitable[bool]:
        """Note that ``operation`` was refused under this token for want of ``scopes``."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What fetching a gateway's tools brought.

    Attributes:
        left_out: tools that cannot be used, and why.
        remarks: what is wrong with the list itself.
        flow_id: the flow that the token came from, if it is known.
    """

    gateway: Gateway
    created: int
    updated: int
    removed: int
    tools: list[dict[str, Any]]
    left_out: Sequence[LeftOut] = ()
    remarks: Sequence[str] = ()
    flow_id: str | None = None

    @property
    def message(self) -> str:
        """The sentence that the guide promises."""
        return f"Successfully fetched and created {self.created} tools"

    def describe(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "success": True,
            "message": self.message,
            "created": self.created,
            "updated": self.updated,
            "removed": self.removed,
            "tools": self.tools,
            "left_out": [{"name": odd.name, "reason": odd.reason} for odd in self.left_out],
            "remarks": list(self.remarks),
        }


class Toolbox:
    """Tools of gateways, by user."""

    def __init__(
        self,
        services: Services,
        tokens: TokenService,
        recorder: FlowRecorder,
        *,
        gates: Gates,
        note_missing: NoteMissing,
    ) -> None:
        self._gates = gates
        self._note_missing = note_missing
        self._services = services
        self._tokens = tokens
        self._recorder = recorder

    async def fetch(self, gateway: Gateway, caller: Caller) -> Fetched:
        """List the MCP server's tools as ``caller`` sees them, and keep them for this caller.

        A token that the server refuses is renewed once; if that does not help, the user has to authorize again.

        Raises:
            AuthorizationRequired: the caller has no usable token.
            UpstreamError: the MCP server cannot be reached or read, or refuses.
        """
        span = self._recorder.open("fetch-tools")
        token = None if gateway.auth_type == "none" else await self._tokens.token_for(gateway, caller)
        if token is not None and token.stored.flow_id is not None:
            span.name(token.stored.flow_id, gateway.id, caller.email)
        with span:
            fetched = await self._fetch(gateway, caller, token)
            counts = (fetched.created, fetched.updated, fetched.removed)
            span.step(ToolsFetched(len(fetched.tools), *counts))
            return fetched

    async def stored(self, gateway: Gateway, caller: Caller) -> list[StoredTool]:
        """Look at what was fetched before, by name; without what is held back from the caller now."""
        tools = await self._services.tools.list(gateway.id, caller.email, await self._label(gateway, caller))
        kept = {tool["name"] for tool in await self._gates.keep(gateway, caller, [tool.definition for tool in tools])}
        return [tool for tool in tools if tool.name in kept]

    async def _label(self, gateway: Gateway, caller: Caller) -> str:
        """The label of the account that serves the caller."""
        if caller.account is not None or gateway.auth_type == "none":
            return caller.account or ""
        stored = await self._tokens.stored_for(gateway, caller)
        return "" if stored is None else stored.label

    async def _fetch(self, gateway: Gateway, caller: Caller, token: UsableToken | None) -> Fetched:
        listing = await self._list(gateway, caller, token)
        by_name = {str(definition["name"]): definition for definition in listing.tools}
        label = "" if token is None else token.stored.label
        changes = await self._services.tools.replace(gateway.id, caller.email, by_name, label)
        tell = self._services.activity.tell
        await tell("tools.fetched", subject=caller.email, gateway_id=gateway.id, count=len(by_name))
        for odd in listing.left_out:
            _log.warning("Left out tool %s of gateway %s: %s", ascii(odd.name), gateway.id, odd.reason)
        for remark in listing.remarks:
            _log.warning("The tools of gateway %s: %s", gateway.id, remark)
        flow_id = token.stored.flow_id if token is not None else None
        counts = (changes.created, changes.updated, changes.removed)
        tools = [dict(tool) for tool in await self._gates.keep(gateway, caller, listing.tools)]
        return Fetched(gateway, *counts, tools, listing.left_out, listing.remarks, flow_id)

    async def _list(self, gateway: Gateway, caller: Caller, token: UsableToken | None) -> Listing:
        if token is None:
            return await self._ask(gateway, caller, None)
        try:
            return await self._ask(gateway, caller, token)
        except TokenRefused as exc:
            if exc.error != INVALID_TOKEN:
                raise
        renewed = await self._tokens.renew(gateway, caller, token.stored)
        try:
            return await self._ask(gateway, caller, renewed)
        except TokenRefused as exc:
            if exc.error != INVALID_TOKEN or not needs_browser(gateway):
                raise
            raise self._tokens.refused(gateway, caller, renewed.stored, exc) from exc

    async def _ask(self, gateway: Gateway, caller: Caller, token: UsableToken | None) -> Listing:
        from latchpin.gateways.tools.sdk import list_tools  # noqa: PLC0415  the mcp SDK costs 23 MB: only where tools are fetched

        try:
            return await list_tools(self._services.upstream, gateway.url, None if token is None else token.credential)
        except UpstreamError as exc:
            exc.narrow(AT_MCP_SERVER)
            if (
                isinstance(exc, AccessRefused)
                and token is not None
                and gateway.oauth is not None
                and needs_browser(gateway)
            ):
                await self._want_more(exc, token.stored, caller)
            raise

    async def _want_more(self, exc: AccessRefused, refused: StoredToken, caller: Caller) -> None:
        """Step-up: note the scopes that are missing, so that authorizing again asks for them, three times."""
        if exc.error != INSUFFICIENT_SCOPE:
            return
        if refused.app_user_email == COMPANY and not caller.is_admin:
            exc.remedy = "An administrator enters the scopes on the gateway and connects it again."
        elif await self._note_missing(refused, exc.scopes, operation=OPERATION):
            exc.remedy = "Authorize again, which asks for those scopes too; then fetch the tools again."
        else:
            exc.remedy = "Three authorizations did not give the server what it wants: ask the server's operator."
