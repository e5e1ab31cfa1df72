"""Errors, symptoms and their causes, from the catalogue in ``latchpin.errors.causes``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import ModuleType

import latchpin_enterprise.causes
import latchpin_oidc_login.causes
from latchpin.errors.causes import CAUSES, CHAPTERS, Cause

from tests.docs.markdown import ROOT, read

__all__ = ["SYMPTOMS", "assertion_causes", "causes_of_symptom", "errors", "problem", "sign_in_causes", "symptoms"]

SYMPTOMS = ROOT / "docs" / "troubleshoot"
"""One page a symptom; ``Cause.see`` is the name of its file."""


def errors() -> Iterator[str]:
    """Every cause, by chapter, under a heading of its own."""
    for chapter, causes in CHAPTERS.items():
        yield from (f"## {chapter}", "")
        for cause in causes:
            status = "stops the start" if cause.stops else str(cause.status)
            yield from (f"### {cause.slug}", "")
            yield f"- **{status}**, fault of {cause.fault}: {cause.public}"
            yield f"- {cause.meaning}{_further(cause)}"
            if cause.happened != "{what}":
                yield f"- The log: `{cause.happened}`"
            yield from (f"- Remedy: {cause.remedy}", "")


def _further(cause: Cause) -> str:
    case = f" A case of [{cause.general}](#{cause.general})." if cause.general else ""
    return case + (f" See [{_title(cause.see)}](troubleshoot/{cause.see}.md)." if cause.see else "")


def causes_of_symptom(symptom: str) -> Iterator[str]:
    """What may be behind a symptom: each cause with its title, meaning and remedy."""
    for cause in _behind(symptom):
        status = "the gateway does not start" if cause.stops else f"HTTP {cause.status}"
        yield f"**{cause.title}** ([`{cause.slug}`](../errors.md#{cause.slug}), {status})  "
        yield cause.meaning + "  "
        yield from (f"*Do this:* {cause.remedy}", "")


def symptoms() -> Iterator[str]:
    """A row for each symptom: what the page says, the causes, and where to read on."""
    yield from ("| the page says | cause | read |", "|---|---|---|")
    for see in dict.fromkeys(cause.see for cause in CAUSES.values() if cause.see):
        behind = _behind(see)
        titles = list(dict.fromkeys(cause.title for cause in behind))
        shown = titles if len(titles) <= 3 else [*titles[:2], f"and {len(titles) - 2} more"]
        slugs = [f"`{cause.slug}`" for cause in behind]
        slugs = slugs if len(slugs) <= 3 else [*slugs[:2], "..."]
        yield f"| {'<br>'.join(shown)} | {', '.join(slugs)} | [{_title(see)}](troubleshoot/{see}.md) |"


def _behind(symptom: str) -> list[Cause]:
    return [cause for cause in CAUSES.values() if cause.see == symptom]


def _title(symptom: str) -> str:
    return read(SYMPTOMS / f"{symptom}.md").headings[0][1]


def problem() -> Iterator[str]:
    """A problem document."""
    used = CAUSES["state-used"]
    document = {
        "type": "http://localhost:4444/problems/state-used",
        "title": used.title,
        "status": used.status,
        "detail": f"{used.public}: {used.tell(used_at='2026-03-01T10:00:00+00:00')}",
        "cause": used.slug,
        "remedy": used.remedy,
        "documentation": "http://localhost:4444/problems#state-used",
        "flow_id": "5f0c2b7e9d1a4c38b6e2f1d0a9c87b54",
    }
    yield from ("```json", *json.dumps(document, indent=2).splitlines(), "```")


def sign_in_causes() -> Iterator[str]:
    """Why a sign-in at an OpenID Provider failed."""
    yield from _causes_of(latchpin_oidc_login.causes)


def assertion_causes() -> Iterator[str]:
    """Why a signed assertion got nobody a token."""
    yield from _causes_of(latchpin_enterprise.causes)


def _causes_of(module: ModuleType) -> Iterator[str]:
    yield from ("| cause | status | what happened | what to do |", "|---|---|---|---|")
    for name in module.__all__:
        cause: Cause = getattr(module, name)
        yield f"| `{cause.slug}` | {cause.status} | {cause.meaning} | {cause.remedy} |"
