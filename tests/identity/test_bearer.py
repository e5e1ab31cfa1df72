"""Callers' bearer tokens: our own, those under JWT_SECRET_KEY, and those of an identity provider."""

import base64
import json
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from latchpin.contracts import Upstream
from latchpin.errors import NotSignedIn, ProviderUnreachable, ProviderUnreadable
from latchpin.model import Evidence, Reply
from latchpin.testing import MovedClock
from latchpin.tickets import ADMIN_CLAIM

from tests.web.small_gateway import BASE, open_gateway

HMAC_KEY = "k" * 64
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
IDP = {"jwt_jwks_url": "https://idp.example/keys", "jwt_issuer": "https://idp.example", "jwt_audience": "latchpin"}


def evidence(*authorizations):
    return Evidence(peer="203.0.113.7", headers={"authorization": authorizations} if authorizations else {}, cookies={})


async def identify(gateway, token):
    return await gateway.services.identities[0].identify(evidence(f"Bearer {token}"))


def claims_at(clock, **changes):
    now = int(clock().timestamp())
    claims = {"iss": BASE, "aud": BASE, "exp": now + 600, "email": "ada@example.com", **changes}
    return {name: value for name, value in claims.items() if value is not None}


# -- our own ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"jwt_secret_key": HMAC_KEY}, {"jwt_email_claim": "upn"}])
async def test_our_own_tokens_name_their_user(settings):
    async with open_gateway(**settings) as gateway:
        token = await gateway.tickets.create_bearer("Ada@Example.com", False, timedelta(hours=1))
        caller = await identify(gateway, token)
        assert (caller.email, caller.is_admin, caller.via) == ("ada@example.com", False, "bearer")
        admin = await gateway.tickets.create_bearer("root@example.com", True, timedelta(hours=1))
        assert (await identify(gateway, admin)).is_admin
        gateway.clock.advance(timedelta(hours=1))
        with pytest.raises(NotSignedIn, match="expired"):
            await identify(gateway, token)


BAD_CLAIMS = [
    {"iss": None},
    {"aud": None},
    {"exp": None},
    {"iss": "https://evil.example"},
    {"aud": "https://evil.example"},
    {"exp": 1},
    {"exp": True},
    {"exp": "soon"},
    {"exp": [1]},
    {"nbf": 9e12},
    {"nbf": "later"},
    {"email": None},
    {"email": 7},
    {"email": ["ada@example.com"]},
    {"email": "ada"},
    {"email": "ada@b@c"},
    {"email": "ada @example.com"},
    {"email": "ada@example.com\n"},
    {"email": "ada\u202e@example.com"},
    {"email": "a" * 251 + "@b.c"},
]


@pytest.mark.parametrize("changes", BAD_CLAIMS)
async def test_a_token_that_lacks_or_twists_a_claim_is_refused(changes):
    async with open_gateway(jwt_secret_key=HMAC_KEY) as gateway:
        assert await identify(gateway, jwt.encode(claims_at(gateway.clock), HMAC_KEY))
        with pytest.raises(NotSignedIn):
            await identify(gateway, jwt.encode(claims_at(gateway.clock, **changes), HMAC_KEY))


async def test_forged_tokens_are_refused():
    async with open_gateway(jwt_secret_key=HMAC_KEY) as gateway:
        claims = claims_at(gateway.clock)
        for token in (
            jwt.encode(claims, "z" * 40),
            jwt.encode(claims, HMAC_KEY, algorithm="HS512"),
            jwt.encode(claims, RSA, algorithm="RS256"),
            _unsigned(claims),
            "",
            "a.b.c",
            "ey",
            "\udcff",
        ):
            with pytest.raises(NotSignedIn):
                await identify(gateway, token)


async def test_the_root_secret_signs_no_bearer_token():
    async with open_gateway() as gateway:
        secret = gateway.services.settings.auth_encryption_secret.get_secret_value()
        with pytest.raises(NotSignedIn, match="signature"):
            await identify(gateway, jwt.encode(claims_at(gateway.clock), secret))


async def test_a_repeated_authorization_header_is_refused_and_other_schemes_are_not_ours():
    async with open_gateway() as gateway:
        identity = gateway.services.identities[0]
        token = await gateway.tickets.create_bearer("ada@example.com", False, timedelta(hours=1))
        with pytest.raises(NotSignedIn, match="more than once"):
            await identity.identify(evidence(f"Bearer {token}", f"Bearer {token}"))
        assert await identity.identify(evidence("Basic YTpi")) is None
        assert await identity.identify(evidence()) is None
        assert (await identity.identify(evidence(f"bEARER {token}"))).email == "ada@example.com"


def _unsigned(claims):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."


# -- an identity provider's ---------------------------------------------------------------------------


class Keys(Upstream):
    """An upstream whose answer a test sets; faults that no real server shows on demand."""

    def __init__(self, *entries):
        self.entries = list(entries)
        self.asked = 0
        self.answer = None

    async def get(self, url, *, headers=None):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        body = self.answer if self.answer is not None else json.dumps({"keys": self.entries}).encode()
        return Reply(url=url, status=200, headers={}, body=body)


def jwk(key, kid, **more):
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, **more}


def issued(clock, key=RSA, *, kid="one", algorithm="RS256", **changes):
    changes = {"iss": IDP["jwt_issuer"], "aud": IDP["jwt_audience"], **changes}
    return jwt.encode(claims_at(clock, **changes), key, algorithm=algorithm, headers={"kid": kid} if kid else None)


async def test_published_keys_prove_tokens_each_under_its_own_algorithm():
    keys = Keys(jwk(RSA, "one"), jwk(EC, "two"))
    async with open_gateway(upstream=keys, **IDP) as gateway:
        assert (await identify(gateway, issued(gateway.clock))).email == "ada@example.com"
        assert await identify(gateway, issued(gateway.clock, EC, kid="two", algorithm="ES256"))
        assert keys.asked == 1


async def test_the_algorithm_follows_the_key_and_never_the_header():
    keys = Keys(jwk(RSA, "one"), {"kty": "oct", "kid": "weak", "k": "a2V5" * 16})
    pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    async with open_gateway(upstream=keys, **IDP) as gateway:
        claims = claims_at(gateway.clock, iss=IDP["jwt_issuer"], aud=IDP["jwt_audience"])
        for token in (
            _hs256(claims, pem, kid="one"),  # the public key as an HMAC secret
            jwt.encode(claims, "key" * 16, headers={"kid": "weak"}),
            issued(gateway.clock, algorithm="RS512"),
            issued(gateway.clock, algorithm="PS256"),
            issued(gateway.clock, OTHER_RSA),
            issued(gateway.clock, EC, algorithm="ES256"),
            _unsigned(claims),
        ):
            with pytest.raises(NotSignedIn):
                await identify(gateway, token)


def _hs256(claims, secret, *, kid):
    import hashlib
    import hmac

    def part(value):
        return base64.urlsafe_b64encode(value).decode().rstrip("=")

    header = part(json.dumps({"alg": "HS256", "typ": "JWT", "kid": kid}).encode())
    signed = f"{header}.{part(json.dumps(claims).encode())}"
    return f"{signed}.{part(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


async def test_another_issuers_admin_claim_and_unverified_addresses_count_for_nothing():
    async with open_gateway(upstream=Keys(jwk(RSA, "one")), admin_emails="root@example.com", **IDP) as gateway:
        caller = await identify(gateway, issued(gateway.clock, **{ADMIN_CLAIM: True, "admin": True}))
        assert not caller.is_admin
        with pytest.raises(NotSignedIn, match="not verified"):
            await identify(gateway, issued(gateway.clock, email="root@example.com", email_verified=False))


async def test_an_unknown_key_id_is_asked_for_once_and_not_in_a_flood():
    keys = Keys(jwk(RSA, "one"))
    async with open_gateway(upstream=keys, **IDP) as gateway:
        await identify(gateway, issued(gateway.clock))
        keys.entries.append(jwk(OTHER_RSA, "new"))
        gateway.clock.advance(timedelta(seconds=31))
        assert await identify(gateway, issued(gateway.clock, OTHER_RSA, kid="new"))
        assert keys.asked == 2
        for number in range(50):
            with pytest.raises(NotSignedIn):
                await identify(gateway, issued(gateway.clock, kid=f"invented-{number}"))
        assert keys.asked == 2


async def test_a_withdrawn_key_is_forgotten_within_the_hour():
    keys = Keys(jwk(RSA, "one"))
    async with open_gateway(upstream=keys, **IDP) as gateway:
        await identify(gateway, issued(gateway.clock))
        keys.entries[:] = [jwk(OTHER_RSA, "new")]
        gateway.clock.advance(timedelta(hours=1))
        with pytest.raises(NotSignedIn):
            await identify(gateway, issued(gateway.clock))


async def test_without_a_key_id_only_an_only_key_is_taken():
    async with open_gateway(upstream=Keys(jwk(RSA, "one")), **IDP) as gateway:
        assert await identify(gateway, issued(gateway.clock, kid=None))
    async with open_gateway(upstream=Keys(jwk(RSA, "one"), jwk(EC, "two")), **IDP) as gateway:
        with pytest.raises(NotSignedIn):
            await identify(gateway, issued(gateway.clock, kid=None))


async def test_a_server_that_is_away_is_named_and_known_keys_go_on():
    keys = Keys(jwk(RSA, "one"))
    keys.answer = ProviderUnreachable("idp.example refused the connection")
    async with open_gateway(upstream=keys, **IDP) as gateway:
        for _ in range(5):
            with pytest.raises(ProviderUnreachable):
                await identify(gateway, issued(gateway.clock))
        assert keys.asked == 1
        keys.answer = None
        gateway.clock.advance(timedelta(seconds=31))
        assert await identify(gateway, issued(gateway.clock))
        keys.answer = ProviderUnreachable("away again")
        gateway.clock.advance(timedelta(hours=2))
        assert await identify(gateway, issued(gateway.clock))


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"keys": {}}', b"[" * 100_000, b'{"keys": [1, null, {}, {"kty": "RSA"}, {"kty": 7}]}'],
)
async def test_a_key_set_that_cannot_be_read_gives_a_clear_error(body):
    keys = Keys()
    keys.answer = body
    async with open_gateway(upstream=keys, **IDP) as gateway:
        with pytest.raises((ProviderUnreadable, NotSignedIn)):
            await identify(gateway, issued(gateway.clock))


async def test_a_key_for_encryption_proves_nothing():
    async with open_gateway(upstream=Keys(jwk(RSA, "one", use="enc")), **IDP) as gateway:
        with pytest.raises(NotSignedIn):
            await identify(gateway, issued(gateway.clock))


async def test_the_clocks_of_two_servers_may_differ_a_little():
    clock = MovedClock()
    async with open_gateway(upstream=Keys(jwk(RSA, "one")), clock=clock, **IDP) as gateway:
        now = int(clock().timestamp())
        assert await identify(gateway, issued(clock, exp=now - 20, nbf=now + 20))
        with pytest.raises(NotSignedIn):
            await identify(gateway, issued(clock, exp=now - 40))
