"""The suites for code challenge methods and for client authentications: pure functions behind small objects."""

from __future__ import annotations

from datetime import timedelta

import pytest
from latchpin.contracts import ClientAuthentication, PkceMethod, TokenRequestParts
from latchpin.errors import ConfigurationError
from latchpin.model import ClientCredentials

from latchpin_testing.clock import START
from latchpin_testing.rules import found, holds, same

__all__ = ["ClientAuthenticationContract", "PkceMethodContract"]

UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
VERIFIERS = ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "a" * 43, "~" * 128, "Z.-_~" * 10)
EXAMPLE = ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
"""RFC 7636 appendix B."""

GRANT_FIELDS = frozenset({"grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "scope", "resource"})
ISSUER, ENDPOINT = "https://as.example.com", "https://as.example.com/token"


class PkceMethodContract:
    """What ``latchpin.contracts.PkceMethod`` promises (RFC 7636). A subclass gives ``method``."""

    @pytest.fixture
    def method(self) -> PkceMethod:
        """One of those that your hook returns. Override this."""
        raise NotImplementedError("override the fixture 'method': return one of those that your hook returns")

    def test_a_challenge_follows_from_its_verifier(self, method: PkceMethod) -> None:
        """The same each time, another one for each verifier, and fit for a URL (section 4.2)."""
        seen: set[str] = set()
        for verifier in VERIFIERS:
            challenge = method.challenge(verifier)
            same(method.challenge(verifier), challenge, "a verifier has one challenge")
            fits = isinstance(challenge, str) and 43 <= len(challenge) <= 128 and set(challenge) <= UNRESERVED
            holds(fits, "a challenge has 43 to 128 unreserved characters", found(challenge))
            holds(challenge != verifier, "a challenge does not show its verifier")
            seen.add(challenge)
        same(len(seen), len(VERIFIERS), "different verifiers have different challenges")

    def test_it_is_called_as_on_the_wire(self, method: PkceMethod) -> None:
        """A name without blanks; what is called S256 computes what the RFC's example shows."""
        holds(method.name and set(method.name) <= UNRESERVED, "a method has a name for the wire", found(method.name))
        if method.name == "S256":
            same(method.challenge(EXAMPLE[0]), EXAMPLE[1], "S256 is what RFC 7636 appendix B shows")


class ClientAuthenticationContract:
    """What ``latchpin.contracts.ClientAuthentication`` promises. A subclass gives ``method`` and ``client``."""

    @pytest.fixture
    def method(self) -> ClientAuthentication:
        """One of those that your hook returns. Override this."""
        raise NotImplementedError("override the fixture 'method': return one of those that your hook returns")

    @pytest.fixture
    def client(self, method: ClientAuthentication) -> ClientCredentials:
        """A client that has what the method needs. Override this where a secret has a form of its own."""
        return ClientCredentials("client-7", "a-secret:with % and \u00fc", method.name)

    def build(self, method: ClientAuthentication, client: ClientCredentials, **changes: object) -> TokenRequestParts:
        """Call it as the gateway does."""
        arguments: dict[str, object] = {"issuer": ISSUER, "token_endpoint": ENDPOINT, "now": START, **changes}
        return method.authenticate(client, **arguments)  # type: ignore[arg-type]

    def test_it_says_which_client_it_is(self, method: ClientAuthentication, client: ClientCredentials) -> None:
        """In a header or a field, as text, beside what the grant itself says."""
        for issuer in (ISSUER, None):
            parts = self.build(method, client, issuer=issuer)
            holds(isinstance(parts, TokenRequestParts), "authenticate gives TokenRequestParts", found(type(parts)))
            pairs = [*parts.headers.items(), *parts.fields.items()]
            text = all(isinstance(each, str) for pair in pairs for each in pair)
            holds(text, "headers and fields are text")
            holds(not GRANT_FIELDS & parts.fields.keys(), "it adds no field of the grant", found(set(parts.fields)))
            clean = not any(letter in value for value in parts.headers.values() for letter in "\r\n\0")
            holds(clean, "a header is one line")
            named = parts.fields.get("client_id") == client.client_id or "authorization" in parts.headers
            holds(named, "the server learns which client asks")

    def test_it_shows_no_secret(self, method: ClientAuthentication, client: ClientCredentials) -> None:
        """Neither when it is printed nor in the error for a client that has none."""
        parts = self.build(method, client)
        secret = client.client_secret
        holds(secret is None or secret not in repr(parts), "printed parts show no secret")
        holds(secret is None or secret not in repr(client), "a printed client shows no secret")

    def test_a_client_without_a_secret_is_an_error_or_public(self, method: ClientAuthentication) -> None:
        """A method that needs a secret says so; it does not send an empty one."""
        try:
            parts = self.build(method, ClientCredentials("client-7", None, method.name))
        except ConfigurationError:
            return
        except Exception as exc:
            raise AssertionError(f"contract broken: it raises ConfigurationError; seen: {found(exc)}") from exc
        holds("authorization" not in parts.headers, "without a secret nothing is proven", found(set(parts.headers)))
        holds("client_secret" not in parts.fields, "an empty secret is not sent")

    def test_the_clock_that_it_is_given_counts(self, method: ClientAuthentication, client: ClientCredentials) -> None:
        """Built at another time it is still built: nothing in it looks at this machine's clock."""
        for now in (START, START + timedelta(days=9000)):
            self.build(method, client, now=now)
