"""What can go wrong with the key ring."""

from __future__ import annotations

from latchpin.errors import ConfigurationError

__all__ = ["KeyInUse", "KeyRingUnusable"]


class KeyRingUnusable(ConfigurationError):
    """The key ring is gone, was changed by somebody else, or does not open: nothing is sealed or opened."""

    code = "key-ring-unusable"
    status = 503
    title = "The key ring cannot be used"
    public = "The gateway's keys cannot be read."
    remedy = "Put the record store back from a backup; 'latchpin keys status' says what is wrong."


class KeyInUse(ConfigurationError):
    """A key is to go, and something still stands under it."""

    code = "key-in-use"
    status = 409
    title = "The key is still needed"
    public = "Something still stands under this key."
    remedy = "Run 'latchpin keys reseal', and try again: 'latchpin keys status' says what stands under it."
