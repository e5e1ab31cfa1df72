"""``latchpin.asgi:app``: the gateway for any ASGI server, configured by the environment and ``.env``."""

from __future__ import annotations

import gc
import sys

from latchpin.errors import LatchpinError
from latchpin.serving.serve import name_worker
from latchpin.web.app import create_app

__all__ = ["app"]

STARTUP_FAILURE = 3
"""What uvicorn and gunicorn exit with when an application cannot start: they do not try it again."""

YOUNG = 10_000
"""How many new objects are looked through at once for what only a circle keeps; requests leave next to none."""


def _spare_the_collector() -> None:
    """Have it pass over what is open, and stays: it would look through all of it every other second, for 0.1 s."""
    gc.freeze()
    gc.set_threshold(YOUNG)


name_worker()
try:
    app = create_app(when_open=_spare_the_collector)
except LatchpinError as exc:
    sys.stderr.write(f"latchpin: cannot start: {exc.detail or exc.public}\n  remedy: {exc.for_operator()}\n")
    raise SystemExit(STARTUP_FAILURE) from None
