"""In which groups somebody is, as everything says that is installed to say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from latchpin.contracts import Groups
from latchpin.model import Caller

__all__ = ["with_groups"]


async def with_groups(sources: Mapping[str, Groups], caller: Caller) -> Caller:
    """The caller, in the groups that they were in and in those that the sources say.

    Raises:
        BackendUnavailable: a source cannot be asked: nobody is let in, or past a rule, by what is not known.
    """
    groups = caller.groups
    for source in sources.values():
        groups |= await source.of(caller)
    return caller if groups == caller.groups else replace(caller, groups=groups)
