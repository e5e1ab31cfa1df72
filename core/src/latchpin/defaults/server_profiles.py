"""The built-in table of server profiles: ``profiles.toml``, which comes with the package."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from latchpin.model.server_profile import ServerProfile
from latchpin.plugins.hookspecs import hookimpl
from latchpin.servers.profile_file import parse_providers


@hookimpl
def latchpin_server_profiles() -> Sequence[ServerProfile]:
    """Offer the built-in table."""
    return parse_providers(
        files("latchpin.servers").joinpath("profiles.toml").read_text("utf-8"), place="profiles.toml"
    )
