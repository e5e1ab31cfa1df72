"""The built-in parts and the plugins here keep the small contracts, and each suite finds what breaks its own."""

from __future__ import annotations

import importlib
from base64 import b64encode
from datetime import timedelta
from importlib.metadata import entry_points

import jwt
import latchpin
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from latchpin.contracts import Backend, Check, Command, Finding, Severity, TokenRequestParts
from latchpin.defaults import client_authentications, grants, pkce
from latchpin.identity import sources
from latchpin.identity.assertion_store import AssertionStore
from latchpin.identity.sessions import session_cookie_name, start_session
from latchpin.identity.settings import BearerSettings, TrustedProxySettings
from latchpin.identity.signed_tokens import SignedTokens
from latchpin.model import Caller, ClientCredentials, Evidence, IdentityAssertion, IdentityProvider, OAuthConfig
from latchpin_enterprise import plugin as enterprise
from latchpin_enterprise.settings import EnterpriseSettings
from latchpin_testing import (
    AssertionSourceContract,
    BareCheckContext,
    CheckContract,
    ClientAuthenticationContract,
    EventListenerContract,
    GrantContract,
    IdentityContract,
    MovedClock,
    ObserverContract,
    PkceMethodContract,
    RecorderContract,
    SuiteCipher,
    SuiteContext,
    UnreachableUpstream,
    check_plugin,
)
from latchpin_testing.sealing import SuiteSigner

from tests.contracts import acme_notes

pytestmark = pytest.mark.needs("latchpin_memory_store")

ADA = "ada@example.com"
IDP = IdentityProvider("https://idp.example.com", None, "client-7")


def with_records() -> SuiteContext:
    from latchpin_memory_store.records import MemoryRecordStore

    clock = MovedClock()
    return SuiteContext(clock, records=MemoryRecordStore(clock), signer=SuiteSigner(), cipher=SuiteCipher())


def signed_tokens_of(context: SuiteContext, settings: BearerSettings) -> SignedTokens:
    kept, cipher = context.kept, context.cipher
    return SignedTokens(settings, base_url=context.base_url, kept=kept, cipher=cipher, clock=context.clock)


def bearer(token: str) -> Evidence:
    return Evidence("203.0.113.7", {"authorization": (f"Bearer {token}",)}, {})


class TestBearer(IdentityContract):
    @pytest.fixture
    def offer(self):
        return sources.latchpin_identity()[0]

    def make_context(self):
        return with_records()

    async def known(self, context, settings):
        return bearer(await signed_tokens_of(context, settings).create_bearer(ADA, False, timedelta(hours=1))), ADA

    async def forged(self, context, settings):
        [header] = (await self.known(context, settings))[0].headers["authorization"]
        token = header.removeprefix("Bearer ")
        unsigned = jwt.encode({"email": ADA, "exp": 2**33}, "", algorithm="none")
        return [bearer(token[:-4]), bearer("x" + token), bearer(unsigned), bearer("nonsense"), bearer("")]


class TestSession(IdentityContract):
    @pytest.fixture
    def offer(self):
        return sources.latchpin_identity()[1]

    def make_context(self):
        return with_records()

    async def known(self, context, settings):
        ticket = await start_session(signed_tokens_of(context, settings), ADA, admin=False, lifetime=timedelta(hours=1))
        return Evidence("203.0.113.7", {}, {session_cookie_name(context.base_url): ticket}), ADA

    async def forged(self, context, settings):
        [(name, ticket)] = (await self.known(context, settings))[0].cookies.items()
        return [Evidence("203.0.113.7", {}, {name: value}) for value in (ticket[:-4], "nonsense", f"x{ticket}")]


class TestProxy(IdentityContract):
    @pytest.fixture
    def offer(self):
        return sources.latchpin_identity()[2]

    @pytest.fixture
    def settings(self):
        return TrustedProxySettings(trusted_user_header="X-User", trusted_proxies=("10.9.9.9",))

    async def known(self, context, settings):
        return Evidence("10.9.9.9", {"x-user": ("Ada@Example.com",)}, {}), ADA

    async def forged(self, context, settings):
        return [
            Evidence("203.0.113.7", {"x-user": (ADA,)}, {}),
            Evidence("10.9.9.9", {"x-user": ("no address at all",)}, {}),
        ]


class TestBearerSource(AssertionSourceContract):
    @pytest.fixture
    def offer(self):
        return enterprise.latchpin_identity_assertions()[0]

    async def known(self, context, settings):
        assertion = IdentityAssertion("a-token", IDP.issuer, context.clock() + timedelta(hours=1))
        return Caller(ADA, via="bearer", assertion=assertion), IDP


class TestStored(AssertionSourceContract):
    @pytest.fixture
    def offer(self):
        return enterprise.latchpin_identity_assertions()[1]

    def make_context(self):
        return with_records()

    async def known(self, context, settings):
        assertion = IdentityAssertion("a-token", IDP.issuer, context.clock() + timedelta(hours=1))
        await AssertionStore(context.kept, context.cipher).put(ADA, IDP, assertion)
        return Caller(ADA), IDP


class TestClientCredentials(GrantContract):
    @pytest.fixture
    def offer(self):
        return grants.latchpin_grants()[0]


class TestWorkload(GrantContract):
    @pytest.fixture
    def offer(self):
        return enterprise.latchpin_grants()[0]

    @pytest.fixture
    def settings(self, tmp_path):
        (tmp_path / "token").write_text(jwt.encode({"exp": 2**33}, "k" * 32, algorithm="HS256"))
        return EnterpriseSettings(assertion_folder=str(tmp_path))

    @pytest.fixture
    def config(self, offer):
        return OAuthConfig(grant_type=offer.name, assertion_file="token")

    def make_context(self):
        return SuiteContext(cipher=SuiteCipher(), upstream=UnreachableUpstream())


class TestS256(PkceMethodContract):
    @pytest.fixture
    def method(self):
        return pkce.latchpin_pkce_methods()[0]


METHODS = {each.name: each for each in client_authentications.latchpin_client_authentications()}


class TestAuthentications(ClientAuthenticationContract):
    @pytest.fixture(params=METHODS)
    def method(self, request):
        return METHODS[request.param]

    @pytest.fixture
    def client(self, method):
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        secret = {"private_key_jwt": pem, "none": None}.get(method.name, "a-secret:with % and \u00fc")
        return ClientCredentials("client-7", secret, method.name)


@pytest.mark.needs("latchpin_metrics")
class TestCountingListener(EventListenerContract):
    @pytest.fixture
    def offer(self):
        from latchpin_metrics import plugin

        return plugin.latchpin_event_listeners()[0]


@pytest.mark.needs("latchpin_audit")
class TestAuditLog(RecorderContract):
    @pytest.fixture
    def offer(self):
        from latchpin_audit import plugin

        return plugin.latchpin_recorders()[0]

    def make_context(self):
        return with_records()


@pytest.mark.needs("latchpin_metrics")
class TestCountingObserver(ObserverContract):
    @pytest.fixture
    def offer(self):
        from latchpin_metrics import plugin

        return plugin.latchpin_observers()[0]


POINTS = [each for each in entry_points(group="latchpin") if each.dist.name.startswith(("latchpin", "acme"))]


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.dist.name}:{point.name}")
def test_every_plugin_here_is_sound(point, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    check_plugin(point.load())


# -- what breaks a contract is found ------------------------------------------------------------------


class Wrong:
    """A little of everything that must not be."""

    name = "S256"

    def __init__(self, **behaviour):
        self.behaviour = behaviour

    def challenge(self, verifier):
        return self.behaviour["challenge"](verifier)

    def authenticate(self, client, *, issuer, token_endpoint, now):
        return self.behaviour["authenticate"](client)

    async def identify(self, evidence):
        return self.behaviour["identify"](evidence)

    def on_event(self, fact):
        return self.behaviour["on_event"](fact)

    def record(self, fact):
        return self.behaviour["record"](fact)

    def begin(self, operation):
        return self.behaviour["begin"](operation)


def padded(verifier):
    return b64encode(verifier.encode()).decode()


CLIENT = ClientCredentials("client-7", "s3cr3t", "client_secret_post")


def parts(headers=(), **fields):
    return Wrong(authenticate=lambda client: TokenRequestParts(dict(headers), fields))


@pytest.mark.parametrize(
    ("rule", "method"),
    [
        (PkceMethodContract.test_a_challenge_follows_from_its_verifier, Wrong(challenge=lambda verifier: verifier)),
        (PkceMethodContract.test_a_challenge_follows_from_its_verifier, Wrong(challenge=lambda _: "c" * 43)),
        (PkceMethodContract.test_a_challenge_follows_from_its_verifier, Wrong(challenge=padded)),
        (PkceMethodContract.test_it_is_called_as_on_the_wire, Wrong(challenge=lambda verifier: verifier[::-1])),
    ],
)
def test_a_wrong_challenge_is_found(rule, method):
    with pytest.raises(pytest.fail.Exception, match="contract broken: "):
        rule(PkceMethodContract(), method)


@pytest.mark.parametrize(
    ("method", "found"),
    [
        (parts(), "learns which client"),
        (parts(client_id="client-7", grant_type="password"), "no field of the grant"),
        (parts([("authorization", "Basic x\r\nevil: 1")]), "one line"),
        (parts(client_id=7), "are text"),
        (Wrong(authenticate=lambda client: {}), "TokenRequestParts"),
    ],
)
def test_a_wrong_authentication_is_found(method, found):
    with pytest.raises(pytest.fail.Exception, match=found):
        ClientAuthenticationContract().test_it_says_which_client_it_is(method, CLIENT)


def test_an_empty_secret_that_is_sent_is_found():
    method = Wrong(authenticate=lambda client: TokenRequestParts({}, {"client_secret": client.client_secret or ""}))
    with pytest.raises(pytest.fail.Exception, match="empty secret"):
        ClientAuthenticationContract().test_a_client_without_a_secret_is_an_error_or_public(method)


class KeyIdentityContract(IdentityContract):
    async def known(self, context, settings):
        return Evidence("203.0.113.7", {"x-key": ("a-key-that-is-long-enough",)}, {}), ADA

    async def forged(self, context, settings):
        return [Evidence("203.0.113.7", {"x-key": ("forged",)}, {})]


def raising(error):
    def identify(evidence):
        raise error

    return identify


KNOWN = ("a-key-that-is-long-enough",)


@pytest.mark.parametrize(
    ("rule", "identify", "found"),
    [
        ("test_it_names_a_caller", lambda evidence: None, "names a Caller"),
        ("test_it_names_a_caller", lambda evidence: Caller("Ada@Example.com"), "in lower case"),
        ("test_it_names_a_caller", lambda evidence: Caller(ADA, via=""), "has a name"),
        ("test_it_finds_nothing_in_a_strangers_request", lambda evidence: Caller(ADA), "is nobody's"),
        ("test_what_does_not_hold_names_nobody", lambda evidence: Caller(ADA), "names nobody"),
        ("test_what_does_not_hold_names_nobody", raising(KeyError("sub")), "error of Latchpin's"),
        (
            "test_what_comes_twice_names_nobody",
            lambda evidence: Caller(ADA) if KNOWN[0] in evidence.headers.get("x-key", ()) else None,
            "comes twice",
        ),
    ],
)
async def test_a_wrong_identity_is_found(rule, identify, found):
    suite, service = KeyIdentityContract(), Wrong(identify=identify)
    needs = () if rule.endswith("strangers_request") else (None, None)
    with pytest.raises((pytest.fail.Exception, AssertionError), match=found):
        await getattr(suite, rule)(service, *needs)


async def deaf(fact):
    """A coroutine, which nobody would await."""


@pytest.mark.parametrize(
    ("on_event", "found"),
    [
        (lambda fact: 1 / 0, "raises nothing"),
        (lambda fact: fact.details.update(seen=True), "leaves the facts"),
        (lambda fact: "thanks", "returns nothing"),
        (lambda fact: {"flow.step": 1}[fact.name] and None, "raises nothing; on token"),
        (deaf, "plain function"),
    ],
)
async def test_a_wrong_listener_is_found(on_event, found):
    with pytest.raises((pytest.fail.Exception, AssertionError), match=found):
        await EventListenerContract().test_it_hears_every_event(Wrong(on_event=on_event))


async def forgetful(fact):
    raise KeyError(fact.name)


async def marking(fact):
    fact.details["seen"] = True


@pytest.mark.parametrize(("record", "found"), [(forgetful, "raises nothing"), (marking, "leaves the facts")])
async def test_a_wrong_recorder_is_found(record, found):
    with pytest.raises(pytest.fail.Exception, match=found):
        await RecorderContract().test_it_records_every_fact(Wrong(record=record))


def spoiling(operation):
    operation.carried["traceparent"] = "a\r\nevil: 1"
    return lambda: None


@pytest.mark.parametrize(
    ("begin", "found"),
    [
        (lambda operation: None, "what is called at the end"),
        (lambda operation: 1 / 0, "raises nothing"),
        (lambda operation: lambda: 1 / 0, "raises nothing; at an end"),
        (lambda operation: lambda: setattr(operation, "outcome", "mine"), "leave outcome|leaves outcome"),
        (spoiling, "headers of one line"),
    ],
)
async def test_a_wrong_observer_is_found(begin, found):
    with pytest.raises((pytest.fail.Exception, AssertionError), match=found):
        await ObserverContract().test_it_watches_one_in_the_other(Wrong(begin=begin))


def finding(*values):
    async def run(context):
        return list(values)

    return run


async def reaching(context):
    return [Finding(Severity.OK, str(context.records.gateways))]


@pytest.mark.parametrize(
    ("run", "found"),
    [
        (finding("all is well"), "list of Finding"),
        (finding(Finding(Severity.FAILURE, "The disk is full")), "has a remedy"),
        (finding(Finding(Severity.SKIPPED, "The disk")), "has a reason"),
        (finding(Finding(Severity.OK, " ")), "has a title"),
        (reaching, "what it can without the rest"),
    ],
)
async def test_a_wrong_check_is_found(run, found):
    with pytest.raises((pytest.fail.Exception, AssertionError), match=found):
        await CheckContract().test_it_gives_findings_that_help(Check("c", "C", "c", run), BareCheckContext())


class Loose(latchpin.Settings):
    acme_secret: str = ""


@pytest.mark.parametrize(
    ("name", "model", "found"),
    [
        ("Acme", latchpin.Settings, "in lower case"),
        ("acme way", latchpin.Settings, "without blanks"),
        ("acme", Loose, "has a description"),
    ],
)
def test_a_plugin_that_is_not_fit_to_be_used_is_found(name, model, found, monkeypatch):
    module = importlib.import_module("latchpin.defaults.pkce")
    offer = Backend(name, "ACME", model, print)
    marked = latchpin.hookimpl(lambda: offer)
    monkeypatch.setattr(module, "latchpin_signer", marked, raising=False)
    with pytest.raises(pytest.fail.Exception, match=found):
        check_plugin(module)


@pytest.mark.parametrize(
    ("about", "app", "found"),
    [
        ("Notes of ACME.", "tests.contracts.acme_commands:group", "'acme' can be loaded; it raised LookupError"),
        ("Some notes.", "tests.contracts.acme_commands:app", "the help of 'acme' begins as the list has it"),
    ],
)
def test_a_command_that_is_not_as_it_is_listed_is_found(about, app, found, monkeypatch):
    marked = latchpin.hookimpl(lambda: Command("acme", about, app))
    monkeypatch.setattr(acme_notes, "latchpin_commands", marked)
    with pytest.raises((pytest.fail.Exception, AssertionError), match=found):
        check_plugin(acme_notes)
