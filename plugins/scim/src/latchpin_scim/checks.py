"""What ``latchpin doctor`` asks about the directory."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from latchpin.contracts import CheckContext, Finding, Severity
from latchpin.sdk.urls import is_loopback_host

from latchpin_scim.settings import ScimSettings

__all__ = ["check_directory"]

_SEVERAL = 2


async def check_directory(context: CheckContext) -> Sequence[Finding]:
    """Whether a directory may say who left, and whether its token is sent over TLS."""
    settings = context.load(ScimSettings)
    if not settings.scim_token:
        return []
    base = f"{context.base_url}/scim/v2"
    found = [Finding(Severity.OK, "A directory may say who left", f"its address is {base}")]
    url = urlsplit(context.base_url)
    if url.scheme != "https" and not is_loopback_host(url.hostname or ""):
        found.append(
            Finding(
                Severity.WARNING,
                "The directory's token is sent unencrypted",
                f"Without TLS, everybody on the way to {base} can read it.",
                "Serve Latchpin by https, and let BASE_URL begin with https://.",
            )
        )
    if len(settings.scim_token) > _SEVERAL:
        text = f"There are {len(settings.scim_token)}: a change needs the new one and the old one."
        found.append(
            Finding(
                Severity.WARNING,
                "SCIM_TOKEN holds more tokens than a change needs",
                text,
                "Take out those that the directory does not use any more.",
            )
        )
    return found
