"""A gateway whose key ring a key service wraps: it serves while that is away, and does not start until it is back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.providers.servers import DemoProvider, start_demo_provider
from tests.servers import GatewayBackend, run_latchpin
from tests.support.gateway_process import ALICE, deploy_gateway, enter_client, settings_of, status_of, walk_whole_flow

pytestmark = pytest.mark.backends("sqlite")


@dataclass(frozen=True)
class Service:
    """A key service that can be taken away.

    Attributes:
        name: as KEY_WRAPPER has it.
        server: the running service.
        settings: with which a gateway uses it.
        helps: what the remedy says while it is away.
        secret: what the gateway proves itself with.
    """

    name: str
    server: Any
    settings: Mapping[str, str]
    helps: str
    secret: str


@pytest.fixture(params=["vault", "aws-kms"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Service:
    name = request.param
    if name == "vault":
        bao = request.getfixturevalue("bao")
        role = "auth/approle/role/latchpin"
        secret, file = bao.ask("POST", f"{role}/secret-id")["data"]["secret_id"], tmp_path / "secret-id"
        file.write_text(secret)
        role_id = bao.ask("GET", f"{role}/role-id")["data"]["role_id"]
        settings = {"VAULT_ADDR": bao.url, "VAULT_ROLE_ID": role_id, "VAULT_SECRET_ID_FILE": str(file)}
        return Service(name, bao, settings, "See that VAULT_ADDR is right", secret)
    aws = request.getfixturevalue("aws")
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    settings = {"KMS_AWS_KEY_ID": key, "KMS_AWS_ENDPOINT": aws.url}
    secret = "the-secret-access-key-of-the-gateway"
    settings |= {"AWS_ACCESS_KEY_ID": "gateway", "AWS_SECRET_ACCESS_KEY": secret}
    return Service(name, aws, settings, "See that KMS can be reached", secret)


@pytest.fixture(scope="module")
def provider() -> Iterator[DemoProvider]:
    with start_demo_provider() as started:
        yield started


async def test_a_ring_that_a_key_service_wraps(
    service: Service, backend: GatewayBackend, provider: DemoProvider, tmp_path: Path
):
    chosen = {"KEY_SOURCE": "ring", "KEY_WRAPPER": service.name, "OAUTH_MAX_RETRIES": "0", **service.settings}
    env = settings_of(backend) | chosen

    def keys(*arguments: str):
        ended = run_latchpin("keys", *arguments, env=env, cwd=tmp_path)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    with deploy_gateway(backend, tmp_path, **chosen) as deployed:
        made = keys("rotate").split()[-1]
        gateway = await enter_client(deployed, provider)
        async with deployed.browser() as browser:
            await deployed.authorize(browser, gateway)
        service.server.stop()
        try:
            await walk_whole_flow(deployed, provider)  # seals and unseals, and waits for nobody
            assert deployed.process.returncode is None
            deployed.process.stop()
            told = run_latchpin("serve", env=env | {"PORT": "0"}, cwd=tmp_path)
            assert told.returncode != 0
            assert "Cannot start" in told.stderr
            assert "gave no answer" in told.stderr
            assert service.helps in told.stderr
            assert "Traceback" not in told.stderr
        finally:
            service.server.start()
    with deploy_gateway(backend, tmp_path, **chosen) as deployed:
        assert made in keys("status")
        async with deployed.api(ALICE) as alice:
            assert (await alice.post(f"/oauth/fetch-tools/{gateway}")).status_code == 200
            assert await status_of(alice, gateway) == "valid"
        assert service.secret not in deployed.log
        assert "CanonicalRequest" not in deployed.log
    without = run_latchpin("serve", env=env | {"PORT": "0", "KEY_WRAPPER": "none"}, cwd=tmp_path)
    assert without.returncode != 0
    assert f"KEY_WRAPPER={service.name}" in without.stderr

    env |= {"KEY_WRAPPER": "none", "KEY_WRAPPERS_OLD": service.name}  # away from the service, without a loss
    keys("reseal")
    env |= {"KEY_WRAPPERS_OLD": ""}
    assert [line for line in keys("status").splitlines() if line.startswith(f"{made}  the key ring")]
