"""A ``latchpin.Context`` for tests: what a backend is given when it is opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

from latchpin.activity.activity import Activity
from latchpin.contracts import (
    Cipher,
    Clock,
    Collection,
    DerivedKey,
    Endings,
    Keys,
    KeyValueRecords,
    KeyWrapper,
    RecordStore,
    Signer,
    Upstream,
)
from latchpin.errors import ConfigurationError
from latchpin.model import CollectionSpec
from latchpin.outbound.trusted import TrustedUpstream
from latchpin.records.kept import KeyValues
from latchpin.records.sealed import open_collection
from latchpin.workers.derived_keys import KeyRing
from pydantic import SecretStr

from latchpin_testing.clock import MovedClock

__all__ = ["SuiteContext"]

ResourceT = TypeVar("ResourceT")


class SuiteContext:
    """Implements ``latchpin.contracts.Context``. Use it as an async context manager: leaving closes what is shared.

    Args:
        clock: the clock handed to the backend; by default a ``MovedClock``.
        instance_id: names the pretended process.
        base_url: the pretended public URL.
        state_ttl: the pretended STATE_TTL_SECONDS.
        upstream: the way to other servers, for backends that need one.
        records: the record store, for backends that need one.
        signer: the signer, for backends that need one.
        cipher: the cipher, for backends that need one.
        key_wrapper: the key service, as with KEY_WRAPPER=suite; None as with KEY_WRAPPER=none.
        secrets: the pretended AUTH_ENCRYPTION_SECRET, then those of AUTH_ENCRYPTION_SECRETS_OLD.
        diagnostic: whether the backend is opened to be looked at only.

    Attributes:
        activity: is told facts; ``activity.add`` lets a test listen.
        endings: counts what was ended.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        instance_id: str = "instance-1",
        base_url: str = "http://localhost:4444",
        state_ttl: timedelta = timedelta(seconds=300),
        upstream: Upstream | None = None,
        records: RecordStore | None = None,
        signer: Signer | None = None,
        cipher: Cipher | None = None,
        key_wrapper: KeyWrapper | None = None,
        secrets: Sequence[str] = ("a secret of the suite, of 32 bytes or more",),
        diagnostic: bool = False,
    ) -> None:
        self.clock: Clock = clock or MovedClock()
        self.instance_id = instance_id
        self.base_url = base_url
        self.state_ttl = state_ttl
        self.diagnostic = diagnostic
        self.key_wrapper = key_wrapper
        self.key_wrappers = {} if key_wrapper is None else {"suite": key_wrapper}
        self.activity = Activity(self.clock)
        self.endings = Endings()
        self._upstream = upstream
        self._records = records
        self._signer = signer
        self._cipher = cipher
        self._secrets = [SecretStr(secret) for secret in secrets]
        self._opened: dict[str, Any] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.clear()
        await self._stack.__aexit__(kind, error, trace)

    async def trusted(self, url: str) -> Upstream:
        """The test's way to other servers, for the origin of ``url`` alone; raises if the test gave none."""
        return TrustedUpstream(url, self.upstream)

    def keys(self, purpose: str) -> Keys:
        """The keys for ``purpose``, derived from the pretended secrets."""
        return KeyRing(self._secrets, purpose)

    def own_keys(self, purpose: str) -> Sequence[DerivedKey]:
        """The same: there are no others."""
        return KeyRing(self._secrets, purpose).all

    @property
    def upstream(self) -> Upstream:
        """The way to other servers; raises if the test gave none."""
        return _given(self._upstream, "upstream")

    @property
    def records(self) -> RecordStore:
        """The record store; raises if the test gave none."""
        return _given(self._records, "records")

    @property
    def signer(self) -> Signer:
        """The signer; raises if the test gave none."""
        return _given(self._signer, "signer")

    @property
    def cipher(self) -> Cipher:
        """The cipher; raises if the test gave none."""
        return _given(self._cipher, "cipher")

    @property
    def kept(self) -> KeyValueRecords:
        """The small kept values of the record store that the test gave."""
        return KeyValues(self.records)

    def collection(self, spec: CollectionSpec) -> Collection:
        """The documents of a plugin in the record store that the test gave."""
        return open_collection(spec, self.records, self.cipher)

    async def shared(self, name: str, opener: Callable[[], AbstractAsyncContextManager[ResourceT]]) -> ResourceT:
        """Open the resource called ``name`` once, and close it when this context is left."""
        if name not in self._opened:
            self._opened[name] = await self._stack.enter_async_context(opener())
        resource: ResourceT = self._opened[name]
        return resource


def _given(value: ResourceT | None, name: str) -> ResourceT:
    if value is None:
        raise ConfigurationError(f"this SuiteContext was made without '{name}'; pass SuiteContext({name}=...)")
    return value
