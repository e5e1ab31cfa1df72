"""A gateway that publishes a document, at a real server that reads documents."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest

from tests.cimd.conftest import URL
from tests.providers import FaultSwitch, faults
from tests.support.gateway_in_process import BASE, InnerGateway, open_gateway

DOCUMENT = f"{BASE}/oauth/client-metadata.json"
TOKEN = {"access_token": "of-the-test", "token_type": "Bearer", "expires_in": 3600}


@pytest.fixture
async def public(environment: pytest.MonkeyPatch):
    """The gateway in this process; its document has a public URL."""
    environment.setenv("CIMD_URL", URL)
    environment.setenv("CIMD_TOKEN_ENDPOINT_AUTH_METHOD", "private_key_jwt")
    async with open_gateway() as opened:
        yield opened


def reads_documents(provider: FaultSwitch) -> None:
    """Let the server say that it reads documents; it knows the client, as if it had read one."""
    methods = ["private_key_jwt", "client_secret_basic"]
    fault = faults.changed(client_id_metadata_document_supported=True, token_endpoint_auth_methods_supported=methods)
    provider.arm("metadata", fault)


async def begin(gateway: InnerGateway, provider: FaultSwitch) -> dict[str, list[str]]:
    """What is asked of the authorization endpoint."""
    gateway_id = await gateway.add(provider.provider.mcp_url)
    async with gateway.client() as client:
        answer = await client.get(f"{BASE}/oauth/authorize/{gateway_id}")
    assert answer.status_code == 302, answer.text
    return parse_qs(urlsplit(answer.headers["location"]).query)


async def test_the_document_is_everybodys_and_names_its_own_url(public: InnerGateway):
    async with public.client(None) as anybody:
        answer = await anybody.get(DOCUMENT)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert "set-cookie" not in answer.headers
    document = answer.json()
    assert document["client_id"] == URL
    assert document["redirect_uris"] == [f"{BASE}/oauth/callback"]
    assert [set(key) & {"d", "p", "q", "k"} for key in document["jwks"]["keys"]] == [set()]


async def test_the_url_is_the_client_and_the_published_key_proves_it(public: InnerGateway, provider: FaultSwitch):
    reads_documents(provider)
    provider.arm("token", faults.answer(TOKEN))
    gateway_id = await public.add(provider.provider.mcp_url)
    async with public.client() as client:
        sent = await client.get(f"{BASE}/oauth/authorize/{gateway_id}")
        query = parse_qs(urlsplit(sent.headers["location"]).query)
        assert query["client_id"] == [URL]
        back = {"code": "c", "state": query["state"][0], "iss": provider.provider.issuer}
        done = await client.get(f"{BASE}/oauth/callback", params=back)
        assert done.status_code == 303, done.text
        (key,) = (await client.get(DOCUMENT)).json()["jwks"]["keys"]
    (asked,) = provider.asked("token")
    assert asked.form["client_id"] == URL
    assertion = asked.form["client_assertion"]
    claims = jwt.decode(assertion, jwt.PyJWK(key).key, algorithms=["ES256"], audience=provider.provider.issuer)
    assert (claims["iss"], claims["sub"]) == (URL, URL)
    assert jwt.get_unverified_header(assertion)["kid"] == key["kid"]
    assert provider.asked("register") == []
    assert await public.application.services.records.clients.list() == []


async def test_a_server_that_reads_no_documents_gets_a_registration(public: InnerGateway, provider: FaultSwitch, log):
    query = await begin(public, provider)
    assert query["client_id"] != [URL]
    assert len(provider.asked("register")) == 1
    assert "does not say client_id_metadata_document_supported" in log()


async def test_on_loopback_it_is_skipped_and_says_so(gateway: InnerGateway, provider: FaultSwitch, log):
    fault = faults.changed(client_id_metadata_document_supported=True)
    provider.arm("metadata", fault)
    query = await begin(gateway, provider)
    assert not query["client_id"][0].startswith("http")
    assert len(provider.asked("register")) == 1
    assert "CIMD is skipped: localhost is loopback" in log()
    async with gateway.client(None) as anybody:
        answer = await anybody.get(DOCUMENT, headers={"accept": "application/json"})
    assert answer.status_code == httpx.codes.NOT_FOUND
    assert "localhost is loopback" in answer.json()["detail"]
