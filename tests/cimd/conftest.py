"""What every file here works on: the published client, and requests for a client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from latchpin.contracts import RegistrationRequest
from latchpin.model import ServerMetadata
from latchpin_cimd.document import PublishedClient
from latchpin_testing import samples
from latchpin_testing.clock import MovedClock

NEEDS = ("latchpin_cimd", "latchpin_memory_store", "latchpin_dcr")
URL = "https://gateway.example.com/oauth/client-metadata.json"
CALLBACK = "https://gateway.example.com/oauth/callback"


@pytest.fixture
def client() -> PublishedClient:
    return PublishedClient(URL, "Latchpin", "https://gateway.example.com", (CALLBACK,), "none")


@pytest.fixture
def request_for() -> Callable[..., RegistrationRequest]:
    """A request at a server that reads documents; ``server``, ``oauth`` and the rest change it."""

    def make(*, server=None, oauth=None, **more) -> RegistrationRequest:
        issuer = "https://as.example.com"
        metadata = ServerMetadata(
            issuer=issuer,
            authorization_endpoint=f"{issuer}/authorize",
            token_endpoint=f"{issuer}/token",
            registration_endpoint=f"{issuer}/register",
            extra={"client_id_metadata_document_supported": True},
        )
        entry = samples.gateway(MovedClock()())
        entry = replace(entry, oauth=replace(entry.oauth, **({"grant_type": "authorization_code"} | (oauth or {}))))
        facts = {"redirect_uri": CALLBACK, "scopes": (), "configured": None, "auth_method": None, **more}
        return RegistrationRequest(gateway=entry, server=replace(metadata, **(server or {})), **facts)

    return make
