"""Keys wrapped by a real OpenBao: the contract, every way to sign in, and what is said when something fails."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from latchpin.contracts import Every
from latchpin.errors import ConfigurationError, SettingsError, Unsealable, UpstreamBusy, UpstreamError
from latchpin.model import Reply
from latchpin.outbound.patience import PAUSES
from latchpin_kms_vault import plugin
from latchpin_kms_vault.client import VaultClient
from latchpin_kms_vault.settings import VaultSettings
from latchpin_kms_vault.wrapper import TransitWrapper
from latchpin_testing import KeyWrapperContract, MovedClock, check_plugin

from tests.kms.conftest import ReachingContext

KEY, FOR = b"k" * 32, {"purpose": "sealing"}


def test_the_plugin_is_sound():
    check_plugin(plugin)


class TestTransit(KeyWrapperContract):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_key_wrapper()

    @pytest.fixture
    def settings(self, bao, token):
        return VaultSettings(vault_addr=bao.url, vault_token=token)

    @pytest.fixture
    def refused_settings(self, bao):
        return VaultSettings(vault_addr=bao.url, vault_token="wrong")

    def make_context(self):
        return ReachingContext()


@asynccontextmanager
async def opened(settings, clock=None):
    async with ReachingContext(clock) as context, plugin.latchpin_key_wrapper().open(settings, context) as wrapper:
        yield wrapper


@asynccontextmanager
async def renewing(settings, clock=None):
    """The background task and the key service, as one process has them."""
    tasks, wrappers = plugin.latchpin_background_tasks(), plugin.latchpin_key_wrapper()
    async with (
        ReachingContext(clock) as context,
        tasks.open(settings, context) as task,
        wrappers.open(settings, context) as wrapper,
    ):
        assert isinstance(task, Every)
        yield task, wrapper


async def refusal(settings, *, wrapped=None) -> Exception:
    async with opened(settings) as wrapper:
        with pytest.raises((ConfigurationError, UpstreamError)) as caught:
            await (wrapper.unwrap(wrapped, context=FOR) if wrapped else wrapper.wrap(KEY, context=FOR))
    return caught.value


async def wrapped_by(settings) -> bytes:
    async with opened(settings) as wrapper:
        return await wrapper.wrap(KEY, context=FOR)


# -- signing in -----------------------------------------------------------------------------------------


@pytest.fixture
def role(bao) -> dict[str, str]:
    role_id = bao.ask("GET", "auth/approle/role/latchpin/role-id")["data"]["role_id"]
    secret_id = bao.ask("POST", "auth/approle/role/latchpin/secret-id")["data"]["secret_id"]
    return {"vault_role_id": role_id, "vault_secret_id": secret_id}


def tokens_of(bao) -> set[str]:
    return set(bao.ask("LIST", "auth/token/accessors")["data"]["keys"])


async def test_a_role_signs_in_once_for_all_and_again_when_its_token_is_taken(bao, role):
    before = tokens_of(bao)
    async with opened(VaultSettings(vault_addr=bao.url, **role)) as wrapper:
        wrapped = await asyncio.gather(*(wrapper.wrap(KEY, context=FOR) for _ in range(8)))
        [own] = tokens_of(bao) - before
        bao.ask("POST", "auth/token/revoke-accessor", {"accessor": own})
        assert await wrapper.unwrap(wrapped[0], context=FOR) == KEY
        [newer] = tokens_of(bao) - before
        assert newer != own


async def test_a_role_that_is_refused_names_its_settings(bao, role):
    error = await refusal(VaultSettings(vault_addr=bao.url, **(role | {"vault_secret_id": "another"})))
    assert isinstance(error, ConfigurationError)
    assert "VAULT_ROLE_ID and VAULT_SECRET_ID" in error.remedy
    assert role["vault_role_id"] not in error.in_full


async def test_a_token_file_that_an_agent_wrote_anew_is_read_again(bao, token, tmp_path, monkeypatch):
    file = tmp_path / "token"
    file.write_text("ended long ago")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VAULT_TOKEN_FILE", str(file))
    settings = VaultSettings(vault_addr=bao.url)
    error = await refusal(settings)
    assert "update on transit/encrypt/latchpin" in error.remedy.replace("the capability 'update'", "update")
    async with opened(settings) as wrapper:
        file.write_text(f"{token}\n")
        assert await wrapper.unwrap(await wrapper.wrap(KEY, context=FOR), context=FOR) == KEY


class Kubernetes:
    """Stands in for a server whose Kubernetes login works: what is asked of the login is noted, the rest goes on."""

    def __init__(self, real, token) -> None:
        self._real, self._token = real, token
        self.logins: list[tuple[str, dict]] = []

    async def send(self, method, url, *, headers=None, body=b"", repeatable=False):
        if url.endswith("/login"):
            self.logins.append((url, json.loads(body)))
            said = {"auth": {"client_token": self._token, "lease_duration": 3600, "renewable": True}}
            return Reply(url, 200, {}, json.dumps(said).encode())
        return await self._real.send(method, url, headers=headers, body=body, repeatable=repeatable)


async def test_a_pod_is_vouched_for_by_its_service_account(bao, token, tmp_path):
    file = tmp_path / "service-account"
    file.write_text("a.service.account\n")
    settings = VaultSettings(
        vault_addr=bao.url, vault_kubernetes_role="latchpin", vault_kubernetes_token_path=str(file)
    )
    async with ReachingContext() as context:
        server = Kubernetes(await context.trusted(bao.url), token)
        wrapper = TransitWrapper(VaultClient(server, settings, context.clock), settings)
        assert await wrapper.unwrap(await wrapper.wrap(KEY, context=FOR), context=FOR) == KEY
    fields = {"role": "latchpin", "jwt": "a.service.account"}
    assert server.logins == [(f"{bao.url}/v1/auth/kubernetes/login", fields)]
    file.unlink()
    error = await refusal(settings)
    assert "VAULT_KUBERNETES_TOKEN_PATH" in error.remedy


async def test_a_token_is_renewed_when_half_of_its_life_is_over(bao, token):
    clock = MovedClock()
    settings = VaultSettings(vault_addr=bao.url, vault_token=token)
    async with renewing(settings, clock) as (task, wrapper):
        await task.turn(None)  # nobody has signed in yet: nothing to renew
        await wrapper.wrap(KEY, context=FOR)
        renewed = []
        for minutes in (0, 29, 2, 31):
            clock.advance(timedelta(minutes=minutes))
            before = last_renewed(bao, token)
            await task.turn(None)
            renewed.append(last_renewed(bao, token) != before)
    assert renewed == [True, False, True, True]


def last_renewed(bao, token) -> object:
    """When the server renewed it last, to the nanosecond."""
    return bao.ask("POST", "auth/token/lookup", {"token": token})["data"].get("last_renewal")


async def test_a_token_without_an_end_is_left_alone_and_one_that_ended_is_told(bao, token):
    async with renewing(VaultSettings(vault_addr=bao.url, vault_token=bao.root)) as (task, wrapper):
        await wrapper.wrap(KEY, context=FOR)
        await task.turn(None)
        await task.turn(None)
    async with renewing(VaultSettings(vault_addr=bao.url, vault_token=token)) as (task, wrapper):
        await wrapper.wrap(KEY, context=FOR)
        bao.ask("POST", "auth/token/revoke", {"token": token})
        with pytest.raises(ConfigurationError) as caught:
            await task.turn(None)
        assert "VAULT_TOKEN" in caught.value.remedy


async def test_without_an_address_nothing_is_renewed():
    offer = plugin.latchpin_background_tasks()
    async with ReachingContext() as context, offer.open(VaultSettings(), context) as task:
        assert task is None


# -- what is said when it fails -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told", "helps"),
    [
        ({"vault_transit_mount": "elsewhere"}, "permission denied", "elsewhere/encrypt/latchpin"),
        ({"vault_transit_key": "other"}, "permission denied", "transit/encrypt/other"),
        ({"vault_namespace": "team"}, "wrapping was refused", "VAULT_NAMESPACE"),
    ],
)
async def test_what_the_settings_get_wrong_is_told(bao, token, change, told, helps):
    error = await refusal(VaultSettings(vault_addr=bao.url, vault_token=token, **change))
    assert (type(error), told in error.detail) == (ConfigurationError, True), error.detail
    assert helps in error.remedy


async def test_each_state_of_the_key_is_told(bao):
    bao.ask("POST", "transit/keys/mine")
    bao.ask("POST", "transit/keys/rsa", {"type": "rsa-2048"})
    as_root = {"vault_addr": bao.url, "vault_token": bao.root}
    settings = VaultSettings(**as_root, vault_transit_key="mine")
    wrapped = await wrapped_by(settings)
    error = await refusal(VaultSettings(**as_root, vault_transit_key="rsa"))
    assert "aes256-gcm96" in error.remedy
    error = await refusal(VaultSettings(**as_root, vault_transit_key="never-made"), wrapped=wrapped)
    assert (type(error), "encryption key not found" in error.detail) == (ConfigurationError, True)
    error = await refusal(VaultSettings(**as_root, vault_transit_key="latchpin"), wrapped=wrapped)
    assert isinstance(error, Unsealable)
    assert "VAULT_TRANSIT_KEY" in error.remedy or "Transit key that wrapped it" in error.remedy
    bao.ask("POST", "transit/keys/mine/rotate")
    async with opened(settings) as wrapper:
        assert await wrapper.unwrap(wrapped, context=FOR) == KEY  # the engine keeps its earlier versions
    bao.ask("POST", "transit/keys/mine/config", {"min_decryption_version": 2})
    error = await refusal(settings, wrapped=wrapped)
    assert (type(error), "min_decryption_version" in error.remedy) == (ConfigurationError, True)
    bao.ask("DELETE", "transit/keys/mine/soft-delete")
    error = await refusal(settings)
    assert (type(error), "soft-deleted" in error.detail) == (ConfigurationError, True)
    assert "restore" in error.remedy


async def test_a_server_that_is_sealed_or_away_is_told_and_serves_again_afterwards(bao, token):
    settings = VaultSettings(vault_addr=bao.url, vault_token=token)
    async with opened(settings) as wrapper:
        wrapped = await wrapper.wrap(KEY, context=FOR)
        bao.seal()
        with pytest.raises(UpstreamError, match="sealed") as sealed:
            await wrapper.unwrap(wrapped, context=FOR)
        bao.stop()
        with pytest.raises(UpstreamError) as away:
            await wrapper.unwrap(wrapped, context=FOR)
        for each in (sealed, away):
            assert "unsealed" in each.value.remedy
        bao.start()
        assert await wrapper.unwrap(wrapped, context=FOR) == KEY


class Busy:
    """Answers that it is busy, so many times, and then with something else."""

    def __init__(self, times, *, body=b"", status=200) -> None:
        self.left, self._answer, self.asked = times, (status, body), 0

    async def send(self, method, url, *, headers=None, body=b"", repeatable=False):
        self.asked += 1
        if self.left:
            self.left -= 1
            return Reply(url, 429, {"retry-after": "7"}, b'{"errors": ["request path exceeded rate limit"]}')
        return Reply(url, self._answer[0], {}, self._answer[1])


def wrapper_at(server, pauses) -> TransitWrapper:
    async def pause(seconds):
        pauses.append(seconds)

    settings = VaultSettings(vault_addr="https://vault.example", vault_token="t")
    return TransitWrapper(VaultClient(server, settings, MovedClock(), pause=pause), settings)


async def test_a_server_that_asks_to_wait_is_asked_again_within_a_bound():
    pauses: list[float] = []
    good = b'{"data": {"ciphertext": "vault:v1:AAAA"}}'
    assert await wrapper_at(Busy(2, body=good), pauses).wrap(KEY, context=FOR) == b"vault:v1:AAAA"
    assert pauses == list(PAUSES[:2])
    server = Busy(99)
    with pytest.raises(UpstreamBusy) as caught:
        await wrapper_at(server, []).wrap(KEY, context=FOR)
    assert (server.asked, caught.value.retry_after) == (len(PAUSES) + 1, 7)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>a proxy's page</html>"),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"data": []}'),
        (200, b'{"data": {"ciphertext": 1}}'),
        (200, b'{"data": {"ciphertext": "elsewhere:v1:AAAA"}}'),
        (204, b""),
        (502, b"bad gateway"),
        (500, b'{"errors": "no list"}'),
    ],
)
async def test_what_is_no_answer_of_the_engine_is_refused(status, body):
    with pytest.raises(UpstreamError) as caught:
        await wrapper_at(Busy(0, body=body, status=status), []).wrap(KEY, context=FOR)
    assert "VAULT_ADDR" in caught.value.remedy


@pytest.mark.parametrize(
    ("status", "body", "helps"),
    [
        (307, b"", "active server"),
        (400, b"<html>a proxy's page</html>", "VAULT_ADDR"),
        (401, b"", "VAULT_ADDR"),
        (413, b'{"errors": ["too large"]}', "VAULT_ADDR"),
        (473, b'{"errors": []}', "VAULT_ADDR"),
    ],
)
async def test_what_others_say_on_the_way_is_no_sign_of_a_damaged_key(status, body, helps):
    with pytest.raises(UpstreamError) as caught:
        await wrapper_at(Busy(0, body=body, status=status), []).unwrap(b"vault:v1:AAAA", context=FOR)
    assert helps in caught.value.remedy


@pytest.mark.parametrize("body", [b'{"data": {"plaintext": "not base64!"}}', b'{"data": {}}'])
async def test_what_is_no_key_is_not_taken_for_one(body):
    with pytest.raises(UpstreamError):
        await wrapper_at(Busy(0, body=body), []).unwrap(b"vault:v1:AAAA", context=FOR)


async def test_a_login_that_gives_no_token_is_refused():
    settings = VaultSettings(vault_addr="https://vault.example", vault_role_id="r", vault_secret_id="s")
    for body in (b"{}", b'{"auth": {"client_token": "", "lease_duration": 1}}', b'{"auth": {"client_token": "t"}}'):
        client = VaultClient(Busy(0, body=body), settings, MovedClock())
        with pytest.raises(UpstreamError, match="holds no token"):
            await TransitWrapper(client, settings).wrap(KEY, context=FOR)


# -- settings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"vault_addr": "http://vault.internal:8200"}, "must be https unless"),
        ({"vault_addr": "https://u:p@vault.internal"}, "user name or password"),
        ({"vault_addr": "https://vault.internal/?x=1"}, "no query"),
        ({"vault_transit_key": "../sys"}, "must be a name"),
        ({"vault_transit_mount": "a/../sys"}, "must be a path"),
        ({"vault_namespace": "a b"}, "must be a path"),
        ({"vault_role_id": "r"}, "VAULT_SECRET_ID must be set together"),
        ({"vault_token": "t", "vault_kubernetes_role": "r"}, "one way to sign in"),
    ],
)
def test_settings_that_do_not_hold(given, told):
    with pytest.raises(ValueError, match=told) as caught:
        VaultSettings(**given)
    assert "u:p" not in str(caught.value).replace("https://u:p@vault.internal", "")


@pytest.mark.parametrize(
    ("given", "helps"),
    [({}, "VAULT_ADDR"), ({"vault_addr": "https://v.example"}, "VAULT_TOKEN_FILE")],
)
async def test_what_is_not_set_stops_the_start(given, helps):
    with pytest.raises(SettingsError) as caught:
        async with opened(VaultSettings(**given)):
            pytest.fail("it must not open")
    assert helps in caught.value.detail + caught.value.remedy
