"""The built-in server profiles, as the file of the core has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import timedelta

from latchpin_profiles.plugin import latchpin_server_profiles

__all__ = ["profiles"]

_NAMES = {"name", "label", "servers", "documentation", "rank"}


def profiles() -> Iterator[str]:
    """A row for each."""
    yield from ("| name | server | holds for | what differs from the standard |", "|---|---|---|---|")
    for profile in latchpin_server_profiles():
        servers = ", ".join(f"`{each}`" for each in profile.servers[:3])
        servers += f" and {len(profile.servers) - 3} more" if len(profile.servers) > 3 else ""
        said = {each.name: getattr(profile, each.name) for each in fields(profile) if each.name not in _NAMES}
        default = {each.name: each.default for each in fields(profile)}
        told = [f"`{name} = {_shown(value)}`" for name, value in said.items() if value and value != default[name]]
        yield f"| `{profile.name}` | {profile.label} | {servers} | {', '.join(told)} |"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        return '"never"' if value >= timedelta(days=3650) else f"{value.total_seconds():.0f}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {_shown(each)}' for key, each in value.items())} }}"
    return str(value)
