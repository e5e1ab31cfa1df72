"""How the suites say which rule of a contract was broken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any, TypeVar

import pytest

__all__ = ["found", "gives", "holds", "outcomes", "refused", "same"]

ErrorT = TypeVar("ErrorT", bound=BaseException)
ValueT = TypeVar("ValueT")


def holds(condition: object, rule: str, seen: str = "") -> None:
    """Fail with ``rule`` unless ``condition`` is true; ``seen`` says what was found instead."""
    __tracebackhide__ = True
    if not condition:
        pytest.fail(f"contract broken: {rule}{'; seen: ' if seen else ''}{seen}")


def same(actual: object, expected: object, rule: str) -> None:
    """Fail with ``rule`` unless the values are equal; for dataclasses name the fields that differ."""
    __tracebackhide__ = True
    if actual != expected:
        pytest.fail(f"contract broken: {rule}; {_difference(actual, expected)}")


async def gives(call: Awaitable[object], expected: object, rule: str) -> None:
    """Await ``call``, which must return ``expected`` and raise nothing."""
    __tracebackhide__ = True
    try:
        result = await call
    except Exception as exc:
        raise AssertionError(f"contract broken: {rule}; expected {found(expected)}, it raised {found(exc)}") from exc
    same(result, expected, rule)


async def refused(call: Awaitable[Any], expected: type[ErrorT] | tuple[type[ErrorT], ...], rule: str) -> ErrorT:
    """Await ``call``, which must raise ``expected``; return the exception."""
    __tracebackhide__ = True
    kinds = expected if isinstance(expected, tuple) else (expected,)
    names = " or ".join(kind.__name__ for kind in kinds)
    try:
        result = await call
    except kinds as exc:
        return exc
    except Exception as exc:
        raise AssertionError(f"contract broken: {rule}; expected {names}, it raised {found(exc)}") from exc
    pytest.fail(f"contract broken: {rule}; expected {names}, it returned {found(result)}")


async def outcomes(calls: Iterable[Awaitable[ValueT]]) -> list[ValueT | BaseException]:
    """Run the calls at once; give each one's value or exception, in order."""
    return await asyncio.gather(*calls, return_exceptions=True)


def found(value: object) -> str:
    """Describe a value or exception in a line."""
    if isinstance(value, BaseException):
        return f"{type(value).__name__}({str(value)[:200]})"
    return repr(value)[:200]


def _difference(actual: object, expected: object) -> str:
    names = getattr(type(expected), "__dataclass_fields__", {})
    if type(actual) is not type(expected) or not names:
        return f"expected {found(expected)}, found {found(actual)}"
    pairs = [(name, getattr(actual, name), getattr(expected, name)) for name in names]
    return "; ".join(f"{name}: expected {found(want)}, found {found(got)}" for name, got, want in pairs if got != want)
