"""The key services, one of each for all tests, and the gateway's own way to them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from latchpin.outbound.trusted import TrustedUpstream
from latchpin.outbound.upstream import open_upstream
from latchpin.settings.core import CoreSettings
from latchpin_testing import SuiteContext

from tests.servers.key_services import AwsServer, OpenBaoServer

POLICY = 'path "transit/encrypt/latchpin" { capabilities = ["update"] }\n'
POLICY += 'path "transit/decrypt/latchpin" { capabilities = ["update"] }\n'


class ReachingContext(SuiteContext):
    """A context whose ``trusted`` is the gateway's own, with no pause worth the name between tries."""

    async def trusted(self, url):
        settings = CoreSettings(oauth_request_timeout=20)
        opener = partial(open_upstream, settings, private=True, sleep=no_pause)
        return TrustedUpstream(url, await self.shared("latchpin trusted", opener))


async def no_pause(seconds):
    return None


@pytest.fixture(scope="session")
def bao() -> Iterator[OpenBaoServer]:
    """OpenBao with a Transit key and a policy that may use it, as docs/kms.md says."""
    server = OpenBaoServer()
    try:
        server.ask("POST", "sys/mounts/transit", {"type": "transit"})
        server.ask("POST", "transit/keys/latchpin")
        server.ask("PUT", "sys/policies/acl/latchpin", {"policy": POLICY})
        server.ask("POST", "sys/auth/approle", {"type": "approle"})
        server.ask("POST", "auth/approle/role/latchpin", {"token_policies": "latchpin", "token_ttl": "1h"})
        yield server
    finally:
        server.close()


@pytest.fixture
def token(bao) -> str:
    """A token of the policy, for an hour."""
    made = bao.ask("POST", "auth/token/create", {"policies": ["latchpin"], "ttl": "1h"})
    return made["auth"]["client_token"]


@pytest.fixture(scope="session")
def aws() -> Iterator[AwsServer]:
    """moto with no key yet."""
    server = AwsServer()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def aws_key(aws, monkeypatch) -> str:
    """The ARN of a new key; and credentials in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "gateway")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "gateway")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    return aws.client("kms").create_key()["KeyMetadata"]["Arn"]
