"""Secrets by reference: ``NAME_FILE`` names the file that holds what ``NAME`` would."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from latchpin.errors import SettingsError

__all__ = ["SecretFiles", "field_variables", "file_variables", "is_secret"]

_SUFFIX = "_FILE"
_LONGEST = 65_536
"""No secret is longer, in bytes: a larger file is another one than was meant."""
_URLS_WITH_PASSWORDS = frozenset({"database_url", "redis_url"})


def is_secret(name: str, field: FieldInfo) -> bool:
    """Whether a field holds what must not be shown: a secret, a list of them, or a URL with a password."""
    return "Secret" in repr(field.annotation) or name.lower() in _URLS_WITH_PASSWORDS


def field_variables(name: str, field: FieldInfo) -> list[str]:
    """The variables that a field is read from, its present name first."""
    alias = field.validation_alias
    choices = getattr(alias, "choices", None) or ([alias] if alias else [name])
    return [str(choice).upper() for choice in choices]


def file_variables(name: str, field: FieldInfo) -> list[str]:
    """The variables that name a file for it; none where it holds no secret."""
    return [each + _SUFFIX for each in field_variables(name, field)] if is_secret(name, field) else []


class SecretFiles(PydanticBaseSettingsSource):
    """What stands in the files that ``NAME_FILE`` names.

    Args:
        model: the settings.
        places: what the environment holds, then what ``.env`` does: names in lower case. The first that has a secret,
            or the name of its file, counts.
    """

    def __init__(self, model: type[BaseSettings], places: tuple[Mapping[str, str | None], ...]) -> None:
        super().__init__(model)
        self._places = places

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The secret, under the variable that it is for; None where no file is named.

        Raises:
            SettingsError: a place has both the secret and a file for it, or the file cannot be read as one.
        """
        if is_secret(field_name, field):
            for place in self._places:
                given = [each for each in field_variables(field_name, field) if place.get(each.lower())]
                files = [each for each in file_variables(field_name, field) if place.get(each.lower())]
                if len(files) > 1 or (files and given):
                    names = " and ".join([*given, *files])
                    raise _refused(f"{names} are set; one secret comes from one place", "Keep one of them.")
                if files:
                    text = _read(files[0], Path(place[files[0].lower()] or ""))
                    return text, files[0].removesuffix(_SUFFIX).lower(), False
                if given:
                    break
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Every secret that a file holds."""
        found = (self.get_field_value(field, name) for name, field in self.settings_cls.model_fields.items())
        return {name: value for value, name, _ in found if value is not None}


def _read(variable: str, file: Path) -> str:
    """What a file holds, without the line break at its end. Nothing of it is repeated in an error."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(_LONGEST + 1)
        text = raw.decode("utf-8-sig")
    except OSError as exc:
        where = f"{variable} names {str(file)!r}, which cannot be read: {exc.strerror}"
        raise _refused(where, "Put the file there, and let the user who runs this read it.") from None
    except UnicodeDecodeError:
        where = f"{variable} names a file that is not text in UTF-8: {str(file)!r}"
        raise _refused(where, "Save it as text.") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text.strip():
        raise _refused(f"{variable} names an empty file: {str(file)!r}", "Write the secret into it.")
    if len(raw) > _LONGEST or "\0" in text:
        raise _refused(f"{variable} names a file that holds no secret: {str(file)!r}", "Name the file with the secret.")
    return text


def _refused(text: str, remedy: str) -> SettingsError:
    return SettingsError(text, public=text, remedy=remedy)
