"""What a model says of itself: where its secrets are, which keys a place has, and its JSON schema. Pure."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, SecretStr, create_model

__all__ = ["ONLY_READ", "REFERENCE", "did_you_mean", "json_schema", "model_at", "secret_places", "writable"]

_LONGEST_GUESSED = 100
ONLY_READ = "Only read."
"""What a model of the API says of a member that no file has."""
REFERENCE = {
    "type": "string",
    "pattern": "^([a-z][a-z0-9-]*:.+|kept)$",
    "description": "Where the secret is: env:NAME, file:/path, or kept for the one that is kept already.",
}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401  any type
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _is_secret(annotation: Any) -> bool:  # noqa: ANN401  any type
    return annotation is SecretStr or any(_is_secret(inner) for inner in get_args(annotation))


def secret_places(model: type[BaseModel]) -> list[tuple[str, ...]]:
    """The paths of every secret in a model. Those in lists of models are none of them: no reference could be theirs."""
    found: list[tuple[str, ...]] = []
    for name, field in model.model_fields.items():
        if _is_secret(field.annotation):
            found.append((name,))
        for inner in _models(field.annotation):
            found += [(name, *rest) for rest in secret_places(inner)]
    return found


def model_at(model: type[BaseModel], path: Sequence[object]) -> type[BaseModel] | None:
    """The model of what stands at ``path``; None where no model is."""
    for part in path:
        field = model.model_fields.get(str(part))
        inner = next(_models(field.annotation), None) if field is not None else None
        if inner is None:
            return None
        model = inner
    return model


def did_you_mean(wrong: str, known: Sequence[str]) -> str:
    """The known word that comes nearest; all of them where none comes near."""
    near = difflib.get_close_matches(wrong[:_LONGEST_GUESSED], known, n=1)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known are {', '.join(known)}" if known else ""


def writable(model: type[BaseModel], *, name: str, without: frozenset[str] = frozenset()) -> type[BaseModel]:
    """A model of the API without what is only read, in all depths: what a file may say.

    Args:
        model: the API's.
        name: of the new model.
        without: further members that a file does not have.
    """
    fields: dict[str, Any] = {}
    for member, field in model.model_fields.items():
        if field.description == ONLY_READ or member in without:
            continue
        inner = next(_models(field.annotation), None)
        kept = copy.copy(field)
        annotation = field.annotation
        if inner is not None:
            annotation = writable(inner, name=inner.__name__.removesuffix("Body")) | None  # type: ignore[assignment]
        fields[member] = (annotation, kept)
    made: type[BaseModel] = create_model(
        name,
        __config__=ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True),
        __doc__=model.__doc__,
        **fields,
    )
    return made


def json_schema(kinds: Sequence[tuple[str, str, type[BaseModel]]]) -> dict[str, Any]:
    """The schema of a document, for editors (JSON Schema 2020-12).

    Args:
        kinds: name, description and model of each.
    """
    definitions: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    for name, about, model in kinds:
        said = model.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
        definitions |= {f"{name}.{inner}": each for inner, each in said.pop("$defs", {}).items()}
        properties[name] = {
            "description": about,
            "type": "object",
            "additionalProperties": {"$ref": f"#/$defs/{name}"},
        }
        definitions[name] = said
    _mark_secrets(definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of Latchpin",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "$defs": definitions,
    }


def _mark_secrets(schema: Any) -> None:  # noqa: ANN401  any part of a schema
    """A secret is a reference there, whatever the secret itself must be like."""
    if isinstance(schema, dict):
        if schema.get("format") == "password":
            schema.clear()
            schema.update(REFERENCE)
        for inner in schema.values():
            _mark_secrets(inner)
    elif isinstance(schema, list):
        for inner in schema:
            _mark_secrets(inner)
