"""What ``latchpin doctor`` asks about the directory."""

from __future__ import annotations

from collections.abc import Sequence

from latchpin.contracts import CheckContext, Finding, Severity

from latchpin_scim.settings import ScimSettings

__all__ = ["check_directory"]

_SEVERAL = 2


async def check_directory(context: CheckContext) -> Sequence[Finding]:
    """Whether a directory may say who left, and how safely its token travels."""
    settings = context.load(ScimSettings)
    if not settings.scim_token:
        return []
    base = f"{context.base_url}/scim/v2"
    found = [Finding(Severity.OK, "A directory may say who left", f"its address is {base}")]
    if not context.base_url.startswith("https:"):
        remedy = "Serve it by https, and set BASE_URL to that."
        found.append(
            Finding(
                Severity.WARNING, "The directory's token travels in clear", f"BASE_URL is {context.base_url}", remedy
            )
        )
    if len(settings.scim_token) > _SEVERAL:
        text = f"SCIM_TOKEN holds {len(settings.scim_token)} tokens"
        found.append(
            Finding(
                Severity.WARNING,
                "More tokens of the directory are taken than a change needs",
                text,
                "Take out those that the directory does not use any more.",
            )
        )
    return found
