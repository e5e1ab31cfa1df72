"""The suite for client registrars: what can be said of all of them, whatever their way to a client is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import pytest
import pytest_asyncio
from latchpin.contracts import ClientRegistrar, ClientUpdates, Keeps, Registration, RegistrationRequest, Upstream
from latchpin.errors import LatchpinError, UpstreamError, UpstreamUnreachable
from latchpin.model import ClientCredentials, Reply, ServerMetadata

from latchpin_testing import samples
from latchpin_testing.clock import MovedClock
from latchpin_testing.context import SuiteContext
from latchpin_testing.opening import AnyOffer, AnySettings
from latchpin_testing.rules import found, holds, refused, same

__all__ = ["RegistrarContract", "UnreachableUpstream"]

SECRET = "s3cr3t-that-nobody-prints"  # noqa: S105  the sample to look for
ISSUER = "https://as.example.com/tenant/1"


class UnreachableUpstream:
    """Implements ``latchpin.contracts.Upstream``: nobody answers, and every request is noted in ``asked``.

    Args:
        failure: what each request raises.
    """

    def __init__(self, failure: UpstreamError | None = None) -> None:
        self.asked: list[str] = []
        self._failure = failure or UpstreamUnreachable("nobody answers in this suite")

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Reply:  # noqa: ARG002  the contract
        """Raise the failure."""
        return await self.send("GET", url)

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,  # noqa: ARG002  the contract
        body: bytes = b"",  # noqa: ARG002  the contract
        repeatable: bool = False,  # noqa: ARG002  the contract
    ) -> Reply:
        """Raise the failure."""
        self.asked.append(f"{method} {url}")
        raise self._failure


@pytest.mark.asyncio
class RegistrarContract:
    """A subclass gives ``offer``, and ``settings`` where the defaults do not do."""

    @pytest.fixture
    def offer(self) -> AnyOffer:
        """What your hook returns. Override this."""
        raise NotImplementedError("override the fixture 'offer': return what your plugin's hook returns")

    @pytest.fixture
    def settings(self, offer: AnyOffer) -> AnySettings:
        """The settings to open it with."""
        return offer.settings()

    @pytest.fixture
    def upstream(self) -> Upstream:
        """The way to the server; nobody answers, unless you override this."""
        return UnreachableUpstream()

    @pytest_asyncio.fixture
    async def registrar(
        self, offer: AnyOffer, settings: AnySettings, upstream: Upstream
    ) -> AsyncIterator[ClientRegistrar]:
        """The registrar, opened as the gateway opens it."""
        async with SuiteContext(upstream=upstream) as context, offer.open(settings, context) as registrar:
            yield registrar

    @pytest.fixture
    def request_of_nothing(self) -> RegistrationRequest:
        """A gateway without a client, at a server that offers registration."""
        server = ServerMetadata(
            issuer=ISSUER,
            authorization_endpoint=f"{ISSUER}/authorize",
            token_endpoint=f"{ISSUER}/token",
            registration_endpoint=f"{ISSUER}/register",
            source=ISSUER,
        )
        gateway = samples.gateway(MovedClock()())
        uri = "https://gateway.example.com/oauth/callback"
        return RegistrationRequest(gateway, server, uri, ("mcp:read",), configured=None, auth_method=None)

    async def test_it_gives_a_client_or_none_or_says_why(
        self, registrar: ClientRegistrar, request_of_nothing: RegistrationRequest
    ) -> None:
        """Nobody answers: then it needs nobody, does not apply, or raises one of Latchpin's errors."""
        configured = ClientCredentials("client-7", SECRET, "client_secret_basic")
        for request in (request_of_nothing, replace(request_of_nothing, configured=configured)):
            try:
                answer: object = await registrar.register(request)
            except LatchpinError as exc:
                holds(SECRET not in f"{exc} {exc.hint} {exc.public}", "an error shows no secret")
                continue
            except Exception as exc:
                raise AssertionError(f"contract broken: register raises LatchpinError only; {found(exc)}") from exc
            self._judge(answer, keeps=registrar.keeps)

    def _judge(self, answer: object, *, keeps: Keeps) -> None:
        if isinstance(answer, Registration):
            registered = keeps is Keeps.REGISTERED
            holds(registered, "only a registrar that says Keeps.REGISTERED gives a Registration")
            answer = answer.credentials
        if answer is not None:
            rule = "register gives ClientCredentials, a Registration or None"
            holds(isinstance(answer, ClientCredentials) and answer.client_id, rule, type(answer).__name__)

    async def test_it_says_why_it_does_not_apply(
        self, registrar: ClientRegistrar, request_of_nothing: RegistrationRequest
    ) -> None:
        """``obstacle`` gives a sentence exactly where ``register`` gives no client without having asked anybody."""
        holds(isinstance(registrar.label, str) and registrar.label.strip(), "people call it something")
        configured = ClientCredentials("client-7", SECRET, "client_secret_basic")
        for request in (request_of_nothing, replace(request_of_nothing, configured=configured)):
            obstacle = registrar.obstacle(request)
            rule = "obstacle is None or a sentence, and shows no secret"
            holds(obstacle is None or (obstacle.strip() and SECRET not in obstacle), rule, str(obstacle))
            try:
                gave_none = await registrar.register(request) is None
            except LatchpinError:
                continue
            same(gave_none, obstacle is not None, "obstacle says whether this way applies")

    async def test_what_is_not_kept_can_be_computed_again(
        self, registrar: ClientRegistrar, request_of_nothing: RegistrationRequest
    ) -> None:
        """With ``Keeps.COMPUTED`` the same request gets the same answer each time."""
        configured = ClientCredentials("client-7", SECRET, "client_secret_basic")
        request = replace(request_of_nothing, configured=configured)
        holds(isinstance(registrar.keeps, Keeps), "keeps is one of Keeps", found(registrar.keeps))
        computed = registrar.keeps is Keeps.COMPUTED
        answers = [await registrar.register(request) for _ in range(2 if computed else 0)]
        holds(answers[:1] == answers[1:], "Keeps.COMPUTED means that an answer can be computed each time")

    async def test_what_cannot_be_fetched_is_an_error(
        self, offer: AnyOffer, settings: AnySettings, request_of_nothing: RegistrationRequest
    ) -> None:
        """With ``Keeps.FETCHED``, nobody answers: None would let another way give the client of another."""
        silent = SuiteContext(upstream=UnreachableUpstream())
        async with silent as context, offer.open(settings, context) as registrar:
            if registrar.keeps is Keeps.FETCHED and registrar.obstacle(request_of_nothing) is None:
                asked = registrar.register(request_of_nothing)
                await refused(asked, LatchpinError, "what keeps the client is silent: register raises")

    async def test_updating_gives_a_registration_or_says_why(
        self, registrar: ClientRegistrar, request_of_nothing: RegistrationRequest
    ) -> None:
        """Nobody answers: ``update``, which is optional, raises one of Latchpin's errors, and shows no secret."""
        if not isinstance(registrar, ClientUpdates):
            return
        holds(registrar.keeps is Keeps.REGISTERED, "only a registrar that says Keeps.REGISTERED has a method 'update'")
        client = samples.registered_client(MovedClock()(), issuer=ISSUER)
        try:
            answer: object = await registrar.update(
                client, request_of_nothing, client_secret=SECRET, registration_access_token=SECRET
            )
        except LatchpinError as exc:
            holds(SECRET not in f"{exc} {exc.hint} {exc.public}", "an error shows no secret")
        except Exception as exc:
            raise AssertionError(f"contract broken: update raises LatchpinError only; {found(exc)}") from exc
        else:
            holds(isinstance(answer, Registration), "update gives a Registration", found(answer))

    async def test_forgetting_never_fails(self, registrar: ClientRegistrar) -> None:
        """It returns a sentence for the administrator, whatever the server does, and no secret in it."""
        full = samples.registered_client(MovedClock()())
        bare = replace(full, registration_client_uri=None, registration_access_token=None)
        for client, token in ((full, SECRET), (full, None), (bare, None)):
            try:
                said = await registrar.forget(client, token)
            except Exception as exc:
                raise AssertionError(f"contract broken: forget reports instead of raising; {found(exc)}") from exc
            holds(isinstance(said, str) and said.strip(), "forget returns a sentence on what the server said", said)
            holds(SECRET not in said, "forget's sentence shows no secret", said)
