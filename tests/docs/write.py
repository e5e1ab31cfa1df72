"""Writes the generated parts of the documentation anew: ``python -m tests.docs.write``.

A page holds such a part between two comments; what stands between them is replaced::

    <!-- generated: settings OAUTH_* -->
    ...
    <!-- end -->
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from tests.docs import interfaces, reference
from tests.docs.checks import pages

__all__ = ["filled"]

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


if __name__ == "__main__":
    for page in pages():
        page.path.write_text(filled(page.text), encoding="utf-8")
