"""The suites for what knows callers, and for what vouches for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from latchpin.contracts import AssertionSource, Identity
from latchpin.errors import LatchpinError
from latchpin.model import Caller, Evidence, IdentityProvider

from latchpin_testing.clock import MovedClock
from latchpin_testing.context import SuiteContext
from latchpin_testing.opening import AnyOffer, AnySettings
from latchpin_testing.rules import found, gives, holds, same

__all__ = ["AssertionSourceContract", "IdentityContract", "OpenedOffer"]

STRANGER = Evidence(peer="203.0.113.7", headers={"accept": ("*/*",), "host": ("gateway.example.com",)}, cookies={})


class OpenedOffer:
    """An offer, opened in a context that a subclass may make its own."""

    @pytest.fixture
    def offer(self) -> AnyOffer:
        """What your hook offers. Override this."""
        raise NotImplementedError("override the fixture 'offer': return one Backend of those that your hook returns")

    @pytest.fixture
    def settings(self, offer: AnyOffer) -> AnySettings:
        """The settings to open it with."""
        return offer.settings()

    def make_context(self) -> SuiteContext:
        """What it is opened with. Override this where it needs an ``upstream``, ``records`` or a ``cipher``."""
        return SuiteContext()

    @pytest_asyncio.fixture
    async def context(self) -> AsyncIterator[SuiteContext]:
        """What it is opened with, while it is open."""
        async with self.make_context() as context:
            yield context

    @pytest_asyncio.fixture
    async def service(self, offer: AnyOffer, settings: AnySettings, context: SuiteContext) -> AsyncIterator[Any]:
        """What it opened, as the gateway opens it."""
        async with offer.open(settings, context) as service:
            yield service


@pytest.mark.asyncio
class IdentityContract(OpenedOffer):
    """What ``latchpin.contracts.Identity`` promises. A subclass gives ``offer``, ``known`` and ``forged``."""

    async def known(self, context: SuiteContext, settings: AnySettings) -> tuple[Evidence, str]:
        """Evidence that holds, and the address of whom it names. Override this."""
        raise NotImplementedError("override 'known': return evidence that your identity accepts, and whose it is")

    async def forged(self, context: SuiteContext, settings: AnySettings) -> Sequence[Evidence]:
        """Evidence that does not hold, each in another way: foreign, expired, cut, changed. Override this."""
        raise NotImplementedError("override 'forged': return evidence that your identity must not accept")

    async def test_it_names_a_caller(self, service: Identity, context: SuiteContext, settings: AnySettings) -> None:
        """By a lower-case address, with a name for the way, the same each time."""
        evidence, email = await self.known(context, settings)
        caller = await service.identify(evidence)
        if not isinstance(caller, Caller):
            pytest.fail(f"contract broken: evidence that holds names a Caller; seen: {found(caller)}")
        same(caller.email, email.lower(), "a caller's address is in lower case")
        holds(isinstance(caller.via, str) and caller.via.strip(), "the way has a name", found(caller.via))
        holds(isinstance(caller.is_admin, bool), "is_admin is True or False", found(caller.is_admin))
        holds(isinstance(caller.proves_intent, bool), "proves_intent is True or False", found(caller.proves_intent))
        if not any(_proving(name) for name in evidence.headers):
            holds(not caller.proves_intent, "what a browser sends by itself (a cookie) does not prove intent")
        await gives(service.identify(evidence), caller, "equal evidence names the same caller each time")

    async def test_it_finds_nothing_in_a_strangers_request(self, service: Identity) -> None:
        """None, and no error: other ways are asked as well."""
        for evidence in (STRANGER, replace(STRANGER, peer=""), Evidence("203.0.113.7", {}, {})):
            await gives(service.identify(evidence), None, "a request without any evidence is nobody's")

    async def test_it_reads_what_it_says(self, service: Identity, context: SuiteContext, settings: AnySettings) -> None:
        """Nobody is found without the fields of ``reads``: else a remembered caller would hide what else came along."""
        reads: frozenset[str] | None = getattr(service, "reads", None)
        if reads is None:
            return  # it says nothing, and nobody whom it finds is remembered
        holds(isinstance(reads, frozenset), "reads is a frozenset", found(reads))
        evidence, _ = await self.known(context, settings)
        headers = {name: values for name, values in evidence.headers.items() if name not in reads}
        cookies = {} if "cookie" in reads else evidence.cookies
        without = replace(evidence, headers=headers, cookies=cookies)
        await gives(service.identify(without), None, "a request without the fields that it reads is nobody's")

    async def test_what_does_not_hold_names_nobody(
        self, service: Identity, context: SuiteContext, settings: AnySettings
    ) -> None:
        """Refused with one of Latchpin's errors, or None where it means nothing here (such as a stale cookie)."""
        forged = await self.forged(context, settings)
        holds(forged, "the suite is given something forged")
        for evidence in forged:
            await self._names_nobody(service, evidence, "evidence that does not hold names nobody")

    async def test_what_comes_twice_names_nobody(
        self, service: Identity, context: SuiteContext, settings: AnySettings
    ) -> None:
        """A header that proves who it is, sent twice: one may be a caller's own, slipped in beside a proxy's."""
        evidence, _ = await self.known(context, settings)
        for name in evidence.headers:
            first = evidence.headers[name][0]
            without = {key: value for key, value in evidence.headers.items() if key != name}
            alone = await _outcome(service, replace(evidence, headers=without))
            if isinstance(alone, Caller):
                continue  # it does not decide by this header
            for values in ((first, f"{first}x"), (f"{first}x", first)):
                twice = replace(evidence, headers={**evidence.headers, name: values})
                await self._names_nobody(service, twice, f"the header {name} that comes twice names nobody")

    async def _names_nobody(self, service: Identity, evidence: Evidence, rule: str) -> None:
        __tracebackhide__ = True
        outcome = await _outcome(service, evidence)
        sound = outcome is None or isinstance(outcome, LatchpinError)
        holds(sound, f"{rule}: it is None or an error of Latchpin's", found(outcome))
        for value in (text for values in evidence.headers.values() for text in values):
            shown = isinstance(outcome, LatchpinError) and len(value) > _LONG and value in f"{outcome} {outcome.public}"
            holds(not shown, "an error does not show what was sent")


_LONG = 15
"""Characters from which on a header's value may be a secret."""


def _proving(name: str) -> bool:
    return name not in {"cookie", "host", "accept", "user-agent", "origin", "referer"}


async def _outcome(service: Identity, evidence: Evidence) -> object:
    try:
        return await service.identify(evidence)
    except Exception as exc:  # noqa: BLE001  the suite judges whatever it raises
        return exc


@pytest.mark.asyncio
class AssertionSourceContract(OpenedOffer):
    """What ``latchpin.contracts.AssertionSource`` promises. A subclass gives ``offer`` and ``known``."""

    async def known(self, context: SuiteContext, settings: AnySettings) -> tuple[Caller, IdentityProvider]:
        """Somebody whom that provider vouches for, with everything that the source needs to know it. Override this."""
        raise NotImplementedError("override 'known': return a caller, and the provider whose word your source has")

    async def test_it_gives_a_living_assertion(
        self, service: AssertionSource, context: SuiteContext, settings: AnySettings
    ) -> None:
        """Of that provider, not expired, and not shown when it is printed."""
        caller, provider = await self.known(context, settings)
        assertion = await service.find(caller, provider)
        if assertion is None:
            pytest.fail("contract broken: the source gives the assertion that it has")
        same(assertion.issuer, provider.issuer, "an assertion is the provider's that it is asked for")
        holds(assertion.expires_at > context.clock(), "an assertion has not expired", found(assertion.expires_at))
        holds(assertion.token.strip(), "an assertion is a token")
        holds(assertion.token not in repr(assertion), "a printed assertion does not show its token")

    async def test_it_gives_nobody_elses(
        self, service: AssertionSource, context: SuiteContext, settings: AnySettings
    ) -> None:
        """Another provider's word is not asked for, and another person's is not given."""
        caller, provider = await self.known(context, settings)
        other = replace(provider, issuer="https://another-idp.example.com")
        await gives(service.find(caller, other), None, "no other provider's assertion is given")
        stranger = Caller("nobody-knows-me@example.com", via=caller.via)
        await gives(service.find(stranger, provider), None, "an assertion is about the caller, or there is none")

    async def test_it_gives_none_that_has_expired(
        self, service: AssertionSource, context: SuiteContext, settings: AnySettings
    ) -> None:
        """None is given at the very moment of its expiry and after it, or a newer one."""
        caller, provider = await self.known(context, settings)
        assertion = await service.find(caller, provider)
        if assertion is None:
            pytest.fail("contract broken: the source gives the assertion that it has")
        if not isinstance(context.clock, MovedClock):
            pytest.fail("contract broken: the suite moves the clock, so let make_context give a MovedClock")
        context.clock.advance(assertion.expires_at - context.clock())
        later = await service.find(caller, provider)
        living = later is None or later.expires_at > context.clock()
        holds(living, "an expired assertion is not given", found(later))
