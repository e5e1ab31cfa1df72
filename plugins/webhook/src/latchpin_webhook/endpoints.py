"""The receivers that are configured, and what is remembered of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from latchpin.contracts import Clock, Context, KeyValueRecords, Upstream
from latchpin.sdk.urls import origin_of

from latchpin_webhook.settings import WebhookSettings
from latchpin_webhook.signing import read_secret

__all__ = ["Endpoint", "Endpoints", "open_endpoints"]

GONE_FOR = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A receiver.

    Attributes:
        id: tells it from others without its path, which may be a secret.
        url: where it is.
        upstream: the way there.
    """

    id: str
    url: str
    upstream: Upstream

    @property
    def shown(self) -> str:
        """Its origin: all that people and logs are shown."""
        return origin_of(self.url)


class Endpoints:
    """Those that are configured, by their ids.

    Args:
        endpoints: they.
        keys: what signs, the newest first.
        kept: remembers those that said they are gone.
        clock: the gateway's.
    """

    def __init__(
        self, endpoints: Sequence[Endpoint], keys: Sequence[bytes], kept: KeyValueRecords, clock: Clock
    ) -> None:
        self.all = {each.id: each for each in endpoints}
        self.keys = keys
        self._kept = kept
        self._clock = clock

    def show(self, name: str) -> str:
        """The receiver of that id, for people."""
        endpoint = self.all.get(name)
        return endpoint.shown if endpoint is not None else "one that is not configured any more"

    async def gone_since(self, endpoint: Endpoint) -> datetime | None:
        """When it said 410, which means: send me nothing more; None: it did not."""
        text = await self._kept.get(_gone(endpoint))
        return None if text is None else datetime.fromisoformat(text)

    async def note_gone(self, endpoint: Endpoint) -> None:
        """It said so now."""
        now = self._clock()
        await self._kept.put(_gone(endpoint), now.isoformat(), expires_at=now + GONE_FOR)

    async def note_back(self, endpoint: Endpoint) -> None:
        """It took something."""
        await self._kept.take(_gone(endpoint))


async def open_endpoints(settings: WebhookSettings, context: Context) -> Endpoints:
    """Those of the settings.

    Raises:
        SettingsError: a setting does not hold.
    """
    found = []
    for url in settings.urls:
        way = await context.trusted(url) if settings.webhook_allow_private_networks else context.upstream
        found.append(Endpoint(hashlib.sha256(url.encode()).hexdigest()[:16], url, way))
    keys = [read_secret(each.get_secret_value()) for each in settings.webhook_secrets]
    return Endpoints(found, keys, context.kept, context.clock)


def _gone(endpoint: Endpoint) -> str:
    return f"webhook-gone:{endpoint.id}"
