"""The built-in provider table: ``providers.toml``, which comes with the package."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from latchpin.hookspecs import hookimpl
from latchpin.model.provider import Provider
from latchpin.servers.provider_file import parse_providers


@hookimpl
def latchpin_providers() -> Sequence[Provider]:
    """Offer the built-in table."""
    return parse_providers(
        files("latchpin.servers").joinpath("providers.toml").read_text("utf-8"), place="providers.toml"
    )
