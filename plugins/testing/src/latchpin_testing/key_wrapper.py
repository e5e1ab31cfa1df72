"""The suite for key services. A subclass gives ``offer``, ``settings``, and a way to the service or its stand-in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial

import pytest
from latchpin.contracts import KeyWrapper
from latchpin.errors import ConfigurationError, Unsealable, UpstreamError, UpstreamTimeout, UpstreamUnreachable

from latchpin_testing.context import SuiteContext
from latchpin_testing.opening import AnyOffer, AnySettings
from latchpin_testing.registrar import UnreachableUpstream
from latchpin_testing.rules import found, holds, outcomes, refused, same

__all__ = ["KeyWrapperContract"]

KEY = bytes(range(32))
CONTEXT = {"purpose": "sealing", "day": "2026-11-30"}
OTHER_CONTEXTS: tuple[Mapping[str, str], ...] = (
    {},
    {"purpose": "sealing"},
    {"purpose": "sealing", "day": "2026-12-01"},
    {"purpose": "signing", "day": "2026-11-30"},
    {"purpose": "2026-11-30", "day": "sealing"},
    {"Purpose": "sealing", "day": "2026-11-30"},
    {**CONTEXT, "more": "1"},
    {"purposesealing": "", "day": "2026-11-30"},
)


@pytest.mark.asyncio
class KeyWrapperContract:
    """What ``latchpin.contracts.KeyWrapper`` promises."""

    @pytest.fixture
    def offer(self) -> AnyOffer:
        """What your hook returns. Override this."""
        raise NotImplementedError("override the fixture 'offer': return what your plugin's hook returns")

    @pytest.fixture
    def settings(self, offer: AnyOffer) -> AnySettings:
        """Settings with one key of the service. Override this."""
        return offer.settings()

    @pytest.fixture
    def refused_settings(self, settings: AnySettings) -> AnySettings:  # noqa: ARG002  a subclass may build on it
        """Settings with which the service refuses us, such as a wrong token. None where nothing can be refused."""
        return None

    @pytest.fixture
    def silent_settings(self, settings: AnySettings) -> AnySettings:
        """Settings with which nobody answers. Override this if your service is not asked through the context."""
        return settings

    def make_context(self) -> SuiteContext:
        """What the offer is opened with. Override this to give an ``upstream`` that leads to the service."""
        return SuiteContext()

    @asynccontextmanager
    async def _opened(self, offer: AnyOffer, settings: AnySettings) -> AsyncIterator[KeyWrapper]:
        async with self.make_context() as context, offer.open(settings, context) as wrapper:
            yield wrapper

    async def test_unwrap_reverses_wrap(self, offer: AnyOffer, settings: AnySettings) -> None:
        """Any key, also in another process, whatever the order of the context's names."""
        async with self._opened(offer, settings) as wrapper, self._opened(offer, settings) as elsewhere:
            for key in (KEY, b"\0" * 16, bytes(range(256)) * 2):
                wrapped = await wrapper.wrap(key, context=CONTEXT)
                backwards = dict(reversed(CONTEXT.items()))
                same(await elsewhere.unwrap(wrapped, context=backwards), key, "unwrap gives what was wrapped")
                holds(key not in wrapped, "a wrapped key shows nothing of the key")
                again = await wrapper.wrap(key, context=CONTEXT)
                holds(again != wrapped, "equal keys do not look equal when wrapped")

    async def test_many_may_ask_at_once(self, offer: AnyOffer, settings: AnySettings) -> None:
        """Each gets its own key."""
        keys = [bytes([number]) * 32 for number in range(16)]
        async with self._opened(offer, settings) as wrapper:
            wrapped = await asyncio.gather(*(wrapper.wrap(key, context=CONTEXT) for key in keys))
            same(
                await asyncio.gather(*(wrapper.unwrap(each, context=CONTEXT) for each in wrapped)),
                keys,
                "those who ask at once get their own keys",
            )

    @pytest.mark.parametrize("context", OTHER_CONTEXTS)
    async def test_a_wrapped_key_is_bound_to_its_context(
        self, offer: AnyOffer, settings: AnySettings, context: Mapping[str, str]
    ) -> None:
        """What was wrapped for one purpose does not open for another."""
        async with self._opened(offer, settings) as wrapper:
            wrapped = await wrapper.wrap(KEY, context=CONTEXT)
            await _unsealable(wrapper, wrapped, context, "a key wrapped with another context does not unwrap")
            bare = await wrapper.wrap(KEY, context={})
            if context:
                await _unsealable(wrapper, bare, context, "a key wrapped without a context does not unwrap with one")

    async def test_a_damaged_key_does_not_unwrap(self, offer: AnyOffer, settings: AnySettings) -> None:
        """Whatever byte is changed or lost, and whatever is put in its place."""
        async with self._opened(offer, settings) as wrapper:
            good = await wrapper.wrap(KEY, context=CONTEXT)
            middle = len(good) // 2
            changed = [good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in (0, middle, len(good) - 1)]
            for damaged in [*changed, good[:middle], good[:-1], b"x" + good, b"", b"\0", b"plain", b"\xff" * 200, KEY]:
                await _unsealable(wrapper, damaged, CONTEXT, f"a damaged key does not unwrap ({damaged[:12]!r}...)")
            same(await wrapper.unwrap(good, context=CONTEXT), KEY, "what is damaged leaves the service in use")

    async def test_a_service_that_refuses_us_is_said_so(
        self, offer: AnyOffer, settings: AnySettings, refused_settings: AnySettings
    ) -> None:
        """A refusal is our settings' fault, and no sign that a key is damaged; the remedy says what to change."""
        if refused_settings is None:
            return
        async with self._opened(offer, settings) as wrapper:
            wrapped = await wrapper.wrap(KEY, context=CONTEXT)
        async with self._opened(offer, refused_settings) as wrapper:
            for ask in (partial(wrapper.wrap, KEY), partial(wrapper.unwrap, wrapped)):
                error = await refused(
                    ask(context=CONTEXT), ConfigurationError, "a service that refuses raises ConfigurationError"
                )
                holds(not isinstance(error, Unsealable), "a refusal does not say that the key is damaged", found(error))
                fits = error.remedy != ConfigurationError.remedy
                holds(fits, "a refusal has a remedy of its own", found(error.remedy))

    @pytest.mark.parametrize("failure", [UpstreamUnreachable("no route"), UpstreamTimeout("no answer in time")])
    async def test_a_silent_service_is_said_so(
        self, offer: AnyOffer, settings: AnySettings, silent_settings: AnySettings, failure: UpstreamError
    ) -> None:
        """A plugin whose service is away opens; each question raises, and nothing is made up."""
        async with self._opened(offer, settings) as wrapper:
            wrapped = await wrapper.wrap(KEY, context=CONTEXT)
        upstream = UnreachableUpstream(failure)
        async with SuiteContext(upstream=upstream) as context, offer.open(silent_settings, context) as wrapper:
            for ask in (partial(wrapper.wrap, KEY), partial(wrapper.unwrap, wrapped)):
                [outcome] = await outcomes([ask(context=CONTEXT)])
                fits = isinstance(outcome, UpstreamError) or (isinstance(outcome, bytes) and not upstream.asked)
                holds(fits, "a service that does not answer raises UpstreamError", found(outcome))


async def _unsealable(wrapper: KeyWrapper, wrapped: bytes, context: Mapping[str, str], rule: str) -> None:
    __tracebackhide__ = True
    await refused(wrapper.unwrap(wrapped, context=context), Unsealable, rule)
