"""Settings: read once from the environment and ``.env``; each model is validated before any I/O."""

from latchpin.settings.loading import (
    Settings,
    is_wished,
    load,
    mask,
    masked,
    near_misses,
    old_names,
    problems_of,
    renamed,
    variables,
)

__all__ = [
    "Settings",
    "is_wished",
    "load",
    "mask",
    "masked",
    "near_misses",
    "old_names",
    "problems_of",
    "renamed",
    "variables",
]
