"""Does the key service that KEY_WRAPPER selects wrap keys, and open them for their own purpose alone?"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from latchpin.contracts import Finding, KeyWrapper, Severity
from latchpin.errors import LatchpinError, Unsealable
from latchpin.sdk.settings import CoreSettings

from latchpin_doctor.examination import Examination

__all__ = ["check_key_service"]

_NONE = "none"
_KEY_BYTES = 32
_FOR, _FOR_ANOTHER = {"purpose": "latchpin doctor"}, {"purpose": "latchpin doctor, another"}


async def check_key_service(context: Examination) -> Sequence[Finding]:
    """Wrap a random key, unwrap it, and try to unwrap it for another purpose."""
    name = context.settings.key_wrapper
    if name == _NONE:
        return []
    wrapper = None if context.application is None else context.application.services.context.key_wrappers.get(name)
    if wrapper is None:
        why = "The gateway could not be opened: see why above."
        return [Finding(Severity.SKIPPED, f"The key service {name} was not asked", why)]
    if context.offline:
        return [Finding(Severity.SKIPPED, f"The key service {name} was not asked", "It was not to be asked.")]
    try:
        found = await _try(wrapper, name)
    except LatchpinError as exc:
        found = Finding.of(exc, f"The key service {name} does not wrap and unwrap a key")
    return [found, *_unused(context.settings)]


def _unused(settings: CoreSettings) -> list[Finding]:
    """With the built-in cipher alone, keys follow from the secret, and there is nothing to wrap."""
    if settings.key_source != "settings" or settings.cipher != "aes-gcm":
        return []
    return [
        Finding(
            Severity.WARNING,
            f"The key service {settings.key_wrapper} wraps nothing",
            "KEY_SOURCE is settings: keys follow from AUTH_ENCRYPTION_SECRET, and a thief of that needs no service.",
            "Set KEY_SOURCE=ring, restart, and run: latchpin keys rotate, then latchpin keys reseal.",
        )
    ]


async def _try(wrapper: KeyWrapper, name: str) -> Finding:
    key = secrets.token_bytes(_KEY_BYTES)
    wrapped = await wrapper.wrap(key, context=_FOR)
    if not secrets.compare_digest(await wrapper.unwrap(wrapped, context=_FOR), key):
        return Finding(Severity.FAILURE, f"The key service {name} unwraps another key than it wrapped")
    try:
        await wrapper.unwrap(wrapped, context=_FOR_ANOTHER)
    except Unsealable:
        return Finding(Severity.OK, f"The key service {name} wraps and unwraps a key")
    return Finding(
        Severity.FAILURE,
        f"The key service {name} does not mind what a key is for",
        "It unwrapped a key that was wrapped for another purpose.",
        "Update it: Vault binds a key to its purpose from 1.13 on.",
    )
