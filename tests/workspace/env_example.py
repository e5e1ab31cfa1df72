"""Write ``.env.example`` anew: ``python -m tests.workspace.env_example``."""

from pathlib import Path

from latchpin.plugins.host import Plugins
from latchpin.plugins.known_settings import settings_models
from latchpin_admin_cli.env_example import write_example
from pydantic_settings import BaseSettings

EXAMPLE = Path(__file__).parents[2] / ".env.example"


def our_models() -> dict[str, type[BaseSettings]]:
    """The settings models of this repository's distributions, whatever else is installed beside them."""
    return {name: model for name, model in settings_models(Plugins()).items() if name.startswith("latchpin")}


if __name__ == "__main__":
    EXAMPLE.write_text(write_example(our_models()))
