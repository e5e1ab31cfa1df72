"""Do all that serve this gateway use one secret, one store for states and one address?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from latchpin.contracts import Finding, Instance, Severity
from latchpin.errors import BrowserChanged, Unsealable
from latchpin.sdk.checks import keys_of

from latchpin_doctor.examination import Examination
from latchpin_doctor.processes import serving_processes
from latchpin_doctor.store_checks import OTHER_STORE

__all__ = ["check_instances", "check_secrets", "check_workers"]

SECRET_CHANGED, NEVER_STORED = "state-secret-changed", "state-never-stored"

SAME_EVERYWHERE = (
    "Set the same AUTH_ENCRYPTION_SECRET for every instance, put the earlier one into AUTH_ENCRYPTION_SECRETS_OLD, "
    "and restart them."
)


async def check_workers(context: Examination) -> Sequence[Finding]:
    """Several processes, and each with a memory of its own: WORKERS, this machine's processes, other machines'."""
    backend = context.state_backend
    if backend is None or backend.shared:
        return []
    apart = [each for each in context.instances if each.facts.get("state_store_shared") == "no"]
    processes = serving_processes(Path.cwd())
    facts = []
    if context.settings.workers > 1:
        facts.append(f"WORKERS is {context.settings.workers}.")
    if len(processes) > 1:
        facts.append(f"{len(processes)} processes serve it here: {', '.join(str(each.pid) for each in processes)}.")
    if len(apart) > 1:
        facts.append(f"{len(apart)} instances announced themselves: {_named(apart)}.")
    if not facts:
        return [Finding(Severity.OK, f"One process at most serves with CACHE_TYPE={backend.name}")]
    return [
        Finding(
            Severity.FAILURE,
            f"Several processes with CACHE_TYPE={backend.name}: each has a memory of its own",
            f"A callback fails whenever another process gets it than the one that began. {' '.join(facts)}",
            f"{OTHER_STORE} Or run a single worker and no second instance.",
            "CACHE_TYPE=database",
            "state-other-machine" if len({each.host for each in apart}) > 1 else "state-other-worker",
        )
    ]


async def check_secrets(context: Examination) -> Sequence[Finding]:
    """Whether all instances sign and seal with one secret, and whether it is the one in these settings."""
    application, instances = context.application, context.instances
    if application is None or not instances:
        return [] if application is None else [_nobody()]
    ours = keys_of(application.services)
    keys = {tuple(each.facts.get(name) for name in ours) for each in instances}
    if len(keys) > 1:
        return [
            Finding(
                Severity.FAILURE,
                "Instances have different secrets",
                f"What one of them signs, another takes for forged. Keys: {_named(instances, 'signing_key')}.",
                SAME_EVERYWHERE,
                cause=SECRET_CHANGED,
            )
        ]
    if keys == {tuple(ours.values())}:
        return [Finding(Severity.OK, f"{_count(instances)} and these settings have one secret")]
    return [_changed(context, instances)]


def _changed(context: Examination, instances: Sequence[Instance]) -> Finding:
    """The settings were changed after the instances started."""
    known = all(_known(context, each.facts.get("signing_key", "")) for each in instances)
    after = "Flows and tokens live on." if known else "Flows that are under way and stored tokens do not survive it."
    return Finding(
        Severity.WARNING if known else Severity.FAILURE,
        "The running gateway has another secret than these settings",
        f"{_count(instances)} started with another AUTH_ENCRYPTION_SECRET; a restart changes it. {after}",
        "Restart every instance." if known else SAME_EVERYWHERE,
        cause=SECRET_CHANGED,
    )


def _known(context: Examination, key_id: str) -> bool:
    """Whether that signing key is one of AUTH_ENCRYPTION_SECRETS_OLD."""
    assert context.application is not None  # noqa: S101  callers have looked
    try:
        context.application.services.signer.verify(b"", b"", key_id=key_id)
    except Unsealable:
        return False
    return True


_TO_BE_ALIKE = (
    (
        "state_store",
        "Instances keep states in different stores",
        "None finds what the other began.",
        NEVER_STORED,
    ),
    ("state_data", "Instances have stores with different data", "None finds what the other began.", NEVER_STORED),
    (
        "base_url",
        "Instances have different BASE_URLs",
        "Cookies of one host do not reach another.",
        BrowserChanged.code,
    ),
)
"""A fact that must not differ, what to say if it does, and what people then meet."""


async def check_instances(context: Examination) -> Sequence[Finding]:
    """Whether all instances keep states in one place and have one address."""
    instances = context.instances
    remedy = "Give every instance the same settings, and restart them."
    return [
        Finding(
            Severity.FAILURE,
            title,
            f"{detail} {_named(instances, fact)}.",
            remedy,
            "latchpin config show",
            cause,
        )
        for fact, title, detail, cause in _TO_BE_ALIKE
        if len({value for each in instances if (value := each.facts.get(fact))}) > 1
    ]


def _nobody() -> Finding:
    return Finding(
        Severity.SKIPPED, "No running instance was found", "None announced itself in the record store in 3 minutes."
    )


def _count(instances: Sequence[Instance]) -> str:
    return f"{len(instances)} running instance{'' if len(instances) == 1 else 's'}"


def _named(instances: Sequence[Instance], fact: str = "") -> str:
    """Who they are, with one of their facts."""
    names = [f"{each.host} process {each.facts.get('pid', '?')}" for each in instances]
    if fact:
        names = [f"{name}: {each.facts.get(fact, '?')}" for name, each in zip(names, instances, strict=True)]
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")  # noqa: PLR2004  enough to act on
