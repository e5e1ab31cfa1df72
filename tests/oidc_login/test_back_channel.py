"""The provider says by its back channel that somebody signed out: proven, once, and no more than it says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm
from latchpin.errors import BackendUnavailable
from latchpin.model import Document
from latchpin_oidc_login.known import KNOWN_PEOPLE, KnownAtProvider
from latchpin_oidc_login.logout_token import EVENT, LogoutRefused, check_logout_token, read_logout_token

from tests.oidc_login.conftest import CLIENT, KEY, SignInFlow, changed, signed
from tests.support.gateway_in_process import BASE, open_gateway

ADA = "ada@example.com"
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def logout_claims(flow: SignInFlow, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    said = {
        "iss": flow.provider.issuer,
        "aud": CLIENT,
        "iat": now,
        "exp": now + 120,
        "jti": f"logout-{time.monotonic_ns()}",
        "events": {EVENT: {}},
        "sub": "account-1",
    }
    return changed(said, changes)


async def post(flow: SignInFlow, token: str | None, **more: str) -> httpx.Response:
    form = more if token is None else {"logout_token": token, **more}
    async with flow.gateway.client(None) as http:
        answer = await http.post(f"{BASE}/login/oidc/backchannel-logout", data=form)
    assert "no-store" in answer.headers["cache-control"]
    return answer


async def log_out(flow: SignInFlow, **changes: Any) -> httpx.Response:
    return await post(flow, signed(logout_claims(flow, **changes)))


async def bearer_holds(flow: SignInFlow, headers: dict[str, str]) -> bool:
    async with flow.gateway.client(None, **headers) as http:
        return (await http.get(f"{BASE}/oauth/tokens")).status_code == 200


async def test_a_session_that_is_named_ends_alone(flow: SignInFlow):
    flow.provider.claims["sid"] = "one"
    bearer = await flow.gateway.bearer(ADA)
    async with flow.gateway.browser(None) as first, flow.gateway.browser(None) as second:
        await flow.sign_in(first)
        flow.provider.claims["sid"] = "two"
        await flow.sign_in(second)
        assert (await log_out(flow, sid="one")).status_code == 200
        assert (await flow.who(first), await flow.who(second)) == (None, ADA)
        assert (await log_out(flow, sid="two", sub=None)).status_code == 200
        assert await flow.who(second) is None
    assert await bearer_holds(flow, bearer)


async def test_nobody_keeps_a_session_by_signing_in_often(flow: SignInFlow):
    known = KnownAtProvider(flow.gateway.application.services.context, flow.provider.issuer)
    for number in range(401):
        name, life = f"session-{number}", timedelta(hours=1)
        await known.put(ADA, subject="account-1", session="one", session_id=name, lifetime=life)
    assert len(await known.sessions_of("one", subject="account-1")) == 401


async def test_a_person_who_had_many_addresses_loses_what_each_of_them_proves(flow: SignInFlow):
    known = KnownAtProvider(flow.gateway.application.services.context, flow.provider.issuer)
    addresses = [f"ada{number}@example.com" for number in range(25)]
    for email in [*addresses, *addresses[:3]]:
        await known.put(email, subject="account-1", session="", session_id="s", lifetime=timedelta(hours=1))
    await known.put("bob@example.com", subject="account-2", session="", session_id="s", lifetime=timedelta(hours=1))
    assert sorted(await known.emails_of("account-1")) == sorted(addresses)
    bearers = [await flow.gateway.bearer(each) for each in (addresses[3], addresses[-1], "bob@example.com")]
    flow.gateway.clock.advance(seconds=1)  # a token says when it was issued in whole seconds
    assert (await log_out(flow)).status_code == 200
    assert [await bearer_holds(flow, each) for each in bearers] == [False, False, True]


async def test_whom_an_earlier_version_knew_is_known(flow: SignInFlow):
    context = flow.gateway.application.services.context
    known = KnownAtProvider(context, flow.provider.issuer)
    name = hashlib.sha256(f"{flow.provider.issuer}\0sub\0account-1".encode()).hexdigest()
    await context.collection(KNOWN_PEOPLE).put(Document(name, {"emails": [ADA, "old@example.com"]}))
    await known.put(ADA, subject="account-1", session="", session_id="s", lifetime=timedelta(hours=1))
    assert await known.emails_of("account-1") == [ADA, "old@example.com"]


async def test_a_person_alone_is_named_and_all_that_proves_them_ends(flow: SignInFlow):
    bearer, others = await flow.gateway.bearer(ADA), await flow.gateway.bearer("bob@example.com")
    async with flow.gateway.browser(None) as first, flow.gateway.browser(None) as second:
        await flow.sign_in(first)
        await flow.sign_in(second)
        flow.gateway.clock.advance(seconds=1)  # a token says when it was issued in whole seconds
        assert (await log_out(flow)).status_code == 200
        assert (await flow.who(first), await flow.who(second)) == (None, None)
        assert not await bearer_holds(flow, bearer)
        assert await bearer_holds(flow, others)
        flow.gateway.clock.advance(seconds=2)
        await flow.sign_in(first)  # it is a logout: nobody is kept out
        assert await flow.who(first) == ADA


async def test_somebody_else_at_the_provider_ends_nothing(flow: SignInFlow):
    flow.provider.claims["sid"] = "one"
    async with flow.gateway.browser(None) as browser:
        await flow.sign_in(browser)
        for changes in ({"sub": "account-2"}, {"sub": "account-2", "sid": "one"}, {"sid": "two"}, {"sub": ADA}):
            assert (await log_out(flow, **changes)).status_code == 200  # nobody is told who is signed in here
            assert await flow.who(browser) == ADA


# -- what is no logout ------------------------------------------------------------------------------------


def forged(flow: SignInFlow) -> dict[str, str]:
    """Tokens that end nothing, by why."""
    now = int(time.time())
    claims = logout_claims(flow)
    public = jwt.PyJWK.from_dict({**_public(), "kid": "one"}).key
    pem = public.public_bytes(*_pem())
    header = {"kid": "one"}
    return {
        "another key": signed(claims, OTHER_KEY),
        "a key that is not published": signed(claims, OTHER_KEY, kid="two"),
        "no signature": jwt.encode(claims, None, algorithm="none", headers=header),
        "the public key as a secret": _hmac(claims, pem),
        "another algorithm": signed(claims, algorithm="RS512"),
        "another issuer": signed(claims | {"iss": f"{flow.provider.issuer}/"}),
        "no issuer": signed(changed(claims, {"iss": None})),
        "another client": signed(claims | {"aud": "another"}),
        "others too": signed(claims | {"aud": [CLIENT, "another"]}),
        "no audience": signed(changed(claims, {"aud": None})),
        "expired": signed(claims | {"iat": now - 600, "exp": now - 300}),
        "no end": signed(changed(claims, {"exp": None})),
        "no beginning": signed(changed(claims, {"iat": None})),
        "from the future": signed(claims | {"iat": now + 600}),
        "iat is text": signed(claims | {"iat": str(now)}),
        "a nonce": signed(claims | {"nonce": "n"}),
        "an empty nonce": signed(claims | {"nonce": ""}),
        "no event": signed(changed(claims, {"events": None})),
        "another event": signed(claims | {"events": {"http://schemas.openid.net/event/other": {}}}),
        "an event that is no object": signed(claims | {"events": {EVENT: True}}),
        "events that are a list": signed(claims | {"events": [EVENT]}),
        "no name": signed(changed(claims, {"jti": None})),
        "nobody": signed(changed(claims, {"sub": None})),
        "an empty person": signed(claims | {"sub": ""}),
        "an empty session": signed(claims | {"sid": ""}),
        "a session that is a number": signed(claims | {"sid": 1}),
        "a person that is a list": signed(claims | {"sub": ["account-1"]}),
        "an access token": jwt.encode(claims, KEY, "RS256", headers={**header, "typ": "at+jwt"}),
        "an ID token": signed(flow.provider._id_token("n")),
        "nothing": "",
        "no JWT": "a.b.c",
        "too long": "a" * 20_000,
    }


def _public() -> dict[str, Any]:
    return RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)


def _pem() -> tuple[Any, Any]:
    return Encoding.PEM, PublicFormat.SubjectPublicKeyInfo


def _hmac(claims: dict[str, Any], secret: bytes) -> str:
    """As an attacker makes it: libraries refuse to."""

    def part(raw: bytes) -> bytes:
        return base64.urlsafe_b64encode(raw).rstrip(b"=")

    head = part(json.dumps({"alg": "HS256", "typ": "JWT", "kid": "one"}).encode())
    body = head + b"." + part(json.dumps(claims).encode())
    return (body + b"." + part(hmac.new(secret, body, hashlib.sha256).digest())).decode()


async def test_what_is_forged_ends_nothing(flow: SignInFlow):
    async with flow.gateway.browser(None) as browser:
        await flow.sign_in(browser)
        for why, token in forged(flow).items():
            answer = await post(flow, token)
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), why
            assert token[:30] not in answer.text or not token, why
        assert await flow.who(browser) == ADA
        assert (await post(flow, signed(logout_claims(flow)), state="x", logout_hint="y")).status_code == 200
        assert await flow.who(browser) is None


async def test_a_form_has_one_token(flow: SignInFlow):
    token = signed(logout_claims(flow))
    async with flow.gateway.client(None) as http:
        url = f"{BASE}/login/oidc/backchannel-logout"
        for body in (
            b"",
            b"logout_token=",
            f"logout_token={token}&logout_token={token}".encode(),
            b"\xff",
            token.encode(),
        ):
            answer = await http.post(url, content=body)
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
        assert (await http.get(f"{url}?logout_token={token}")).status_code == 405


async def test_a_token_counts_once(flow: SignInFlow):
    token = signed(logout_claims(flow))
    async with flow.gateway.browser(None) as browser:
        await flow.sign_in(browser)
        assert (await post(flow, token)).status_code == 200
        flow.gateway.clock.advance(seconds=2)
        await flow.sign_in(browser)
        again = await post(flow, token)
        assert (again.status_code, "jti" in again.text) == (400, True)
        assert await flow.who(browser) == ADA


async def test_one_that_could_not_be_carried_out_may_come_again(
    flow: SignInFlow, monkeypatch: pytest.MonkeyPatch, log: Any
):
    token, kept = signed(logout_claims(flow)), flow.gateway.application.services.kept
    async with flow.gateway.browser(None) as browser:
        await flow.sign_in(browser)
        take = kept.take

        async def away(*_: Any, **__: Any) -> None:
            raise BackendUnavailable("away")

        monkeypatch.setattr(kept, "take", away)
        assert (await post(flow, token)).json()["error"] == "temporarily_unavailable"
        monkeypatch.setattr(kept, "take", take)
        assert (await post(flow, token)).status_code == 200
        assert await flow.who(browser) is None
    assert token not in log()


async def test_without_a_provider_there_is_no_such_address(company: pytest.MonkeyPatch):
    company.delenv("OIDC_LOGIN_ISSUER")
    company.delenv("OIDC_LOGIN_CLIENT_ID")
    async with open_gateway() as gateway, gateway.client(None) as http:
        answer = await http.post(f"{BASE}/login/oidc/backchannel-logout", data={"logout_token": "x"})
    assert answer.status_code == 404


def test_a_clock_that_is_a_little_off_is_allowed_for():
    now = datetime.now(UTC)
    stamp = int(now.timestamp())
    claims = {"iss": "i", "aud": [CLIENT], "jti": "1", "events": {EVENT: {}}, "sid": "s"}
    key = jwt.PyJWK.from_dict({**_public(), "alg": "RS256"})

    def check(issued: int, expires: int) -> str:
        token = signed(claims | {"iat": issued, "exp": expires})
        told = {"issuer": "i", "client_id": CLIENT, "now": now, "leeway": timedelta(seconds=30)}
        return check_logout_token(token, key, {"RS256"}, **told).session  # type: ignore[arg-type]

    assert check(stamp + 20, stamp + 100) == check(stamp - 100, stamp - 20) == "s"
    for issued, expires in ((stamp + 40, stamp + 100), (stamp - 100, stamp - 40)):
        with pytest.raises(LogoutRefused):
            check(issued, expires)
    with pytest.raises(LogoutRefused):
        read_logout_token(b"a=1")
