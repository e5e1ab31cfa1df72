"""Are the stores the right ones for what runs, do they answer, and would a gateway start on them?"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from latchpin.contracts import Finding, Severity
from latchpin.errors import LatchpinError, SchemaOutdated, StateStorageDisabled, Unsealable

from latchpin_doctor.examination import Examination
from latchpin_doctor.unsealable import count_unsealable

__all__ = ["check_kind_of_states", "check_sealed", "check_start", "check_stores"]

OTHER_STORE = "Set CACHE_TYPE=database, the default, or CACHE_TYPE=redis, and restart."


async def check_start(context: Examination) -> Sequence[Finding]:
    """Whether the stores can be opened as the start would open them."""
    obstacle = context.obstacle
    if obstacle is None:
        return []
    if isinstance(obstacle, SchemaOutdated) and obstacle.by_itself:
        return [Finding(Severity.WARNING, "The next start changes the schema", obstacle.detail, cause=obstacle.code)]
    return [Finding.of(obstacle, "A gateway cannot start, or not serve, as it is")]


async def check_kind_of_states(context: Examination) -> Sequence[Finding]:
    """What CACHE_TYPE selects, and what that means at a restart."""
    backend = context.state_backend
    if backend is None and context.settings.cache_type != "none":
        return []  # why, the check of the start says
    if backend is None:
        return [
            Finding(
                Severity.FAILURE,
                "CACHE_TYPE=none keeps no state",
                "Authorize and callback answer 503.",
                OTHER_STORE,
                "CACHE_TYPE=database",
                StateStorageDisabled.code,
            )
        ]
    if backend.shared:
        return [Finding(Severity.OK, f"States are kept in {backend.label}, which all workers share")]
    return [
        Finding(
            Severity.WARNING,
            f"CACHE_TYPE={backend.name} keeps states in one process",
            "An authorization that is under way at a restart has to be started again, and a second worker or replica "
            "knows nothing of what the first began.",
            OTHER_STORE,
            "CACHE_TYPE=database",
            "state-before-restart",
        )
    ]


async def check_stores(context: Examination) -> Sequence[Finding]:
    """Write to each store, read it back, and remove it."""
    record, application = context.record_backend, context.application
    if application is None:
        if record is not None and not record.shared:
            return [_out_of_reach(record.name)]
        return [Finding(Severity.SKIPPED, "The stores were not tried", "They could not be opened.")]
    services = application.services
    findings = []
    if services.states is not None and context.state_backend is not None:
        name = context.state_backend.label
        findings.append(await _try(services.states.check(), f"States can be put and consumed in {name}"))
    findings.append(
        await _try(services.records.check(), f"Records can be written and read in {services.record_backend.label}")
    )
    return findings


async def check_sealed(context: Examination) -> Sequence[Finding]:
    """How many stored secrets no key opens."""
    if context.application is None:
        return []
    counts = await count_unsealable(context.application)
    if not counts:
        return [Finding(Severity.OK, "Every stored secret opens with the secrets in these settings")]
    closed = ", ".join(f"{count} {what}" for what, count in counts.items())
    return [
        Finding(
            Severity.FAILURE,
            "Stored secrets open with no key",
            f"Sealed under an AUTH_ENCRYPTION_SECRET that is gone: {closed}.",
            "Put the earlier secret into AUTH_ENCRYPTION_SECRETS_OLD and restart; else people authorize again, "
            "and clients are registered or entered anew.",
            cause=Unsealable.code,
        )
    ]


def _out_of_reach(name: str) -> Finding:
    return Finding(
        Severity.SKIPPED,
        "Gateways, tokens and clients were not looked at",
        f"RECORD_STORE is {name}: they live in the serving process, out of reach for a command.",
        "Use RECORD_STORE=database or redis.",
    )


async def _try(check: Awaitable[None], title: str) -> Finding:
    try:
        await check
    except LatchpinError as exc:
        return Finding.of(exc, f"Not so: {title[0].lower()}{title[1:]}")
    return Finding(Severity.OK, title)
