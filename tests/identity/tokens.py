"""Bearer tokens for tests, good and forged."""

import base64
import json

from latchpin.model import Evidence

from tests.web.small_gateway import BASE


def evidence(*authorizations):
    return Evidence(peer="203.0.113.7", headers={"authorization": authorizations} if authorizations else {}, cookies={})


async def identify(gateway, token):
    return await gateway.services.identities[0].identify(evidence(f"Bearer {token}"))


def claims_at(clock, **changes):
    now = int(clock().timestamp())
    claims = {"iss": BASE, "aud": BASE, "exp": now + 600, "email": "ada@example.com", **changes}
    return {name: value for name, value in claims.items() if value is not None}


def unsigned(claims):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."
