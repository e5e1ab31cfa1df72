"""Models as the API's description has them (OpenAPI 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

__all__ = ["takes_json", "whole_schema"]

_REFERENCE = "#/$defs/"


def whole_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of ``model`` with each definition where it is used: a reference inside would point nowhere.

    References are read from the root of the whole description, which has no ``$defs``. No model may contain itself.
    """
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})
    found: dict[str, Any] = _put_in(schema, definitions)
    return found


def takes_json(model: type[BaseModel]) -> dict[str, Any]:
    """What ``openapi_extra`` says of a route that reads ``model`` from its body itself."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": whole_schema(model)}}}}


def _put_in(value: Any, definitions: Mapping[str, Any]) -> Any:  # noqa: ANN401  any part of a JSON document
    if isinstance(value, list):
        return [_put_in(each, definitions) for each in value]
    if not isinstance(value, dict):
        return value
    whole = dict(value)
    name = whole.pop("$ref", "")
    if name.startswith(_REFERENCE):
        whole = {**definitions[name.removeprefix(_REFERENCE)], **whole}
    return {key: _put_in(each, definitions) for key, each in whole.items()}
