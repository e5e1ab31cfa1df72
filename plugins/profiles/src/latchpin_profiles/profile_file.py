"""Tables of profiles in TOML: the one that comes along and the deployer's, read with the place of what is wrong."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from latchpin import ServerProfile
from latchpin.errors import SettingsError
from latchpin.model import NO_PROFILE
from latchpin.sdk.oauth import LONGEST_LIFETIME, check_extra_parameters, is_scope
from latchpin.sdk.urls import check_host
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, ValidationError

__all__ = ["parse_profiles", "read_profiles"]


def _check_name(value: str) -> str:
    if value == NO_PROFILE:
        raise ValueError(f"must not be '{NO_PROFILE}', which stands for no entry")
    return value


def _check_parameters(value: dict[str, str]) -> dict[str, str]:
    check_extra_parameters(value)
    return value


def _check_scope(value: str) -> str:
    if not is_scope(value):
        raise ValueError("must be a scope (RFC 6749 section 3.3)")
    return value


def _check_server(value: str) -> str:
    check_host(value.partition("/")[0].removeprefix("*."))
    return value


Server = Annotated[str, Field(pattern=r"^(\*\.)?[a-z0-9.-]+(/\S*)?$", max_length=300), AfterValidator(_check_server)]
Scope = Annotated[str, AfterValidator(_check_scope)]


class _Entry(BaseModel):
    """One ``[[provider]]``. What is absent is as the standard has it, or as the entry named by ``like``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,49}$"), AfterValidator(_check_name)]
    servers: Annotated[list[Server], Field(min_length=1)]
    like: str | None = None
    label: str | None = None
    documentation: str = ""
    omit_resource: StrictBool = False
    assume_pkce: StrictBool = False
    scope_separator: Literal[" ", ",", ";", "|", "+"] = " "
    scope_parameter: Annotated[str, Field(pattern=r"^([a-z_]*_)?scope$")] = "scope"
    add_scopes: list[Scope] = []
    audience: str | None = None
    audience_is_resource: StrictBool = False
    extra_authorize_params: Annotated[dict[str, str], AfterValidator(_check_parameters)] = {}
    token_endpoint_auth_method: str | None = None
    json_token_requests: StrictBool = False
    token_lifetime: Literal["never"] | Annotated[int, Field(gt=0, le=315_360_000)] | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    provider: list[_Entry] = []


def parse_profiles(text: str, *, place: str, rank: int, known: Sequence[ServerProfile] = ()) -> list[ServerProfile]:
    """Read a table.

    Args:
        text: TOML.
        place: names the file in errors.
        rank: the entries'.
        known: what ``like`` may name, besides earlier entries of the table.

    Raises:
        SettingsError: names the entry, the key and what is allowed.
    """
    try:
        entries = _File.model_validate(tomllib.loads(text)).provider
    except tomllib.TOMLDecodeError as exc:
        raise _wrong(place, f"is not TOML: {exc}") from exc
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        raise _wrong(place, f"{_where(first['loc'], text)}: {first['msg'].removeprefix('Value error, ')}") from exc
    table: list[ServerProfile] = []
    for entry in entries:
        if entry.name in {each.name for each in table}:
            raise _wrong(place, f"has two entries with the name '{entry.name}'")
        table.append(replace(_build(entry, [*table, *known], place), rank=rank))
    return table


def read_profiles(path: str, *, known: Sequence[ServerProfile]) -> list[ServerProfile]:
    """The deployer's entries, which come before all others.

    Args:
        path: SERVER_PROFILES_FILE.
        known: what ``like`` may name.

    Raises:
        SettingsError: the file cannot be read, or says what an entry must not.
    """
    place = f"SERVER_PROFILES_FILE {path}"
    try:
        text = Path(path).read_text("utf-8")
    except OSError as exc:
        text = f"{place} cannot be read: {exc.strerror}"
        remedy = "Name a TOML file that the user who runs the gateway can read, or leave SERVER_PROFILES_FILE empty."
        raise SettingsError(text, public=text, remedy=remedy) from exc
    except UnicodeError as exc:
        raise _wrong(place, "is not UTF-8") from exc
    return parse_profiles(text, place=place, rank=0, known=known)


def _build(entry: _Entry, known: Sequence[ServerProfile], place: str) -> ServerProfile:
    base = ServerProfile(entry.name, entry.label or entry.name, ())
    if entry.like is not None:
        found = next((each for each in known if each.name == entry.like), None)
        if found is None:
            names = ", ".join(sorted(each.name for each in known))
            raise _wrong(place, f"entry '{entry.name}', like: there is no '{entry.like}'; there are: {names}")
        base = replace(found, name=entry.name, label=entry.label or f"{found.label} ({entry.name})")
    given: dict[str, Any] = {}
    for key in entry.model_fields_set - {"name", "like", "label"}:
        value = getattr(entry, key)
        given[key] = tuple(value) if isinstance(value, list) else value
    if isinstance(entry.token_lifetime, str):
        given["token_lifetime"] = LONGEST_LIFETIME
    elif entry.token_lifetime is not None:
        given["token_lifetime"] = timedelta(seconds=entry.token_lifetime)
    return replace(base, **given)


def _where(location: tuple[int | str, ...], text: str) -> str:
    """The entry by its number and name, and the key."""
    if len(location) < 2 or not isinstance(location[1], int):  # noqa: PLR2004  ("provider", number, key)
        return ".".join(map(str, location)) or "the file"
    held = tomllib.loads(text)["provider"][location[1]]
    name = f" ('{held['name']}')" if isinstance(held, dict) and isinstance(held.get("name"), str) else ""
    keys = [str(part) for part in location[2:3]]
    return ", ".join([f"entry {location[1] + 1}{name}", *keys])


def _wrong(place: str, what: str) -> SettingsError:
    text = f"{place}: {what}" if not what.startswith(("is ", "has ", "cannot ")) else f"{place} {what}"
    return SettingsError(text, public=text, remedy="docs/server-profiles.md lists what an entry may say.")
