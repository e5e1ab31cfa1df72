"""``latchpin.asgi:app``: the gateway for any ASGI server, configured by the environment and ``.env``."""

from __future__ import annotations

import sys

from latchpin.errors import LatchpinError
from latchpin.serving.serve import name_worker
from latchpin.web.app import create_app

__all__ = ["app"]

STARTUP_FAILURE = 3
"""What uvicorn and gunicorn exit with when an application cannot start: they do not try it again."""

name_worker()
try:
    app = create_app()
except LatchpinError as exc:
    sys.stderr.write(f"latchpin: cannot start: {exc.detail or exc.public}\n  remedy: {exc.for_operator()}\n")
    raise SystemExit(STARTUP_FAILURE) from None
