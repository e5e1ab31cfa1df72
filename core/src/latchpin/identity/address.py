"""People are known by their address; this is the one place where a request's address is read."""

from __future__ import annotations

from latchpin.errors import InvalidRequest
from latchpin.model.address import check_email

__all__ = ["parse_email"]


def parse_email(text: object) -> str:
    """Read an address that names a user, as ``check_email`` wants it.

    Raises:
        InvalidRequest: it is not such an address; the detail says why without repeating it.
    """
    if not isinstance(text, str):
        raise InvalidRequest("the e-mail address is not text")
    try:
        return check_email(text)
    except ValueError as exc:
        raise InvalidRequest(f"the e-mail address {exc}") from None
