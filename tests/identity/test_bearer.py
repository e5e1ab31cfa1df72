"""Callers' bearer tokens: our own, and those under JWT_SECRET_KEY."""

from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from latchpin.errors import NotSignedIn

from tests.web.conftest import claims_at, evidence, identify, open_gateway, unsigned

HMAC_KEY = "k" * 64
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


# -- our own ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"jwt_secret_key": HMAC_KEY}, {"jwt_email_claim": "upn"}])
async def test_our_own_tokens_name_their_user(settings):
    async with open_gateway(**settings) as gateway:
        token = await gateway.signed_tokens.create_bearer("Ada@Example.com", False, timedelta(hours=1))
        caller = await identify(gateway, token)
        assert (caller.email, caller.is_admin, caller.via) == ("ada@example.com", False, "bearer")
        admin = await gateway.signed_tokens.create_bearer("root@example.com", True, timedelta(hours=1))
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
            unsigned(claims),
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
        token = await gateway.signed_tokens.create_bearer("ada@example.com", False, timedelta(hours=1))
        with pytest.raises(NotSignedIn, match="more than once"):
            await identity.identify(evidence(f"Bearer {token}", f"Bearer {token}"))
        assert await identity.identify(evidence("Basic YTpi")) is None
        assert await identity.identify(evidence()) is None
        assert (await identity.identify(evidence(f"bEARER {token}"))).email == "ada@example.com"
