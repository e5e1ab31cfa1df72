"""How clients get tokens: a module for each grant type, each with one function from a request to an answer.

``GRANT_TYPES`` is what the token endpoint takes. A grant type of its own module is added there.
"""

from __future__ import annotations

from collections.abc import Mapping

from latchpin_authorization_server.grant_types.client_credentials import CLIENT_CREDENTIALS, give_service_token
from latchpin_authorization_server.grant_types.code import redeem_code
from latchpin_authorization_server.grant_types.device_code import DEVICE_CODE, redeem_device_code
from latchpin_authorization_server.grant_types.jwt_bearer import JWT_BEARER, redeem_assertion
from latchpin_authorization_server.grant_types.refresh_token import refresh
from latchpin_authorization_server.grant_types.request import GrantType
from latchpin_authorization_server.grant_types.token_exchange import TOKEN_EXCHANGE, exchange

__all__ = ["GRANT_TYPES"]

GRANT_TYPES: Mapping[str, GrantType] = {
    "authorization_code": redeem_code,
    "refresh_token": refresh,
    CLIENT_CREDENTIALS: give_service_token,
    DEVICE_CODE: redeem_device_code,
    JWT_BEARER: redeem_assertion,
    TOKEN_EXCHANGE: exchange,
}
"""By the name that clients send as ``grant_type``."""
