"""What is secret in a value is not printed with it: a traceback or a debugger's log line must not tell it."""

from __future__ import annotations

import pytest
from latchpin.contracts import Registration, RegistrationRequest, TokenRequestParts
from latchpin.model import ClientCredentials, Evidence, Reply, ServerMetadata, StateKey, TokenGrant
from latchpin.oauth.authorize import AuthorizationRequest
from latchpin.oauth.callback import CallbackParameters
from latchpin.oauth.token_request import TokenRequest
from latchpin.outbound.credential import Credential
from latchpin.outbound.decoding import ByteBudget
from latchpin.outbound.messages import Outgoing
from latchpin.tokens.service import UsableToken
from latchpin_testing.clock import START
from latchpin_testing.samples import gateway, pending_authorization, stored_token

SECRET = "told-nobody"
HEADERS = {"authorization": f"Bearer {SECRET}"}
CLIENT = ClientCredentials("client", SECRET, "client_secret_basic")
SERVER = ServerMetadata("https://as.example", None, "https://as.example/token")
KEY = StateKey("a" * 32, SECRET)

VALUES = [
    Outgoing("POST", f"https://x/?key={SECRET}", tuple(HEADERS.items()), SECRET.encode(), None, ByteBudget(1)),
    Evidence("127.0.0.1", {"authorization": (SECRET,)}, {"session": SECRET}),
    Reply("https://as.example/token", 200, {"location": f"/?code={SECRET}"}, SECRET.encode()),
    KEY,
    pending_authorization(START, key=KEY),
    CLIENT,
    RegistrationRequest(gateway(now=START), SERVER, "https://gw/cb", (), CLIENT, None),
    Registration(CLIENT, (), (), "", f"https://as.example/?key={SECRET}", SECRET, None),
    TokenRequestParts(HEADERS, {"client_secret": SECRET}),
    TokenRequest("https://as.example/token", HEADERS, SECRET.encode()),
    TokenGrant(SECRET, "Bearer", START, SECRET),
    UsableToken(Credential(SECRET), stored_token(START)),
    AuthorizationRequest("https://as.example/a", "client", "https://gw/cb", SECRET, "challenge", "S256"),
    CallbackParameters(SECRET, SECRET),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_no_secret_is_printed(value: object) -> None:
    assert type(value).__name__ in repr(value)
    assert SECRET not in repr(value)
    assert SECRET not in f"{value}"
