"""The names by which clients know what servers offer: ``{slug}__{name}``, and ``{slug}+{uri}`` for resources. Pure."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable
from itertools import count, islice, takewhile
from operator import eq

__all__ = [
    "LONGEST_NAME",
    "expose_name",
    "expose_uri",
    "guess_own_name",
    "nearest",
    "own_uri",
    "slug_of_name",
    "slugs_for",
]

LONGEST_NAME = 64
"""Of a tool or prompt, with its slug: what the strictest clients take."""
LONGEST_SLUG = 20
SEPARATOR = "__"
_DIGEST = 8
_MOST_COMPARED = 200
"""With how many names one is compared: all callers wait for that."""
_OTHERS = re.compile(r"[^a-z0-9]+")
_SLUG = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")


def slugs_for(name: str) -> Iterable[str]:
    """Slugs that a gateway of this name may get, the best one first: ``weather``, ``weather-2``, and so on.

    A slug has lower-case letters, digits and single hyphens, and begins with a letter: it can begin a URI's scheme
    (RFC 3986 section 3.1), and no part of it looks like the separator.
    """
    stem = _OTHERS.sub("-", name.lower()).strip("-")
    stem = stem if _SLUG.match(stem) else f"server-{stem}".strip("-")
    first = stem[:LONGEST_SLUG].rstrip("-")
    yield first
    for number in count(2):
        end = f"-{number}"
        slug = stem[: LONGEST_SLUG - len(end)].rstrip("-") + end
        if slug != first:  # a name may end like that by itself
            yield slug


def expose_name(slug: str, name: str) -> str:
    """What clients call a tool or prompt; what would be too long ends in a part of its hash instead."""
    exposed = f"{slug}{SEPARATOR}{name}"
    if len(exposed) <= LONGEST_NAME:
        return exposed
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    return f"{exposed[: LONGEST_NAME - _DIGEST - 1]}_{digest}"


def slug_of_name(exposed: str) -> str | None:
    """Whose tool or prompt it is; None where the name is none of ours."""
    slug, separator, _ = exposed.partition(SEPARATOR)
    return slug if separator and _SLUG.fullmatch(slug) else None


def guess_own_name(exposed: str) -> str | None:
    """What the server calls a tool or prompt that no list says; None where the name may end in its hash."""
    return exposed.partition(SEPARATOR)[2] if len(exposed) < LONGEST_NAME else None


def expose_uri(slug: str, uri: str) -> str:
    """What clients call a resource, or a template of them."""
    return f"{slug}+{uri}"


def own_uri(exposed: str) -> tuple[str, str] | None:
    """Whose resource it is, and what its server calls it; None where the URI is none of ours."""
    slug, separator, uri = exposed.partition("+")
    return (slug, uri) if separator and _SLUG.fullmatch(slug) else None


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The names most like ``name``, three at most."""
    name = name[:200]
    likely = sorted(islice(known, 5_000), key=lambda each: _begin_alike(name, each), reverse=True)
    return difflib.get_close_matches(name, likely[:_MOST_COMPARED], n=3, cutoff=0.5)


def _begin_alike(one: str, other: str) -> int:
    """How many characters both begin with."""
    return sum(takewhile(bool, map(eq, one, other)))
