"""The parts of the documentation that are written from the code; see ``tests.docs.write``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from tests.docs.generated import api, causes, commands, distributions, hooks, outcomes, profiles, settings

__all__ = ["PARTS"]

PARTS: Mapping[str, Callable[..., Iterable[str]]] = {
    "assertion-causes": causes.assertion_causes,
    "causes": causes.causes_of_symptom,
    "commands": commands.commands,
    "distributions": distributions.distributions,
    "documents": api.documents,
    "earlier-names": settings.earlier_names,
    "endpoints": api.endpoints,
    "errors": causes.errors,
    "facts": hooks.facts,
    "hooks": hooks.hooks,
    "modules": hooks.modules,
    "outcomes": outcomes.outcomes,
    "pages": api.pages,
    "problem": causes.problem,
    "profiles": profiles.profiles,
    "settings": settings.settings,
    "sign-in-causes": causes.sign_in_causes,
    "steps": hooks.steps,
    "suites": hooks.suites,
    "symptoms": causes.symptoms,
}
"""What a page may ask for: the lines of each part, for the words behind its name."""
