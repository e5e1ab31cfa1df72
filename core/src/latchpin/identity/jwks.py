"""The published keys of callers' bearer tokens (RFC 7517), fetched when needed and kept for a while."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterable
from copy import copy
from datetime import datetime, timedelta
from typing import Any

import jwt

from latchpin.contracts import Clock, Upstream
from latchpin.errors import LatchpinError, UpstreamUnreadable
from latchpin.workers.shared_tasks import SharedTasks

__all__ = ["KeySet", "parse_key_set"]

KEPT_FOR = timedelta(hours=1)
ASKED_AGAIN_AFTER = timedelta(seconds=30)
"""At the earliest, from the last answer or failure: invented key ids must not turn into a flood of requests."""

PATIENCE = 2.0
"""Seconds to wait for newer keys where a known one would do."""

SIGNING_ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Asymmetric ones only: a published key is no secret."""


class KeySet:
    """The keys behind JWT_JWKS_URL, or behind another server's ``jwks_uri``.

    Args:
        url: where they are published.
        upstream: the guarded way there.
        clock: judges how old they are.
        name: what the URL is called in messages.
    """

    def __init__(self, url: str, *, upstream: Upstream, clock: Clock, name: str = "JWT_JWKS_URL") -> None:
        self._url = url
        self._name = name
        self._upstream = upstream
        self._clock = clock
        self._fetching: SharedTasks[str, None] = SharedTasks()
        self._keys: tuple[jwt.PyJWK, ...] = ()
        self._fetched_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._failure: LatchpinError | None = None

    async def find(self, key_id: object) -> jwt.PyJWK | None:
        """The key that a token names, or the only one if it names none. None if there is no such key.

        An unknown name makes the keys be fetched once more, at most every 30 seconds, by one task for all who ask.
        A known key is not held up by a server that does not answer, however old it is.

        Raises:
            UpstreamError: no keys are known, and they cannot be fetched.
        """
        found = _pick(self._keys, key_id)
        if found is not None and self._fresh():
            return found
        if self._may_ask():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience(found)):
                    await self._fetching.run(self._url, self._refresh)
        if not self._keys and self._failure is not None:
            raise copy(self._failure)  # one for each caller: whoever answers notes on it which flow it ended
        return _pick(self._keys, key_id)

    def _patience(self, found: jwt.PyJWK | None) -> float | None:
        """Seconds to wait for newer keys: a withdrawn one must go, but not at the price of an outage."""
        if found is None:
            return None  # the request's own limit holds
        return 0 if self._failure is not None else PATIENCE

    def _may_ask(self) -> bool:
        return self._asked_at is None or self._clock() - self._asked_at >= ASKED_AGAIN_AFTER

    def _fresh(self) -> bool:
        return self._fetched_at is not None and self._clock() - self._fetched_at < KEPT_FOR

    async def _refresh(self) -> None:
        now = self._clock()
        try:
            reply = await self._upstream.get(self._url, headers={"accept": "application/json"})
            if reply.status != 200:  # noqa: PLR2004
                raise UpstreamUnreadable(f"{self._name} answered {reply.status}", http_status=reply.status)
            self._keys = parse_key_set(reply.body, name=self._name)
            self._fetched_at, self._failure = now, None
        except LatchpinError as exc:
            self._failure = exc  # earlier keys go on being used while the server is away
        finally:
            self._asked_at = self._clock()


def parse_key_set(body: bytes, *, name: str = "JWT_JWKS_URL") -> tuple[jwt.PyJWK, ...]:
    """Read a JWK Set; keys that we cannot or must not use are left out.

    Args:
        body: what came.
        name: what its URL is called in messages.

    Raises:
        UpstreamUnreadable: it is not a JWK Set.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise UpstreamUnreadable(f"what {name} answers is not JSON") from exc
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise UpstreamUnreadable(f"what {name} answers is not a JWK Set (RFC 7517 section 5)")
    return tuple(_usable(entries))


def _usable(entries: Iterable[Any]) -> Iterable[jwt.PyJWK]:
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        try:
            key = jwt.PyJWK(entry)
        except (jwt.PyJWTError, TypeError, ValueError, AttributeError):
            continue
        if key.algorithm_name in SIGNING_ALGORITHMS:
            yield key


def _pick(keys: tuple[jwt.PyJWK, ...], key_id: object) -> jwt.PyJWK | None:
    if key_id is None:
        return keys[0] if len(keys) == 1 else None
    return next((key for key in keys if key.key_id == key_id), None)
