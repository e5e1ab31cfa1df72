"""``latchpin.asgi:app``: the gateway for any ASGI server, configured by the environment and ``.env``."""

from __future__ import annotations

import sys

from latchpin.errors import LatchpinError
from latchpin.serving.collecting import collect_little, spare_what_is_open

collect_little()
from latchpin.serving.serve import name_worker  # noqa: E402  most of a start is importing
from latchpin.web.app import create_app  # noqa: E402

__all__ = ["app"]

STARTUP_FAILURE = 3
"""What uvicorn and gunicorn exit with when an application cannot start: they do not try it again."""

name_worker()
try:
    app = create_app(when_open=spare_what_is_open)
except LatchpinError as exc:
    sys.stderr.write(f"latchpin: cannot start: {exc.detail or exc.public}\n  remedy: {exc.for_operator()}\n")
    raise SystemExit(STARTUP_FAILURE) from None
