"""A badge says who is asking: an address, and a signature of it by the gateway's keys."""

import hmac

from latchpin.contracts import Context
from latchpin.errors import InvalidRequest, NotSignedIn
from latchpin.model import Caller, Evidence
from latchpin.sdk.identity import parse_email

HEADER = "x-acme-badge"


def sign(context: Context, email: str, secret: str) -> str:
    key = context.keys("acme_ledger badge").current.key
    return hmac.new(key, f"{secret}\n{email}".encode(), "sha256").hexdigest()


class Badges:
    reads = frozenset({HEADER})

    def __init__(self, context: Context, secret: str) -> None:
        self._context = context
        self._secret = secret

    async def identify(self, evidence: Evidence) -> Caller | None:
        badges = evidence.headers.get(HEADER, ())
        if not badges or not self._secret:
            return None
        email, _, signature = badges[0].partition(" ")
        try:
            address = parse_email(email)
        except InvalidRequest as exc:
            raise NotSignedIn("the badge names nobody") from exc
        if len(badges) > 1 or not hmac.compare_digest(signature, sign(self._context, address, self._secret)):
            raise NotSignedIn("the badge is not ours")
        return Caller(address, via="badge", proves_intent=True)
