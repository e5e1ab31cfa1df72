"""Keys wrapped by KMS, with moto in the place of AWS: the contract, credentials, and what is said when it fails."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import pytest
from botocore.session import Session
from latchpin.errors import ConfigurationError, SettingsError, Unsealable, UpstreamBusy, UpstreamError
from latchpin.model import Reply
from latchpin.outbound.patience import PAUSES
from latchpin_kms_aws import plugin, signing
from latchpin_kms_aws import wrapper as wrapper_module
from latchpin_kms_aws.settings import AwsKmsSettings
from latchpin_kms_aws.signing import Signer, address_of, find_region
from latchpin_kms_aws.wrapper import AwsKmsWrapper
from latchpin_testing import KeyWrapperContract, check_plugin

from tests.kms.conftest import ReachingContext

KEY, FOR = b"k" * 32, {"purpose": "sealing"}
ARN = "arn:aws:kms:eu-central-1:123456789012:key/0123abcd-0123-0123-0123-0123456789ab"


def test_the_plugin_is_sound():
    check_plugin(plugin)


class TestKms(KeyWrapperContract):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_key_wrapper()

    @pytest.fixture
    def settings(self, aws, aws_key):
        return AwsKmsSettings(kms_aws_key_id=aws_key, kms_aws_endpoint=aws.url)

    @pytest.fixture
    def refused_settings(self, aws, aws_key):
        return AwsKmsSettings(kms_aws_key_id=ARN, kms_aws_endpoint=aws.url)  # no such key there

    def make_context(self):
        return ReachingContext()


@asynccontextmanager
async def opened(settings):
    async with ReachingContext() as context, plugin.latchpin_key_wrapper().open(settings, context) as wrapper:
        yield wrapper


async def refusal(settings, *, wrapped=None) -> Exception:
    async with opened(settings) as wrapper:
        with pytest.raises((ConfigurationError, UpstreamError)) as caught:
            await (wrapper.unwrap(wrapped, context=FOR) if wrapped else wrapper.wrap(KEY, context=FOR))
    return caught.value


async def test_an_alias_in_a_region_names_a_key_too(aws, aws_key):
    aws.client("kms").create_alias(AliasName="alias/latchpin-test", TargetKeyId=aws_key)
    settings = AwsKmsSettings(
        kms_aws_key_id="alias/latchpin-test", kms_aws_region="eu-central-1", kms_aws_endpoint=aws.url
    )
    async with opened(settings) as wrapper:
        assert await wrapper.unwrap(await wrapper.wrap(KEY, context=FOR), context=FOR) == KEY


@pytest.fixture
def guarded(aws, aws_key, monkeypatch):
    """moto looks at signatures and policies from now on: a user who may use the key, and one who may not."""
    import httpx

    iam = aws.client("iam")
    made = {}
    for name in ("allowed", "stranger"):
        iam.create_user(UserName=name)
        made[name] = iam.create_access_key(UserName=name)["AccessKey"]
    statement = {"Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="allowed", PolicyName="keys", PolicyDocument=policy)
    reset = f"{aws.url}/moto-api/reset-auth"
    httpx.post(reset, content="0", trust_env=False)

    def as_user(name: str, secret: str | None = None) -> AwsKmsSettings:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", made[name]["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret or made[name]["SecretAccessKey"])
        return AwsKmsSettings(kms_aws_key_id=aws_key, kms_aws_endpoint=aws.url)

    yield as_user
    httpx.post(reset, content="inf", trust_env=False)


async def test_signatures_hold_and_strangers_are_refused(guarded):
    async with opened(guarded("allowed")) as wrapper:
        assert await wrapper.unwrap(await wrapper.wrap(KEY, context=FOR), context=FOR) == KEY
    error = await refusal(guarded("stranger"))
    assert (type(error), "kms:Encrypt and kms:Decrypt" in error.remedy) == (ConfigurationError, True), error.detail
    error = await refusal(guarded("allowed", "a secret that is another"))
    assert (type(error), "valid AWS credentials" in error.remedy) == (ConfigurationError, True), error.detail


async def test_a_service_that_is_away_is_told_and_serves_again_afterwards(aws, aws_key):
    settings = AwsKmsSettings(kms_aws_key_id=aws_key, kms_aws_endpoint=aws.url)
    async with opened(settings) as wrapper:
        wrapped = await wrapper.wrap(KEY, context=FOR)
        aws.stop()
        try:
            with pytest.raises(UpstreamError) as away:
                await wrapper.unwrap(wrapped, context=FOR)
        finally:
            aws.start()
        assert "KMS_AWS_ENDPOINT" in away.value.remedy
        assert await wrapper.unwrap(wrapped, context=FOR) == KEY


# -- credentials ----------------------------------------------------------------------------------------


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    """A machine without credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path


async def test_without_credentials_the_remedy_says_so(nobody):
    error = await refusal(AwsKmsSettings(kms_aws_key_id=ARN))
    assert (error.detail, "best a role" in error.remedy) == ("no AWS credentials were found", True)


async def test_credentials_that_cannot_be_read_are_told(nobody):
    (nobody / "credentials").write_text("[default]\naws_access_key_id = only-half\n")
    error = await refusal(AwsKmsSettings(kms_aws_key_id=ARN))
    assert (type(error), "PartialCredentialsError" in error.detail) == (ConfigurationError, True)


async def test_who_gives_credentials_and_does_not_answer_is_told(nobody, monkeypatch, tmp_path):
    (tmp_path / "token").write_text("a.service.account")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/latchpin")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    error = await refusal(AwsKmsSettings(kms_aws_key_id=ARN))
    assert isinstance(error, UpstreamError)
    assert "who gives AWS credentials does not answer" in error.detail


async def test_who_takes_too_long_to_give_credentials_is_not_waited_for(nobody, monkeypatch):
    import threading

    go_on = threading.Event()
    monkeypatch.setattr(signing, "_MOST_SECONDS", 0.0)
    monkeypatch.setattr(Session, "get_credentials", lambda _: go_on.wait())
    try:
        error = await refusal(AwsKmsSettings(kms_aws_key_id=ARN))
    finally:
        go_on.set()
    assert error.detail == "AWS gave no credentials in time"


async def test_a_pod_is_vouched_for_by_its_service_account(aws, aws_key, nobody, monkeypatch, tmp_path):
    (tmp_path / "token").write_text("a.service.account")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/latchpin")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", aws.url)
    async with opened(AwsKmsSettings(kms_aws_key_id=aws_key, kms_aws_endpoint=aws.url)) as wrapper:
        assert await wrapper.unwrap(await wrapper.wrap(KEY, context=FOR), context=FOR) == KEY


# -- which key, and where -------------------------------------------------------------------------------


CHINA = "https://kms.cn-north-1.amazonaws.com.cn"


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({"kms_aws_key_id": ARN}, "https://kms.eu-central-1.amazonaws.com"),
        ({"kms_aws_key_id": ARN, "kms_aws_region": "us-east-1"}, "https://kms.us-east-1.amazonaws.com"),
        ({"kms_aws_key_id": ARN.replace("aws:kms:eu-central-1", "aws-cn:kms:cn-north-1")}, CHINA),
    ],
)
def test_where_kms_is(given, address):
    session = Session()
    region = find_region(AwsKmsSettings(**given), session)
    assert address_of(region, session) == address


async def test_a_region_that_nothing_tells_stops_the_start(nobody):
    for given in ({"kms_aws_key_id": "alias/latchpin"}, {}):
        with pytest.raises(SettingsError) as caught:
            async with opened(AwsKmsSettings(**given)):
                pytest.fail("it must not open")
        assert "KMS_AWS" in caught.value.remedy + caught.value.detail


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"kms_aws_key_id": "latchpin"}, "must be a key's ARN"),
        ({"kms_aws_keys_old": "latchpin"}, "must be a key's ARN"),
        ({"kms_aws_region": "eu-central-1.evil.example/"}, "must be a region"),
        ({"kms_aws_endpoint": "http://kms.internal"}, "must be https unless"),
        ({"kms_aws_endpoint": "https://kms.internal/path"}, "no path"),
    ],
)
def test_settings_that_do_not_hold(given, told):
    with pytest.raises(ValueError, match=told):
        AwsKmsSettings(**given)


# -- answers that moto does not give --------------------------------------------------------------------


class Recorded:
    """Gives KMS's answers as AWS's own documentation has them, the last one again and again."""

    def __init__(self, *replies: tuple[int, str | dict]) -> None:
        self._replies = list(replies)
        self.asked: list[dict] = []

    async def send(self, method, url, *, headers=None, body=b"", repeatable=False):
        self.asked.append(json.loads(body))
        status, said = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        found = said if isinstance(said, dict) else {"__type": said, "message": "said by KMS"}
        return Reply(url, status, {}, json.dumps(found).encode())


def wrapper_at(server, pauses=None, **settings) -> AwsKmsWrapper:
    async def pause(seconds):
        (pauses if pauses is not None else []).append(seconds)

    session = Session()
    session.set_credentials("gateway", "gateway")
    given = AwsKmsSettings(kms_aws_key_id=ARN, **settings)
    return AwsKmsWrapper(server, "https://kms.example", Signer(session, "eu-central-1"), given, pause=pause)


WRAPPED = wrapper_module._check(b"x") + b"x"
GOOD = (200, {"Plaintext": "a2tr", "KeyId": ARN})
BUSY = (400, "com.amazonaws.kms#ThrottlingException")


async def test_an_earlier_key_unwraps_and_is_asked_after_todays():
    server, older = Recorded((400, "IncorrectKeyException"), GOOD), ARN.replace("89ab", "89ac")
    assert await wrapper_at(server, kms_aws_keys_old=(older,)).unwrap(WRAPPED, context=FOR) == b"kkk"
    assert [each["KeyId"] for each in server.asked] == [ARN, older]
    assert all(each["EncryptionContext"] == FOR for each in server.asked)


async def test_what_a_strangers_key_wrapped_is_refused():
    server = Recorded((400, "IncorrectKeyException"))
    with pytest.raises(Unsealable) as caught:
        await wrapper_at(server).unwrap(WRAPPED, context=FOR)
    assert "KMS_AWS_KEYS_OLD" in caught.value.remedy
    assert [each["KeyId"] for each in server.asked] == [ARN]  # KMS never chooses the key by itself


async def test_a_service_that_asks_to_wait_is_asked_again_within_a_bound():
    pauses: list[float] = []
    assert await wrapper_at(Recorded(BUSY, (400, "KeyUnavailableException"), GOOD), pauses).unwrap(WRAPPED, context=FOR)
    assert pauses == list(PAUSES[:2])
    server = Recorded(BUSY)
    with pytest.raises(UpstreamBusy):
        await wrapper_at(server).wrap(KEY, context=FOR)
    assert len(server.asked) == len(PAUSES) + 1


@pytest.mark.parametrize(
    ("status", "said", "kind", "helps"),
    [
        (400, "InvalidCiphertextException", Unsealable, "backup"),
        (400, "AccessDeniedException", ConfigurationError, "kms:Decrypt"),
        (400, "DisabledException", ConfigurationError, "Enable the key"),
        (400, "KMSInvalidStateException", ConfigurationError, "cancel its deletion"),
        (400, "ExpiredTokenException", ConfigurationError, "clock"),
        (400, "SomethingNewException", ConfigurationError, "KMS_AWS_KEY_ID"),
        (500, "KMSInternalException", UpstreamError, "OUTBOUND_PROXY"),
        (503, {}, UpstreamError, "OUTBOUND_PROXY"),
        (403, {}, UpstreamError, "OUTBOUND_PROXY"),
        (200, {}, UpstreamError, "OUTBOUND_PROXY"),
        (200, {"Plaintext": "no base64!"}, UpstreamError, "OUTBOUND_PROXY"),
    ],
)
async def test_what_kms_says_is_told_with_what_helps(status, said, kind, helps):
    with pytest.raises(kind) as caught:
        await wrapper_at(Recorded((status, said))).unwrap(WRAPPED, context=FOR)
    assert helps in caught.value.remedy
    assert kind is Unsealable or not isinstance(caught.value, Unsealable)


async def test_a_page_instead_of_an_answer_is_refused():
    class Page(Recorded):
        async def send(self, method, url, *, headers=None, body=b"", repeatable=False):
            return Reply(url, 200, {}, b"<html>a proxy's page</html>")

    with pytest.raises(UpstreamError):
        await wrapper_at(Page()).wrap(KEY, context=FOR)
