"""The catalogue of causes: every reason for a failure that the gateway can name, in one table.

Errors, pages, problem documents, logs, metrics, ``doctor`` and the docs read it; no text of it stands anywhere
else. A plugin's errors bring causes of their own; ``latchpin.errors.known_causes`` gives both.
"""

from __future__ import annotations

from collections.abc import Mapping

from latchpin.errors.causes.callback import CALLBACK
from latchpin.errors.causes.caller import CALLER
from latchpin.errors.causes.cause import Cause, Fault
from latchpin.errors.causes.installation import CONFIGURATION, STORE, UNFORESEEN
from latchpin.errors.causes.missing import MISSING
from latchpin.errors.causes.refusals import REFUSED, TOKEN_REFUSED
from latchpin.errors.causes.upstream import PROVIDER

__all__ = ["CAUSES", "CHAPTERS", "Cause", "Fault"]

CHAPTERS: Mapping[str, tuple[Cause, ...]] = {
    "The caller": CALLER,
    "The callback": CALLBACK,
    "The state is not in the store": MISSING,
    "The authorization server refuses": REFUSED,
    "The token endpoint refuses": TOKEN_REFUSED,
    "Servers": PROVIDER,
    "The configuration": CONFIGURATION,
    "The store": STORE,
    "Unforeseen": UNFORESEEN,
}
"""The table, in the order of the docs."""

CAUSES: Mapping[str, Cause] = {cause.slug: cause for causes in CHAPTERS.values() for cause in causes}
"""By slug."""
