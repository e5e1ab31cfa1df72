"""Writes the generated parts of the documentation, and ``.env.example``, anew: ``python -m tests.docs.write``.

A page holds such a part between two comments; what stands between them is replaced::

    <!-- generated: settings OAUTH_* -->
    ...
    <!-- end -->
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from latchpin.plugins.host import Plugins
from latchpin.plugins.known_settings import settings_models
from latchpin_admin_cli.env_example import write_example
from pydantic_settings import BaseSettings

from tests.docs import interfaces, reference
from tests.docs.checks import ROOT, pages

__all__ = ["EXAMPLE", "filled", "our_models"]

PARTS: Mapping[str, Callable[..., Iterable[str]]] = {
    "assertion-causes": reference.assertion_causes,
    "causes": reference.causes_of_symptom,
    "commands": interfaces.commands,
    "distributions": reference.distributions,
    "documents": interfaces.documents,
    "earlier-names": reference.earlier_names,
    "endpoints": interfaces.endpoints,
    "errors": reference.errors,
    "facts": interfaces.facts,
    "hooks": interfaces.hooks,
    "leaving": interfaces.leaving,
    "modules": interfaces.modules,
    "outcomes": reference.outcomes,
    "pages": interfaces.pages,
    "problem": reference.problem,
    "profiles": reference.profiles,
    "settings": reference.settings,
    "sign-in-causes": reference.sign_in_causes,
    "steps": interfaces.steps,
    "suites": interfaces.suites,
    "symptoms": reference.symptoms,
}
"""What a page may ask for: the lines of each part, for the words behind its name."""

_PART = re.compile(r"(?ms)^<!-- generated: ([^\n]+) -->\n.*?^<!-- end -->$")


def filled(text: str) -> str:
    """The text of a page with every generated part as it is now.

    Raises:
        KeyError: a page asks for a part that there is not.
    """
    return _PART.sub(_written, text)


def _written(match: re.Match[str]) -> str:
    name, *words = match[1].split()
    lines = "\n".join(PARTS[name](*words)).strip("\n")
    return f"<!-- generated: {match[1]} -->\n\n{lines}\n\n<!-- end -->"


EXAMPLE = ROOT / ".env.example"


def our_models() -> dict[str, type[BaseSettings]]:
    """The settings models of this repository's distributions, whatever else is installed beside them."""
    return {name: model for name, model in settings_models(Plugins()).items() if name.startswith("latchpin")}


if __name__ == "__main__":
    EXAMPLE.write_text(write_example(our_models()), encoding="utf-8")
    for page in pages():
        page.path.write_text(filled(page.text), encoding="utf-8")
