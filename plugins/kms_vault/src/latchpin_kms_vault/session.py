"""The gateway's login at the server: begun when it is first needed, renewed before it ends."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from latchpin.contracts import Clock, Upstream
from latchpin.errors import ConfigurationError, LatchpinError, SettingsError, UpstreamError, UpstreamUnreadable
from latchpin.model import Reply
from latchpin.sdk.settings import load

from latchpin_kms_vault.replies import AWAY, read_reply, told_away
from latchpin_kms_vault.settings import VaultSettings

__all__ = ["Login", "Sender"]

_SIGN_IN = "Correct {what}; the server's audit log says why it refused."
_NEW_TOKEN = "Put a token that is valid into VAULT_TOKEN, or sign in by AppRole or Kubernetes: see docs/kms.md."  # noqa: S105
_MOST_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class _Ticket:
    """A token, and when to renew it; None: never."""

    token: str = field(repr=False)
    renew_at: datetime | None


class Sender:
    """Sends requests to the one server.

    Args:
        upstream: the way to VAULT_ADDR alone.
        settings: the address and the namespace.
    """

    def __init__(self, upstream: Upstream, settings: VaultSettings) -> None:
        self._upstream = upstream
        self._address = settings.vault_addr
        self._always = {"x-vault-request": "true", "content-type": "application/json"}
        if settings.vault_namespace:
            self._always["x-vault-namespace"] = settings.vault_namespace

    async def send(self, method: str, path: str, body: bytes = b"", *, token: str = "", repeatable: bool) -> Reply:
        """Send one request to ``/v1/PATH``; UpstreamError, with what helps, if no answer comes."""
        headers = {**self._always, "x-vault-token": token} if token else self._always
        url = f"{self._address}/v1/{path}"
        try:
            return await self._upstream.send(method, url, headers=headers, body=body, repeatable=repeatable)
        except UpstreamError as exc:
            raise told_away(exc) from exc


class Login:
    """Gives a token to ask with. One for the process; several may ask at once.

    Args:
        sender: sends to the server.
        settings: how to sign in.
        clock: the gateway's clock.
    """

    def __init__(self, sender: Sender, settings: VaultSettings, clock: Clock) -> None:
        self._sender = sender
        self._settings = settings
        self._clock = clock
        self._ticket: _Ticket | None = None
        self._one_at_a_time = asyncio.Lock()

    async def token(self, refused: str = "") -> str:
        """The token of this login, from a new one if there is none.

        Args:
            refused: a token that the server no longer takes: another one is fetched.

        Raises:
            ConfigurationError: the server refuses the login, or nothing to sign in with can be read.
            UpstreamError: the server gave no answer.
        """
        async with self._one_at_a_time:
            if self._ticket is None or self._ticket.token == refused:
                self._ticket = await self._sign_in()
            return self._ticket.token

    async def renew(self) -> None:
        """Renew the token if half of its life is over. Nothing happens before the first login.

        Raises:
            ConfigurationError: the server refuses; the next use signs in anew.
            UpstreamError: the server gave no answer; the token stays in use.
        """
        async with self._one_at_a_time:
            ticket = self._ticket
            if ticket is None or ticket.renew_at is None or self._clock() < ticket.renew_at:
                return
            path = "auth/token/renew-self"
            reply = await self._sender.send("POST", path, b"{}", token=ticket.token, repeatable=True)
            if reply.status == 400:  # noqa: PLR2004  it cannot be renewed, such as a root token
                self._ticket = _Ticket(ticket.token, None)
                return
            try:
                self._ticket = self._read(reply, "renewing the token", _NEW_TOKEN)
            except ConfigurationError:
                self._ticket = None
                raise

    async def _sign_in(self) -> _Ticket:
        settings = self._settings
        if settings.vault_role_id and settings.vault_secret_id:
            fields = {"role_id": settings.vault_role_id, "secret_id": settings.vault_secret_id.get_secret_value()}
            return await self._ask(settings.vault_approle_mount, fields, "VAULT_ROLE_ID and VAULT_SECRET_ID")
        if settings.vault_kubernetes_role:
            vouched = await asyncio.to_thread(_read_file, settings.vault_kubernetes_token_path)
            fields = {"role": settings.vault_kubernetes_role, "jwt": vouched}
            return await self._ask(settings.vault_kubernetes_mount, fields, "VAULT_KUBERNETES_ROLE")
        # Read anew: an agent may have put another into VAULT_TOKEN_FILE meanwhile.
        now = settings if self._ticket is None else await asyncio.to_thread(load, VaultSettings)
        token = now.vault_token or settings.vault_token
        if token is None:
            raise SettingsError("nothing to sign in to VAULT_ADDR with is set", remedy=_NEW_TOKEN)
        return _Ticket(token.get_secret_value(), self._clock())

    async def _ask(self, mount: str, fields: dict[str, str], what: str) -> _Ticket:
        reply = await self._sender.send("POST", f"auth/{mount}/login", json.dumps(fields).encode(), repeatable=False)
        try:
            return self._read(reply, "the login", _SIGN_IN.format(what=what))
        except LatchpinError as exc:
            if isinstance(exc, ConfigurationError):  # a 400 is a refusal too
                exc.remedy = _SIGN_IN.format(what=what)
            raise

    def _read(self, reply: Reply, act: str, denied: str) -> _Ticket:
        found: Any = read_reply(reply, act, denied=denied).get("auth")
        token = found.get("client_token") if isinstance(found, dict) else None
        seconds = found.get("lease_duration") if isinstance(found, dict) else None
        if not isinstance(token, str) or not token or not isinstance(seconds, int):
            raise UpstreamUnreadable(f"the answer to {act} holds no token", remedy=AWAY)
        half = timedelta(seconds=seconds) / 2
        return _Ticket(token, self._clock() + half if seconds and found.get("renewable") is True else None)


def _read_file(path: str) -> str:
    try:
        with Path(path).open("rb") as opened:
            return opened.read(_MOST_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is no text"
        raise ConfigurationError(
            f"the service account's token cannot be read at {path}: {reason}",
            remedy="Set VAULT_KUBERNETES_TOKEN_PATH, and let the pod have automountServiceAccountToken.",
        ) from None
