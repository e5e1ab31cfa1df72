"""Why a plugin is not loaded: it was made for another core, it fails at import, or its hooks want arguments."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

from latchpin import __version__
from latchpin.plugins.hookspecs import HOOK_API, PROJECT
from latchpin.plugins.marked import functions_of

__all__ = ["Wrong", "broken", "other_api", "unmet", "with_arguments"]

Wrong = tuple[str, str]
"""The reason and the remedy."""


def unmet(requirements: Iterable[str], distribution: str) -> Wrong | None:
    """Which of a distribution's requirements the installed core does not meet, None if it meets them all."""
    for text in requirements:
        name = re.match(r"[\w.-]*", text)
        if name is None or name[0].lower() != PROJECT or _plainly_met(text.partition(";")[0].strip()):
            continue
        from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415  seldom needed

        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue  # pip did not follow it either
        applies = wanted.marker is None or wanted.marker.evaluate({"extra": ""})
        met = wanted.specifier.contains(__version__, prereleases=True)
        if wanted.name.lower() == PROJECT and applies and not met:
            reason = f"it needs latchpin{wanted.specifier}, and this is latchpin {__version__}"
            return reason, _another_version(distribution)
    return None


def _plainly_met(text: str) -> bool:
    """Whether a requirement is this version or, in digits, an older one and later: what nearly all are."""
    if text == f"{PROJECT}=={__version__}":
        return True
    oldest, ours = re.fullmatch(rf"{PROJECT} *>= *({_DIGITS})", text), re.fullmatch(_DIGITS, __version__)
    return oldest is not None and ours is not None and _numbers(oldest[1]) <= _numbers(ours[0])


_DIGITS = r"[0-9]+(?:\.[0-9]+)*"


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]


def other_api(module: object, distribution: str) -> Wrong | None:
    """Whether ``LATCHPIN_HOOK_API`` of a plugin's module is a version that this core does not have."""
    wanted = getattr(module, "LATCHPIN_HOOK_API", HOOK_API)
    if not isinstance(wanted, str) or re.fullmatch(r"[0-9]+\.[0-9]+", wanted) is None:
        reason = f"its LATCHPIN_HOOK_API is {wanted!r}, and a version is a text such as '{HOOK_API}'"
        return reason, f"Update {distribution}; its author writes the latchpin.HOOK_API that it was made with."
    major, minor = map(int, wanted.split("."))
    ours, newest = map(int, HOOK_API.split("."))
    if major == ours and minor <= newest:
        return None
    age = "an older" if major < ours else "a newer"
    reason = f"it was made for {age} hook API, {wanted}, and latchpin {__version__} has {HOOK_API}"
    return reason, _another_version(distribution)


def with_arguments(module: object) -> Wrong | None:
    """Whether one of a plugin's hooks wants an argument, which no hook gets."""
    for name, function in functions_of(module):
        if hasattr(function, f"{PROJECT}_impl"):
            parameters = inspect.signature(function).parameters.values()
            stars = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
            wanted = [repr(each.name) for each in parameters if each.default is each.empty and each.kind not in stars]
            if wanted:
                reason = f"its {name} has the argument {' and '.join(wanted)}, and a hook has none"
                return reason, "Remove it: what a Backend opens with is given the settings and the context."
    return None


def broken(error: BaseException, distribution: str) -> Wrong:
    """What was raised at import."""
    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] == PROJECT:
        return f"{reason}; this is latchpin {__version__}", _another_version(distribution)
    return reason, f"Repair or uninstall {distribution}; 'latchpin plugins' shows them all."


def _another_version(distribution: str) -> str:
    return f"Install a version of {distribution} that was made for latchpin {__version__}, or another latchpin."
