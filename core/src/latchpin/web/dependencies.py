"""What the handlers of requests are given: the gateway's scripts, who asks, and the gateway that the path names.

The order of a handler's arguments is the order in which they are asked: who asks comes before what the path names, so
that nobody learns of an id without an identity.
"""

from __future__ import annotations

import re

from fastapi import Request

from latchpin.application import Application
from latchpin.errors import NotFound

__all__ = ["application_of", "check_gateway_id"]

_ID = re.compile(r"[0-9a-f]{32}")


def application_of(request: Request) -> Application:
    """The gateway's scripts."""
    application: Application = request.app.state.application
    return application


def check_gateway_id(text: str) -> str:
    """A gateway id from a path; what cannot be one is not looked up.

    Raises:
        NotFound: it cannot be one.
    """
    if not _ID.fullmatch(text):
        raise NotFound("that is no gateway id: an id has 32 hexadecimal digits")
    return text
