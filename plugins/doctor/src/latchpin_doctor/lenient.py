"""Settings read in spite of what is wrong with them, so that everything else can still be checked."""

from __future__ import annotations

from typing import Any, Self, TypeVar

from latchpin.sdk.settings import CoreSettings
from pydantic import ValidationError, model_validator
from pydantic_settings import BaseSettings

__all__ = ["read", "read_core"]

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


class _EachByItself(CoreSettings):
    """The core's settings without the rules between them."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        return self


def read_core() -> CoreSettings:
    """The core's settings; where a value does not hold, its default."""
    return _read(CoreSettings) or _read(_EachByItself) or CoreSettings.model_construct()


def read(model: type[SettingsT]) -> SettingsT:
    """Any model; where a value does not hold, its default."""
    return _read(model) or model.model_construct()  # type: ignore[return-value]  # pydantic's plugin forgets the type


def _read(model: type[SettingsT]) -> SettingsT | None:
    """None if it is not single values that are wrong."""
    instead: dict[str, Any] = {}
    while True:
        try:
            return model(**instead)
        except ValidationError as exc:
            wrong = {str(error["loc"][0]).lower() for error in exc.errors() if error["loc"]}
            wrong = {name for name in wrong if name in model.model_fields and name not in instead}
            if not wrong:
                return None
            instead |= {name: model.model_fields[name].get_default(call_default_factory=True) for name in wrong}
        except (ValueError, OSError):
            return None
