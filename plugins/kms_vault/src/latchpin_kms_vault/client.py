"""Asks the server in the name of its login, again where that has ended or where the server asks to wait."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from latchpin.contracts import Clock, Upstream
from latchpin.model import Reply
from latchpin.sdk.outbound import ask_patiently

from latchpin_kms_vault.replies import read_reply
from latchpin_kms_vault.session import Login, Sender
from latchpin_kms_vault.settings import VaultSettings

__all__ = ["VaultClient"]

_REFUSED = 403


class VaultClient:
    """One for the process: its login is shared by all who ask.

    Args:
        upstream: the way to VAULT_ADDR alone.
        settings: where the server is, and how to sign in.
        clock: the gateway's clock.
        pause: waits that many seconds; tests give one of their own.

    Attributes:
        login: the gateway's login at the server.
    """

    def __init__(
        self,
        upstream: Upstream,
        settings: VaultSettings,
        clock: Clock,
        *,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._sender = Sender(upstream, settings)
        self.login = Login(self._sender, settings, clock)
        self._pause = pause

    async def ask(
        self, path: str, body: Mapping[str, Any] | None, *, act: str, denied: str, method: str = "POST"
    ) -> Mapping[str, Any]:
        """Send a request that is safe to repeat, and read its answer.

        Args:
            path: below ``/v1/``.
            body: what is sent as JSON; None: nothing.
            act: what is asked for, for people.
            denied: what helps where the server denies it.
            method: the HTTP method.

        Raises:
            Unsealable, ConfigurationError: the server refused.
            UpstreamError: it gave no answer, failed, or still asked to wait after the last pause.
        """
        raw = b"" if body is None else json.dumps(body).encode()

        async def once() -> Mapping[str, Any]:
            return read_reply(await self._send(method, path, raw), act, denied=denied)

        return await ask_patiently(once, pause=self._pause)

    async def _send(self, method: str, path: str, body: bytes) -> Reply:
        token = await self.login.token()
        reply = await self._sender.send(method, path, body, token=token, repeatable=True)
        if reply.status != _REFUSED or (newer := await self.login.token(refused=token)) == token:
            return reply
        return await self._sender.send(method, path, body, token=newer, repeatable=True)
