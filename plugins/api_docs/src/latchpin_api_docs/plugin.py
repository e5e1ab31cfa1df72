"""What Latchpin finds: the description of the API, the page that shows it, and the link to that."""

from __future__ import annotations

from collections.abc import Sequence

import latchpin
from latchpin.contracts import NavigationEntry

__all__ = ["latchpin_navigation", "latchpin_routes"]


@latchpin.hookimpl
def latchpin_routes() -> Sequence[str]:
    """Offer ``/openapi.json`` and ``/docs``."""
    return ["latchpin_api_docs.routes:router"]


@latchpin.hookimpl
def latchpin_navigation() -> Sequence[NavigationEntry]:
    """Link to it."""
    return (NavigationEntry("API", "/docs", "What programs can ask, to be tried out.", group="system", rank=900),)
