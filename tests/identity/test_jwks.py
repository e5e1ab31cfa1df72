"""Bearer tokens of an identity provider, proven by its published keys."""

import asyncio
import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from latchpin.contracts import Upstream
from latchpin.errors import NotSignedIn, UpstreamUnreachable, UpstreamUnreadable
from latchpin.identity import jwks
from latchpin.identity.signed_tokens import ADMIN_CLAIM
from latchpin.model import Reply
from latchpin_testing import MovedClock

from tests.web.conftest import BASE, claims_at, evidence, identify, open_gateway, unsigned

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
IDP = {"jwt_jwks_url": "https://idp.example/keys", "jwt_issuer": "https://idp.example", "jwt_audience": "latchpin"}


class Keys(Upstream):
    """An upstream whose answer a test sets; faults that no real server shows on demand."""

    def __init__(self, *entries):
        self.entries = list(entries)
        self.asked = 0
        self.answer = None
        self.answering = asyncio.Event()  # cleared: the server takes what is sent and says nothing
        self.answering.set()

    async def get(self, url, *, headers=None):
        self.asked += 1
        await self.answering.wait()
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


async def test_an_issuers_token_may_be_for_the_resource_that_is_asked_and_for_no_other():
    upstream, here = Keys(jwk(RSA, "one")), f"{BASE}/gateways/{'a' * 32}/mcp"
    async with open_gateway(upstream=upstream, **IDP) as gateway:
        identity = gateway.services.identities[0]
        shown = evidence(f"Bearer {issued(gateway.clock, aud=here)}")
        caller = await identity.identify(replace(shown, resource=here))
        assert caller.email == "ada@example.com"
        for elsewhere in (None, here.replace("a" * 32, "b" * 32), f"{here}/"):
            with pytest.raises(NotSignedIn, match="audience"):
                await identity.identify(replace(shown, resource=elsewhere))


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
            unsigned(claims),
        ):
            with pytest.raises(NotSignedIn):
                await identify(gateway, token)


def _hs256(claims, secret, *, kid):
    def part(value):
        return base64.urlsafe_b64encode(value).decode().rstrip("=")

    header = part(json.dumps({"alg": "HS256", "typ": "JWT", "kid": kid}).encode())
    signed = f"{header}.{part(json.dumps(claims).encode())}"
    return f"{signed}.{part(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


async def test_another_issuers_admin_claim_and_unverified_addresses_count_for_nothing():
    async with open_gateway(upstream=Keys(jwk(RSA, "one")), admin_emails="root@example.com", **IDP) as gateway:
        caller = await identify(gateway, issued(gateway.clock, **{ADMIN_CLAIM: True, "admin": True}))
        assert not caller.is_admin
        for said in (False, "false", "no", 0, []):
            with pytest.raises(NotSignedIn, match="not verified"):
                await identify(gateway, issued(gateway.clock, email="root@example.com", email_verified=said))
        for said in (True, "true"):
            assert await identify(gateway, issued(gateway.clock, email="root@example.com", email_verified=said))


@pytest.mark.parametrize("expires", [1e20, 10**18, 253_402_300_800])
async def test_a_token_that_expires_beyond_all_dates_is_refused(expires):
    async with open_gateway(upstream=Keys(jwk(RSA, "one")), **IDP) as gateway:
        with pytest.raises(NotSignedIn, match="no date"):
            await identify(gateway, issued(gateway.clock, exp=expires))


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
    keys.answer = UpstreamUnreachable("idp.example refused the connection")
    async with open_gateway(upstream=keys, **IDP) as gateway:
        for _ in range(5):
            with pytest.raises(UpstreamUnreachable):
                await identify(gateway, issued(gateway.clock))
        assert keys.asked == 1
        keys.answer = None
        gateway.clock.advance(timedelta(seconds=31))
        assert await identify(gateway, issued(gateway.clock))
        keys.answer = UpstreamUnreachable("away again")
        gateway.clock.advance(timedelta(hours=2))
        assert await identify(gateway, issued(gateway.clock))


async def test_a_failure_that_is_remembered_belongs_to_nobodys_flow():
    keys = Keys()
    keys.answer = UpstreamUnreachable("idp.example refused the connection")
    async with open_gateway(upstream=keys, **IDP) as gateway:
        with pytest.raises(UpstreamUnreachable) as first:
            await identify(gateway, issued(gateway.clock))
        first.value.flow_id, first.value.logged = "f" * 32, True
        with pytest.raises(UpstreamUnreachable, match="refused the connection") as second:
            await identify(gateway, issued(gateway.clock))
    assert (second.value.flow_id, second.value.logged) == (None, False)


async def test_callers_with_an_unknown_key_wait_for_one_fetch_and_not_one_after_the_other():
    keys = Keys(jwk(RSA, "one"))
    keys.answer = UpstreamUnreachable("idp.example did not answer within 30 s")
    keys.answering.clear()
    async with open_gateway(upstream=keys, **IDP) as gateway:
        async with asyncio.TaskGroup() as group:
            callers = [group.create_task(refusal(gateway, issued(gateway.clock))) for _ in range(20)]
            while not keys.asked:
                await asyncio.wait(callers, timeout=0)
            gateway.clock.advance(timedelta(seconds=40))
            keys.answering.set()
        assert {type(caller.result()) for caller in callers} == {UpstreamUnreachable}
        assert isinstance(await refusal(gateway, issued(gateway.clock)), UpstreamUnreachable)
        assert keys.asked == 1


@pytest.mark.parametrize("failed_before", [False, True])
async def test_a_server_that_says_nothing_holds_up_no_known_key(monkeypatch, failed_before):
    monkeypatch.setattr(jwks, "PATIENCE", 3600 if failed_before else 0.01)
    keys = Keys(jwk(RSA, "one"))
    async with open_gateway(upstream=keys, **IDP) as gateway:
        await identify(gateway, issued(gateway.clock))
        gateway.clock.advance(timedelta(hours=2))
        if failed_before:
            keys.answer = UpstreamUnreachable("away")
            await identify(gateway, issued(gateway.clock))
            gateway.clock.advance(timedelta(seconds=31))
        before, keys.answer = keys.asked, None
        keys.answering.clear()
        async with asyncio.timeout(60):
            for _ in range(5):
                assert await identify(gateway, issued(gateway.clock))
        assert keys.asked == before + 1
        keys.entries[:] = [jwk(OTHER_RSA, "new")]
        keys.answering.set()
        assert await identify(gateway, issued(gateway.clock, OTHER_RSA, kid="new"))
        assert keys.asked == before + 1  # what was under way brought the new key


async def refusal(gateway, token):
    with pytest.raises((UpstreamUnreachable, NotSignedIn)) as raised:
        await identify(gateway, token)
    return raised.value


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"keys": {}}', b"[" * 100_000, b'{"keys": [1, null, {}, {"kty": "RSA"}, {"kty": 7}]}'],
)
async def test_a_key_set_that_cannot_be_read_gives_a_clear_error(body):
    keys = Keys()
    keys.answer = body
    async with open_gateway(upstream=keys, **IDP) as gateway:
        with pytest.raises((UpstreamUnreadable, NotSignedIn)):
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
