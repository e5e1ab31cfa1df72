"""What a contract's signature names is exported by the modules that a plugin author is told of."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Iterator
from typing import Any

import latchpin
import pytest
from latchpin import contracts, errors, model
from latchpin.model import facts
from pydantic import BaseModel

VOCABULARY = (latchpin, contracts, errors, model)
NAMES = {name: getattr(module, name) for module in (contracts, model, errors) for name in module.__all__}
NAMES |= {**vars(facts), "BaseModel": BaseModel}
"""What a contract names without importing it where nobody looks."""


def exported() -> list[Any]:
    return [getattr(module, name) for module in VOCABULARY for name in module.__all__]


def classes_in(annotation: Any) -> Iterator[type]:
    """Every class of Latchpin that an annotation names, however deep."""
    named = isinstance(annotation, type | typing.NewType) and not isinstance(annotation, types.GenericAlias)
    if named and annotation.__module__.startswith("latchpin"):
        yield annotation
    for part in typing.get_args(annotation):
        yield from classes_in(part) if not isinstance(part, list) else (c for each in part for c in classes_in(each))
    origin = typing.get_origin(annotation)
    if isinstance(origin, type):
        yield from classes_in(origin)


def signatures(kind: type) -> Iterator[tuple[str, Any]]:
    if dataclasses.is_dataclass(kind):
        yield from ((name, hint) for name, hint in typing.get_type_hints(kind, localns=NAMES).items())
    for name, member in vars(kind).items():
        function = member.fget if isinstance(member, property) else member
        if inspect.isfunction(function) and not name.startswith("_"):
            hints = typing.get_type_hints(function, localns=NAMES)
            yield from ((f"{name}.{argument}", hint) for argument, hint in hints.items())


SUBJECTS = [
    each
    for module in (contracts, model)
    for each in (getattr(module, name) for name in module.__all__)
    if isinstance(each, type) and each.__module__.startswith("latchpin")
]


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda each: each.__name__)
def test_every_type_that_a_signature_names_is_exported(subject: type):
    known = exported()
    missing = {
        f"{subject.__name__}.{place} names {found.__module__}.{found.__name__}"
        for place, annotation in signatures(subject)
        for found in classes_in(annotation)
        if found not in known
    }
    assert not missing


def test_the_rule_sees_deep_into_a_signature():
    named = {found for _, hint in signatures(contracts.Collection) for found in classes_in(hint)}
    assert {model.Document, model.Span} <= named
    assert model.Fact in {found for _, hint in signatures(contracts.Recorder) for found in classes_in(hint)}
    assert len(SUBJECTS) > 60


def test_what_judges_a_token_is_exported():
    from latchpin.sdk.stores import status_of

    assert "latchpin.sdk.stores.status_of" in contracts.TokenRecords.count.__doc__
    assert status_of(None, None) == "missing"
