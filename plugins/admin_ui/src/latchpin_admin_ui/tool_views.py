"""What pages show of a tool. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latchpin.model import StoredTool

__all__ = ["ToolView"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a tool."""

    name: str
    type: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class ToolView:
    """A tool with what its schema says; a server may have put anything into a definition."""

    name: str
    title: str
    description: str
    parameters: tuple[Parameter, ...]
    json: str

    @classmethod
    def of(cls, tool: StoredTool) -> ToolView:
        """Read the definition."""
        definition = tool.definition
        return cls(
            name=tool.name,
            title=_text(definition.get("title")),
            description=_text(definition.get("description")),
            parameters=tuple(_parameters(definition.get("inputSchema"))),
            json=json.dumps(definition, indent=2, ensure_ascii=False),
        )


def _parameters(schema: object) -> list[Parameter]:
    if not isinstance(schema, Mapping) or not isinstance(properties := schema.get("properties"), Mapping):
        return []
    needed = schema.get("required")
    required = needed if isinstance(needed, list) else []
    return [
        Parameter(str(name), _type_of(each), name in required, _text(_get(each, "description")))
        for name, each in properties.items()
    ]


def _type_of(schema: object) -> str:
    kind = _get(schema, "type")
    if isinstance(options := _get(schema, "enum"), list):
        return "one of " + ", ".join(json.dumps(option, ensure_ascii=False) for option in options[:20])
    if isinstance(kind, list):
        return " or ".join(str(each) for each in kind)
    return _text(kind) or "any"


def _get(schema: object, key: str) -> Any:  # noqa: ANN401  whatever JSON held
    return schema.get(key) if isinstance(schema, Mapping) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
