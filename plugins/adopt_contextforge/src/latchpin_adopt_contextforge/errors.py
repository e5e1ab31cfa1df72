"""What stops an adoption as a whole."""

from __future__ import annotations

from latchpin.errors import Cause, ConfigurationError

__all__ = ["SourceUnreadable"]


class SourceUnreadable(ConfigurationError):
    """ContextForge's database, or what is sealed in it, cannot be read; nothing was written."""

    cause = Cause(
        slug="source-unreadable",
        fault="the administrator",
        status=500,
        title="The other gateway's database cannot be read",
        public="The other gateway's database cannot be read.",
        happened="{what}",
        remedy="Give the DATABASE_URL and the AUTH_ENCRYPTION_SECRET that ContextForge runs with.",
        meaning="`latchpin adopt` cannot read the other gateway's database, or cannot open what is sealed in it. "
        "Nothing was written, here or there.",
    )
