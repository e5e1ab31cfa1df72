"""The suite for grants: what they add to a token request, and what they leave to the core."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from latchpin.contracts import Grant, GrantParameters, GrantRequest, GrantSubject
from latchpin.errors import TokenRefused
from latchpin.model import Caller, ClientCredentials, Gateway, OAuthConfig, Reply, ServerMetadata

from latchpin_testing import samples
from latchpin_testing.context import SuiteContext
from latchpin_testing.opening import AnyOffer
from latchpin_testing.people import OpenedOffer
from latchpin_testing.rules import found, holds, same

__all__ = ["GrantContract"]

LEFT_TO_CORE = frozenset(
    {"grant_type", "client_id", "client_secret", "client_assertion", "scope", "resource", "audience"}
)
SERVER = ServerMetadata("https://as.example.com", None, "https://as.example.com/token")


@pytest.mark.asyncio
class GrantContract(OpenedOffer):
    """What ``latchpin.contracts.Grant`` promises. A subclass gives ``offer``, and a ``config`` that the grant takes."""

    @pytest.fixture
    def config(self, offer: AnyOffer) -> OAuthConfig:
        """A gateway's entry with this grant. Override this where the grant needs more."""
        return OAuthConfig(grant_type=offer.name)

    @pytest.fixture
    def gateway(self, config: OAuthConfig, context: SuiteContext) -> Gateway:
        """A gateway with that entry."""
        return samples.gateway(context.clock(), oauth=config)

    async def post(self, server: ServerMetadata, client: ClientCredentials, fields: Mapping[str, str | None]) -> Reply:
        """Answer what the grant asks of another token endpoint. Override this where it does."""
        raise NotImplementedError("override 'post': answer what your grant asks of another token endpoint")

    async def test_it_says_on_whose_word_tokens_come(self, service: Grant, config: OAuthConfig) -> None:
        """In a word and a sentence, the same each time."""
        subject = service.subject(config)
        if not isinstance(subject, GrantSubject):
            pytest.fail(f"contract broken: subject gives a GrantSubject; seen: {found(subject)}")
        holds(
            subject.vouched_for_by.strip() and subject.message.strip(), "it has a word and a sentence", found(subject)
        )
        same(service.subject(config), subject, "it says the same each time")

    async def test_it_takes_an_entry_that_holds(self, service: Grant, config: OAuthConfig) -> None:
        """When it is made, and when it is changed."""
        for earlier in (OAuthConfig(), config):
            same(service.check(config, earlier), None, "check returns nothing")  # type: ignore[func-returns-value]

    async def test_it_adds_only_what_is_its_own(self, service: Grant, config: OAuthConfig, gateway: Gateway) -> None:
        """Texts by their names; client, scope and resource are the core's to add."""
        caller = Caller("ada@example.com")
        request = GrantRequest(gateway, config, SERVER, None, (), caller, (), self.post)
        given = await service.parameters(request)
        if not isinstance(given, GrantParameters):
            pytest.fail(f"contract broken: parameters gives GrantParameters; seen: {found(given)}")
        holds(not LEFT_TO_CORE & given.fields.keys(), "the core adds these itself", found(sorted(given.fields)))
        texts = all(isinstance(text, str) for pair in given.fields.items() for text in pair)
        holds(texts, "fields are texts", found(sorted(given.fields)))
        holds(not any(value in repr(given) for value in given.fields.values()), "what is printed shows no field")

    async def test_it_passes_on_what_says_nothing_of_the_grant(self, service: Grant) -> None:
        """A client that is not known is no fault of the grant."""
        refused = TokenRefused("invalid_client", error="invalid_client")
        same(service.explain(refused), refused, "a refusal of the client stays one")
