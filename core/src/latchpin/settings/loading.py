"""Settings: one source (environment over ``.env``), read once, each model validated before any I/O."""

from __future__ import annotations

import difflib
import functools
import io
import json
import os
import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import AliasChoices, SecretStr, ValidationError, model_validator
from pydantic.config import JsonDict
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from latchpin.errors import SettingsError
from latchpin.settings.secret_files import SecretFiles, field_variables, file_variables, is_secret

__all__ = ["Settings", "is_wished", "load", "mask", "masked", "near_misses", "old_names", "renamed", "variables"]

ENV_FILE = ".env"
ENV_ENCODING = "utf-8-sig"
"""UTF-8; the mark that some editors put first is no part of the first name."""


class Settings(BaseSettings):
    """The parent of every settings model, the core's and the plugins'.

    A field's upper-cased name is its variable. Unknown keys in ``.env`` are ignored (``near_misses`` warns
    about typing errors). An empty value means the field's default, unless the field says that empty has a
    meaning of its own (``json_schema_extra={"empty": True}``). A secret may stand in a file that ``NAME_FILE`` names.
    """

    model_config = SettingsConfigDict(
        env_file=ENV_FILE, env_file_encoding=ENV_ENCODING, extra="ignore", frozen=True, populate_by_name=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment before ``.env``, and of each what its files hold.

        Most models are set nowhere: a place that has none of a model's variables is not asked for each field.
        """
        ours = _names(settings_cls)
        both = [each for each in (env_settings, dotenv_settings) if isinstance(each, EnvSettingsSource)]
        asked = [each for each in both if not ours.isdisjoint(each.env_vars)]
        files = [SecretFiles(settings_cls, tuple(each.env_vars for each in asked))] if asked else []
        return init_settings, *files, *asked, file_secret_settings

    @model_validator(mode="before")
    @classmethod
    def _empty_means_default(cls, values: dict[str, Any]) -> dict[str, Any]:
        meaningful = {
            name
            for name, field in cls.model_fields.items()
            if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("empty")
        }
        return {key: value for key, value in values.items() if value != "" or key.lower() in meaningful}


SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def load(model: type[SettingsT]) -> SettingsT:
    """Read ``model`` from the environment and ``.env``.

    Raises:
        SettingsError: names each variable, what it holds (secrets masked), and what is allowed; or the line of
            ``.env`` that cannot be read.
    """
    try:
        _check_env_file(Path(ENV_FILE))
        return _as_it_is(model) if _is_set_nowhere(model) else model()
    except ValidationError as exc:
        lines = [_explain(model, error) for error in exc.errors(include_url=False)]
        raise SettingsError("; ".join(lines), public="\n".join(lines)) from None
    except UnicodeDecodeError as exc:
        text = f"{Path(ENV_FILE).absolute()} is not UTF-8: byte {exc.start} cannot be read"
        raise _unreadable(text, "Save that file as UTF-8.") from None
    except ValueError as exc:  # pydantic-settings: JSON expected
        raise SettingsError(str(exc), public=str(exc)) from None


def _is_set_nowhere(model: type[BaseSettings]) -> bool:
    """Whether only the environment can say anything of ``model``, and it says nothing."""
    sources = model.settings_customise_sources.__func__  # type: ignore[attr-defined]
    if sources is not Settings.settings_customise_sources.__func__:  # type: ignore[attr-defined]
        return False
    if any(model.model_config.get(place) != Settings.model_config.get(place) for place in ("env_file", "secrets_dir")):
        return False
    return not Path(ENV_FILE).exists() and _names(model).isdisjoint(name.lower() for name in os.environ)


@functools.cache
def _as_it_is(model: type[SettingsT]) -> SettingsT:
    """What a model holds that is set nowhere. A start asks for some seventy, and few are set: each is made once."""
    return model()


@functools.cache
def _names(model: type[BaseSettings]) -> frozenset[str]:
    """Of the variables that ``model`` reads, in small letters, as pydantic-settings compares them."""
    return frozenset(name.lower() for name in (*model.model_fields, *variables(model)))


def problems_of(model: type[BaseSettings]) -> list[str]:
    """One sentence for each value that does not hold; secrets are masked. Empty if all hold."""
    try:
        load(model)
    except SettingsError as exc:
        return exc.public.splitlines()
    return []


def _check_env_file(file: Path) -> None:
    """Refuse what would be passed over: a setting that somebody wrote down is never taken for one that is not there."""
    where = file.absolute()
    if not file.is_file():
        if file.exists() or file.is_symlink():
            raise _unreadable(f"{where} is no file", "Put a file there, or take away what is there.")
        return
    try:
        text = file.read_text(ENV_ENCODING)
    except OSError as exc:
        raise _unreadable(f"{where} cannot be read: {exc.strerror}", "Let the user who runs this read it.") from None
    for line in parse_stream(io.StringIO(text)):
        if line.error:
            written = line.original.string
            number = line.original.line + written[: len(written) - len(written.lstrip())].count("\n")
            remedy = "Write NAME=value, close each quote, and put # before a comment."
            raise _unreadable(f"line {number} of {where} cannot be read", remedy)


def _unreadable(text: str, remedy: str) -> SettingsError:
    return SettingsError(text, public=text, remedy=remedy)


def variables(model: type[BaseSettings]) -> list[str]:
    """The names of the variables that ``model`` reads, in field order, aliases and files of secrets included."""
    return [
        variable
        for name, field in model.model_fields.items()
        for variable in (*field_variables(name, field), *file_variables(name, field))
    ]


class Renamed(TypedDict):
    """What a field says that once had another name."""

    validation_alias: AliasChoices
    json_schema_extra: JsonDict


def renamed(name: str, *, before: str) -> Renamed:
    """Let the field ``name`` be read by its earlier name too; ``old_names`` finds where it still is."""
    return {"validation_alias": AliasChoices(name, before), "json_schema_extra": {"renamed_from": before.upper()}}


def old_names(model: type[BaseSettings]) -> dict[str, str]:
    """Earlier names that the environment or ``.env`` still sets, each with the name of today."""
    used = {name.upper() for name in os.environ} | set(_keys_of(Path(ENV_FILE)))
    names: dict[str, str] = {}
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and (old := extra.get("renamed_from")) in used:
            names[str(old)] = name.upper()
    return names


def is_wished(name: str) -> bool:
    """Whether the environment, or else ``.env``, gives a variable a value that asks for something."""
    value = os.environ.get(name, _values_of(Path(ENV_FILE)).get(name))
    return (value or "").strip().lower() not in {"", "0", "false", "no", "off", "[]"}


def near_misses(known: Iterable[str], env_file: str = ENV_FILE) -> dict[str, str]:
    """Keys in ``.env`` that nobody reads and that look like a misspelt known one, with that one."""
    names = sorted(set(known))
    found: dict[str, str] = {}
    for key in _keys_of(Path(env_file)):
        if key not in names and (close := difflib.get_close_matches(key, names, n=1, cutoff=0.85)):
            found[key] = close[0]
    return found


def _keys_of(env_file: Path) -> list[str]:
    return list(_values_of(env_file))


def _values_of(env_file: Path) -> dict[str, str | None]:
    if not env_file.is_file():
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {key.upper(): value for key, value in dotenv_values(env_file, encoding=ENV_ENCODING).items()}


def masked(settings: BaseSettings) -> Mapping[str, str]:
    """What a model holds, by variable, as ``.env`` writes it: secrets and passwords in URLs replaced by stars."""
    return {name.upper(): mask(getattr(settings, name)) for name in type(settings).model_fields}


def mask(value: Any) -> str:  # noqa: ANN401  whatever a setting holds
    """One value as ``.env`` writes it, never a secret: ``true``, ``["mcp:read"]``, nothing for what is not set."""
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return "**********" if value.get_secret_value() else ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list | set | frozenset):
        return json.dumps([mask(each) for each in value], ensure_ascii=False) if value else ""
    return _mask_text(str(value))


def _mask_text(text: str) -> str:
    """A URL without what may be a password, also where a wrong character in it makes it look like something else.

    A password with ``/``, ``?`` or ``#`` ends the authority (RFC 3986 section 3.2) early; then nobody can tell what
    belongs to it, and all after the name is left out.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        return text
    authority = _AUTHORITY.match(rest)[0]  # type: ignore[index]  # it matches everything
    beyond = rest[len(authority) :]
    login, at, host = authority.rpartition("@")
    name, colon, _ = (login or authority).partition(":")
    clear = (_HOSTS if at else _HOST).fullmatch(host) and (
        "@" not in beyond or not (at or ":" in authority + beyond.rpartition("@")[0])
    )
    known = f"{name}:***" if colon else "***"
    if not clear:
        return f"{scheme}://{known}"
    return f"{scheme}://{known + '@' if at else ''}{host}{_mask_query(beyond)}"


_AUTHORITY = re.compile(r"[^/?#]*")
_HOST = re.compile(r"(?:\[[^\]]*\]|[^:@,\[\]]*)(?::\d*)?")
_HOSTS = re.compile(rf"{_HOST.pattern}(?:,{_HOST.pattern})*")
"""A primary and its standbys, or a cluster."""


def _mask_query(text: str) -> str:
    place, asks, query = text.partition("?")
    return place + asks + "&".join(_mask_option(option) for option in query.split("&"))


def _mask_option(option: str) -> str:
    name, equals, _ = option.partition("=")
    if not equals:
        return "***" if option else ""  # what follows an & in a password
    return f"{name}=***" if _PASSWORD.search(name) else option


_PASSWORD = re.compile(r"pass|pwd|secret|token|key|cred|sig", re.IGNORECASE)
"""A password may be in a URL's query too, as drivers of databases and Redis read it."""


def _explain(model: type[BaseSettings], error: ErrorDetails) -> str:
    location = [str(part) for part in error["loc"]]
    if not location:
        return error["msg"].removeprefix("Value error, ")
    name = location[0].upper()
    if error["type"] == "missing":  # what pydantic calls the input is then all that stands around it, secrets as well
        return f"{'.'.join([name, *location[1:]])} is not set, and it has no default"
    field = model.model_fields.get(location[0].lower())
    secret = field is not None and is_secret(name, field)
    secret = secret or any(_PASSWORD.search(part) for part in location[1:])
    held = "**********" if secret else repr(mask(error.get("input")))[:100]
    return f"{name} holds {held}: {error['msg'].removeprefix('Value error, ')}"
