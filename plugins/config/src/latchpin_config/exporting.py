"""What is kept as one document that ``latchpin apply`` takes. No secret is in it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from latchpin.contracts import ConfigurationKind, StandingEntry
from latchpin.model import Caller
from latchpin.sdk.gateway import Application

from latchpin_config.planning import read_state
from latchpin_config.positions import shown
from latchpin_config.wanted import KEPT

__all__ = ["Exported", "export"]

_HEAD = f"""\
# Latchpin's configuration, as latchpin apply takes it. Secrets are not in it: {KEPT} stands for the one that is kept
# where this was written. Elsewhere, say where the secret is: env:NAME or file:/path.
"""


@dataclass(frozen=True, slots=True)
class Exported:
    """The document, and sentences on what could not be in it."""

    text: str
    left_out: list[str]


async def export(
    application: Application, kinds: Sequence[ConfigurationKind], caller: Caller, *, only: Collection[str] = ()
) -> Exported:
    """Write what is kept.

    Args:
        application: the gateway.
        kinds: those that are installed.
        caller: an administrator.
        only: names of kinds; none: all.

    Raises:
        BackendUnavailable: the store cannot be asked.
    """
    state = await read_state(application, kinds, caller)
    document: dict[str, dict[str, Any]] = {}
    left_out: list[str] = []
    for kind in state.kinds:
        if only and kind not in only:
            continue
        several = state.names.ambiguous(kind)
        left_out += [f"several of the {kind} are called {shown(name)}: no file can say which" for name in several]
        entries = {each.name: _say(each) for each in state.standing[kind] if each.name not in several}
        if entries:
            document[kind] = dict(sorted(entries.items()))
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120) if document else ""
    return Exported(_HEAD + text, left_out)


def _say(entry: StandingEntry) -> dict[str, Any]:
    said: dict[str, Any] = _copy(entry.said)
    for place in entry.secrets:
        *way, last = place.split(".")
        holder = said
        for part in way:
            holder = holder.setdefault(part, {})
        holder[last] = KEPT
    return said


def _copy(value: Any) -> Any:  # noqa: ANN401  any member's
    """Plain lists and dictionaries, as YAML is written from."""
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list | tuple) else value
