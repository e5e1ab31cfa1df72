"""``.env.example``, written from the settings models, and the first ``.env``, made from it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

__all__ = ["create_env_file", "write_example"]

SECRET_VARIABLE = "AUTH_ENCRYPTION_SECRET"  # noqa: S105  the variable's name
_HEAD = """\
# Settings of Latchpin and its plugins. Each line shows a variable's default; an empty value means the default.
# Copy this file to .env and change what you need. Variables of the environment come before those of .env.
"""
_PLAIN = re.compile(r"[\w./:@,+-]*", re.ASCII)


def write_example(models: Mapping[str, type[BaseSettings]]) -> str:
    """The text of ``.env.example``.

    Args:
        models: who reads the variables (a distribution) to its settings model, in order. A variable that an
            earlier one has is not repeated.
    """
    text = [_HEAD]
    seen: set[str] = set()
    for heading, model in models.items():
        lines: list[str] = []
        for name, field in model.model_fields.items():
            if (variable := _variable(field, name)) not in seen:
                seen.add(variable)
                lines += [f"# {_explain(field, variable)}", f"{variable}={_shown(_default(field))}"]
        if lines:
            text += [f"\n# -- {heading} --\n\n", "\n".join(lines), "\n"]
    return "".join(text)


def create_env_file(example: str, path: Path, *, secret: str) -> bool:
    """Write ``example`` with ``secret`` as AUTH_ENCRYPTION_SECRET to ``path``, readable by its owner only.

    An existing file is never touched. Returns whether the file was made.
    """
    text, count = re.subn(rf"(?m)^{SECRET_VARIABLE}=.*$", lambda _: f"{SECRET_VARIABLE}={secret}", example)
    if not count:
        raise ValueError(f"the example has no line {SECRET_VARIABLE}=")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return True


def _variable(field: FieldInfo, name: str) -> str:
    """The first of a field's names: what the docs call it."""
    alias = field.validation_alias
    first = alias.choices[0] if isinstance(alias, AliasChoices) else alias or name
    return str(first).upper()


def _explain(field: FieldInfo, variable: str) -> str:
    """The field's description, and the choices where they are few and fixed."""
    text = field.description or variable
    if get_origin(field.annotation) is Literal:
        text += f" One of: {', '.join(map(str, get_args(field.annotation)))}."
    return text


def _default(field: FieldInfo) -> Any:  # noqa: ANN401  whatever a setting's default is
    return None if field.is_required() else field.get_default(call_default_factory=True)


def _shown(default: Any) -> str:  # noqa: ANN401  whatever a setting's default is
    """A default as ``.env`` holds it: dotenv and a shell both read it back."""
    if default is None:
        return ""
    if hasattr(default, "get_secret_value"):
        default = default.get_secret_value()
    if isinstance(default, bool):
        text = str(default).lower()
    elif isinstance(default, tuple | list | set | frozenset | dict):
        text = json.dumps(default if isinstance(default, dict) else list(default)) if default else ""
    else:
        text = str(default)
    return text if _PLAIN.fullmatch(text) else f"'{text}'"
