"""What checks of ``latchpin doctor`` are built from, beside ``Check`` and ``Finding`` of ``latchpin.contracts``.

``problems_of`` gives a sentence for each wrong variable of a settings model. ``count_closed`` says how many
documents of a collection open with no key, ``keys_of`` names the keys that an instance announces. ``compare_clocks``
judges a store's clock by two looks at ours::

    before = context.clock()
    theirs = await ask_the_store()
    return [compare_clocks("Acme", theirs, before=before, after=context.clock())]
"""

from __future__ import annotations

from datetime import datetime, timedelta

from latchpin.contracts import Finding, Severity
from latchpin.errors import ClockSkew
from latchpin.records.sealed import count_closed
from latchpin.serving.announcing import keys_of
from latchpin.settings import problems_of

__all__ = ["compare_clocks", "count_closed", "keys_of", "problems_of"]

NOTICEABLE = timedelta(seconds=5)
HARMFUL = timedelta(seconds=60)


def compare_clocks(label: str, theirs: datetime, *, before: datetime, after: datetime) -> Finding:
    """Judge what a store said was the time, between two looks at our own clock.

    Args:
        label: whose clock that is, for people.
        theirs: the store's time.
        before: ours before it was asked.
        after: ours when the answer was there.
    """
    ahead = theirs - after if theirs > after else min(theirs - before, timedelta(0))
    if abs(ahead) < NOTICEABLE:
        return Finding(Severity.OK, f"This machine's clock and that of {label} agree")
    seconds, way = round(abs(ahead).total_seconds()), "ahead of" if ahead > timedelta(0) else "behind"
    return Finding(
        Severity.FAILURE if abs(ahead) >= HARMFUL else Severity.WARNING,
        f"The clock of {label} is {seconds} s {way} this machine's",
        "States and tokens expire too early or too late, and instances disagree about which are good.",
        "Let every machine keep its time with NTP, and check which of the two is wrong.",
        "timedatectl status",
        ClockSkew.code,
    )
