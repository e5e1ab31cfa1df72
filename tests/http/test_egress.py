"""Requests that leave through the company's proxy: what it is asked for, what it does not read, and what is refused."""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yarl
from latchpin.errors import SettingsError
from latchpin.outbound import egress as egress_module
from latchpin.outbound.addresses import refusal
from latchpin.outbound.decoding import ByteBudget
from latchpin.outbound.egress import Egress, EgressProxy, find_egress
from latchpin.outbound.failure import Failure
from latchpin.outbound.http import open_session
from latchpin.outbound.messages import Outgoing
from latchpin.outbound.upstream import open_upstream
from latchpin.settings.core import CoreSettings
from latchpin.settings.loading import load

from tests.http.test_hostile import Rebinding
from tests.support.http_servers import answer, read_request, serve, write_certificate, writing

NAME = "mcp.example.com"
PUBLIC = "192.88.98.1"
SECRET = "not for the proxy"


class Proxy:
    """A proxy that connects each tunnel to one port of this machine, whatever host it is asked for."""

    def __init__(self, target: int, status: int = 200) -> None:
        self._target = target
        self._status = status
        self.heads: list[bytes] = []
        self.passed = b""
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def egress(self, login: str = "") -> Egress:
        return Egress({"https": EgressProxy.of(self.url.replace("//", f"//{login}"))})

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append(await read_request(reader))
        if self._status != 200:
            writer.write(b"HTTP/1.1 %d No\r\ncontent-length: 0\r\n\r\n" % self._status)
            writer.close()
            return
        inner, outer = await asyncio.open_connection("127.0.0.1", self._target)
        if self.heads[-1].startswith(b"CONNECT "):
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        else:
            outer.write(self.heads[-1])
        await asyncio.gather(self._copy(reader, outer), self._copy(inner, writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(65_536):
                self.passed += piece
                writer.write(piece)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def proxying(target: int, status: int = 200) -> AsyncIterator[Proxy]:
    proxy = Proxy(target, status)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()


def post(url: str, *, raw: bool = True) -> Outgoing:
    body = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    headers = (("authorization", f"Bearer {SECRET}"), ("content-type", "application/json"))
    return Outgoing("POST", url, headers, body, None, ByteBudget(sys.maxsize), raw=raw)


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file, context = write_certificate(tmp_path, NAME)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return context


@pytest.mark.parametrize("login", ["", "me:pass@"], ids=["open", "with a password"])
@pytest.mark.parametrize("raw", [True, False], ids=["a call", "a request of our own"])
async def test_tls_goes_through_the_proxy_which_reads_nothing(raw, login, certificate):
    async with (
        serve(writing(answer(b"first"), answer(b"second")), tls=certificate) as server,
        proxying(server.port) as proxy,
        open_session(egress=proxy.egress(login), resolver=Rebinding(PUBLIC)) as session,
    ):
        url = f"https://{NAME}:{server.port}/mcp"
        for body in (b"first", b"second"):
            got = await session.send(post(url, raw=raw))
            assert b"".join([piece async for piece in got]) == body
            got.close()
    assert [head.split(b"\r\n")[0] for head in proxy.heads] == [f"CONNECT {NAME}:{server.port} HTTP/1.1".encode()]
    assert SECRET.encode() in server.requests[1], "both went over one tunnel"
    assert SECRET.encode() not in proxy.passed + b"".join(proxy.heads)


async def test_the_proxy_gets_its_own_password_and_the_server_does_not(certificate):
    async with (
        serve(writing(answer(b"in")), tls=certificate) as server,
        proxying(server.port) as proxy,
    ):
        named = EgressProxy.of(proxy.url.replace("//", "//me:p%40ss@"))
        async with open_session(egress=Egress({"https": named}), resolver=Rebinding(PUBLIC)) as session:
            got = await session.send(post(f"https://{NAME}:{server.port}/"))
            got.close()
    login = base64.b64encode(b"me:p@ss")
    assert b"Proxy-Authorization: Basic " + login in proxy.heads[0]
    assert login not in server.requests[0]
    assert "p@ss" not in repr(named)


@pytest.mark.parametrize(
    ("host", "addresses", "said"),
    [
        ("10.0.0.1", (PUBLIC,), "private"),
        ("[::1]", (PUBLIC,), "loopback"),
        ("169.254.169.254", (PUBLIC,), "metadata"),
        ("169.254.169.254.", (PUBLIC,), "metadata"),
        ("0x7f.1", (PUBLIC,), "unusual form"),
        (NAME, ("10.0.0.1",), "private"),
        (NAME, ("::ffff:127.0.0.1",), "loopback"),
        ("metadata", (PUBLIC,), "inner network"),
        ("vault.corp.internal.", (PUBLIC,), "inner network"),
        ("printer.local", (PUBLIC,), "inner network"),
    ],
)
async def test_the_proxy_is_not_asked_for_what_would_be_refused_without_one(host, addresses, said):
    async with proxying(0) as proxy:
        egress = Egress({"https": EgressProxy.of(proxy.url)}, bypass="")
        egress.proxy_for = lambda _url: EgressProxy.of(proxy.url)  # type: ignore[method-assign]  [::1] is here else
        async with open_session(egress=egress, resolver=Rebinding(*addresses)) as session:
            with pytest.raises(Failure, match=said) as refused:
                await session.send(post(f"https://{host}/mcp"))
    assert (refused.value.kind, refused.value.sent) == ("address", False)
    assert proxy.heads == []


class Nowhere(Rebinding):
    async def resolve(self, host, port=0, family=0):
        raise OSError("no such name")


@pytest.mark.parametrize("looks_up", [False, True])
async def test_a_name_that_only_the_proxy_knows_passes_where_that_is_said(looks_up, certificate):
    async with serve(writing(answer(b"in")), tls=certificate) as server, proxying(server.port) as proxy:
        egress = Egress({"https": EgressProxy.of(proxy.url)}, looks_up=looks_up)
        async with open_session(egress=egress, resolver=Nowhere(PUBLIC)) as session:
            if looks_up:
                got = await session.send(post(f"https://{NAME}:{server.port}/"))
                assert got.status == 200
                got.close()
            else:
                with pytest.raises(Failure, match="OUTBOUND_PROXY_LOOKS_UP"):
                    await session.send(post(f"https://{NAME}:{server.port}/"))
    assert len(proxy.heads) == looks_up


async def test_a_name_that_led_outside_is_judged_again_later(monkeypatch):
    monkeypatch.setattr(egress_module, "_JUDGED_FOR", 0.0)
    async with proxying(0, status=502) as proxy:
        egress = Egress({"https": EgressProxy.of(proxy.url)})
        async with open_session(egress=egress, resolver=Rebinding(PUBLIC, "10.0.0.1")) as session:
            with pytest.raises(Failure, match="status 502"):
                await session.send(post(f"https://{NAME}/"))
            with pytest.raises(Failure, match=r"10\.0\.0\.1 is private"):
                await session.send(post(f"https://{NAME}/"))
    assert len(proxy.heads) == 1


@pytest.mark.parametrize("status", [403, 407, 502])
async def test_a_proxy_that_refuses_is_named_with_what_it_said(status):
    async with proxying(0, status=status) as proxy:
        egress = Egress({"https": EgressProxy.of(proxy.url)})
        async with open_session(egress=egress, resolver=Rebinding(PUBLIC)) as session:
            with pytest.raises(Failure, match=f"OUTBOUND_PROXY let nothing through: status {status}") as failed:
                await session.send(post(f"https://{NAME}/mcp?key={SECRET}"))
    assert (failed.value.kind, failed.value.sent) == ("connect", False)


async def test_a_proxy_that_is_not_there_is_said():
    egress = Egress({"https": EgressProxy.of("http://127.0.0.1:1")})
    async with open_session(egress=egress, resolver=Rebinding(PUBLIC)) as session:
        with pytest.raises(Failure, match="no connection to the proxy of OUTBOUND_PROXY"):
            await session.send(post(f"https://{NAME}/"))


async def test_plain_http_is_passed_on_by_its_whole_url():
    async with serve(writing(answer(b"in"))) as server, proxying(server.port) as proxy:
        egress = Egress({"http": EgressProxy.of(proxy.url.replace("//", "//me:pass@"))})
        async with open_session(egress=egress, allow_private_networks=True) as session:
            got = await session.send(post(f"http://{NAME}:{server.port}/mcp?a=1"))
            assert got.status == 200
            got.close()
    assert proxy.heads[0].startswith(f"POST http://{NAME}:{server.port}/mcp?a=1 HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization: Basic " in proxy.heads[0]


# -- which requests ---------------------------------------------------------------------------------------------------


def chosen(outbound_proxy: str, environment: Mapping[str, str], url: str) -> str | None:
    egress = find_egress(CoreSettings(_env_file=None, outbound_proxy=outbound_proxy), environment)
    found = egress.proxy_for(yarl.URL(url))
    return None if found is None else str(found.url)


ENVIRONMENT = {"HTTPS_PROXY": "http://me:secret@one:3128", "http_proxy": "http://two:3128", "NO_PROXY": "inner.example"}


def test_the_environment_counts_only_where_it_is_chosen():
    assert chosen("", ENVIRONMENT, "https://a.example/") is None
    assert chosen("environment", ENVIRONMENT, "https://a.example/") == "http://one:3128"
    assert chosen("environment", ENVIRONMENT, "http://a.example/") == "http://two:3128"
    assert chosen("http://three:8080/", ENVIRONMENT, "https://a.example/") == "http://three:8080/"
    assert chosen("http://three:8080", ENVIRONMENT, "https://b.inner.example/") is None


@pytest.mark.parametrize(
    ("bypass", "host", "direct"),
    [
        ("example.com", "example.com", True),
        ("example.com", "a.b.example.com", True),
        (".example.com", "a.example.com", True),
        ("*.example.com", "a.example.com", True),
        ("EXAMPLE.com", "Example.COM.", True),
        ("example.com", "notexample.com", False),
        ("example.com:8443", "example.com", False),
        ("example.com:443", "example.com", True),
        ("10.0.0.0/8 fd00::/8", "10.1.2.3", True),
        ("10.0.0.0/8, fd00::/8", "[fd00::1]", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("*", "anything.example", True),
        ("", "127.0.0.1", True),
        ("", "localhost", True),
        ("", "[::1]", True),
        ("", "example.com", False),
    ],
)
def test_no_proxy(bypass, host, direct):
    egress = Egress({"https": EgressProxy.of("http://proxy:3128")}, bypass=bypass)
    assert (egress.proxy_for(yarl.URL(f"https://{host}/")) is None) == direct


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "neither HTTPS_PROXY nor"),
        ({"HTTPS_PROXY": "socks5://me:secret@proxy:1080"}, "names for https is no http or https URL"),
        ({"HTTPS_PROXY": "http://one:3128", "HTTP_PROXY": "secret"}, "names for http is no http or https URL"),
    ],
)
def test_a_proxy_that_is_wished_for_and_cannot_be_had_stops_the_start(environment, said):
    with pytest.raises(SettingsError, match=said) as refused:
        chosen("environment", environment, "https://a.example/")
    assert "secret" not in refused.value.public


@pytest.mark.parametrize("value", ["proxy:3128", "socks5://proxy", "http://proxy/path", "http://", "yes"])
def test_what_is_no_proxy_is_no_setting(value, monkeypatch):
    monkeypatch.setenv("OUTBOUND_PROXY", value)
    with pytest.raises(SettingsError, match="OUTBOUND_PROXY holds"):
        load(CoreSettings)


def test_the_public_address_of_these_tests_is_public():
    assert refusal(PUBLIC) is None


async def test_the_gateway_s_own_requests_leave_through_it(certificate):
    """Discovery, registration and tokens go by ``open_upstream``."""
    async with serve(writing(answer(b"in")), tls=certificate) as server, proxying(server.port) as proxy:
        settings = CoreSettings(_env_file=None, outbound_proxy=proxy.url)
        async with open_upstream(settings, resolver=Rebinding(PUBLIC)) as upstream:
            assert (await upstream.get(f"https://{NAME}:{server.port}/")).body == b"in"
    assert len(proxy.heads) == 1
