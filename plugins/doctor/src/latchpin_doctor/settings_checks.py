"""Are the settings ones that the gateway starts with, and ones to stay with?"""

from __future__ import annotations

from collections.abc import Sequence

from latchpin.contracts import Finding, Severity
from latchpin.errors import PluginError, SettingsError, StateExpired, WeakSecret
from latchpin.sdk.assembly import doubtful_settings, settings_models
from latchpin.sdk.checks import problems_of
from latchpin.sdk.settings import CoreSettings
from latchpin.sdk.urls import is_loopback_host

from latchpin_doctor.examination import Examination

__all__ = ["check_secret", "check_settings", "check_times"]

SHORT_LIFE_SECONDS = 120
"""A person who signs in, finds a second factor and consents needs about this long."""


async def check_settings(context: Examination) -> Sequence[Finding]:
    """Every value that does not hold, by its variable; every misspelt one."""
    problems = list(dict.fromkeys(text for model in _models(context) for text in problems_of(model)))
    findings = [
        Finding(
            Severity.FAILURE,
            problem,
            "The gateway does not start with it.",
            "Correct it in the environment or in .env; docs/settings.md has what is allowed.",
            "latchpin secret generate" if "latchpin secret generate" in problem else "",
            SettingsError.code,
        )
        for problem in problems
    ]
    findings += [
        Finding(Severity.WARNING, sentence, remedy="Correct the name in .env, or take the line out.")
        for sentence in _misspelt(context)
    ]
    return findings or [Finding(Severity.OK, "Every setting holds, and none is misspelt")]


def _models(context: Examination) -> list[type]:
    try:
        return list(settings_models(context.plugins).values())
    except PluginError:  # the check of the plugins names it
        return [CoreSettings]


def _misspelt(context: Examination) -> list[str]:
    try:
        return doubtful_settings(context.plugins)
    except PluginError:
        return []


async def check_secret(context: Examination) -> Sequence[Finding]:
    """Whether AUTH_ENCRYPTION_SECRET can be guessed."""
    settings = context.settings
    if not settings.weak_secret:
        return [Finding(Severity.OK, "AUTH_ENCRYPTION_SECRET is long enough")]
    public = not (is_loopback_host(settings.host) and is_loopback_host(settings.base_host))
    return [
        Finding(
            Severity.FAILURE if public else Severity.WARNING,
            "AUTH_ENCRYPTION_SECRET is the published default or shorter than 32 bytes",
            "Anybody can sign states with it. Only requests from this machine are served, all others get 503.",
            "Put the printed value into AUTH_ENCRYPTION_SECRET, the same on every instance, and restart.",
            "latchpin secret generate",
            WeakSecret.code,
        )
    ]


async def check_times(context: Examination) -> Sequence[Finding]:
    """Whether people have the time that they need."""
    seconds = context.settings.state_ttl_seconds
    if seconds >= SHORT_LIFE_SECONDS:
        return [Finding(Severity.OK, f"People have {seconds} s to authorize")]
    return [
        Finding(
            Severity.WARNING,
            f"People have only {seconds} s to authorize",
            "A person who signs in more slowly, or with a second factor, comes back too late.",
            "Set STATE_TTL_SECONDS to 300, the default, or more, and restart.",
            "STATE_TTL_SECONDS=300",
            StateExpired.code,
        )
    ]
