"""What Latchpin finds: the deployer's profiles, then those of the table that comes with the package."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import latchpin

__all__ = ["latchpin_server_profiles", "latchpin_settings"]


@latchpin.hookimpl
def latchpin_settings() -> Sequence[type[latchpin.Settings]]:
    """Name the model."""
    from latchpin_profiles.settings import ProfilesSettings  # noqa: PLC0415  loaded when asked for

    return [ProfilesSettings]


@latchpin.hookimpl
def latchpin_server_profiles() -> Sequence[latchpin.ServerProfile]:
    """Offer both; an entry of the deployer's replaces that of its name in the table."""
    from latchpin.sdk.settings import load  # noqa: PLC0415  loaded when asked for

    from latchpin_profiles.profile_file import read_profiles  # noqa: PLC0415  loaded when asked for
    from latchpin_profiles.settings import ProfilesSettings  # noqa: PLC0415  loaded when asked for

    table, path = _table(), load(ProfilesSettings).server_profiles_file
    own = read_profiles(path, known=table) if path is not None else []
    names = {each.name for each in own}
    return [*own, *(each for each in table if each.name not in names)]


@cache
def _table() -> Sequence[latchpin.ServerProfile]:
    from latchpin_profiles.profile_file import parse_profiles  # noqa: PLC0415  loaded when asked for

    text = files("latchpin_profiles").joinpath("profiles.toml").read_text("utf-8")
    return parse_profiles(text, place="profiles.toml", rank=200)
