"""What Latchpin finds: the endpoint that says what discovery finds now."""

from __future__ import annotations

from collections.abc import Sequence

import latchpin

__all__ = ["latchpin_routes"]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[str]:
    """Offer ``GET /gateways/{gateway_id}/discovery``."""
    return ["latchpin_inspection.routes:router"]
