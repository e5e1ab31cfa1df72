"""The script that Envoy runs on each request: its values here, what it does in envoy.lua. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from latchpin_edge.fields import FALLS, HIDDEN, PASSING, always
from latchpin_edge.plan import Plan

__all__ = ["script"]

_PREFIXES = ("access-control-", "cross-origin-", "proxy-", "sec-", "surrogate-", "x-accel-", "x-envoy-", "x-sendfile-")


def script(plan: Plan) -> str:
    """The script, with the plan's values in front.

    Raises:
        ValueError: one has a character that cannot be written there.
    """
    passing = (*PASSING, *plan.headers, "content-length")
    places = {
        plan.path_of(way): {
            "id": way.gateway_id,
            "url": way.url,
            "target": way.target,
            "host": way.authority,
            "header": way.header,
        }
        for way in plan.ways
    }
    values: Mapping[str, object] = {
        "PASSING": dict.fromkeys(passing, True),
        "HIDDEN": dict.fromkeys(HIDDEN, True),
        "PREFIXES": list(_PREFIXES),
        "ALWAYS": always(secure=plan.secure),
        "FALLS": {str(status): True for status in FALLS},
        "PLACES": places,
        "SECRET": plan.secret,
        "HOST": plan.host,
        "ORIGIN": plan.origin,
        "USER_HEADER": plan.user_header or "",
    }
    head = "\n".join(f"local {name} = {_literal(value)}" for name, value in values.items())
    return f"{head}\n{files(__package__).joinpath('envoy.lua').read_text(encoding='utf-8')}"


def _literal(value: object) -> str:
    """A value in Lua."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"[{_literal(name)}] = {_literal(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ", ".join(map(_literal, value)) + "}"
    text = str(value)
    if not text.isprintable() or not text.isascii():
        raise ValueError("a text cannot be written into a script")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
