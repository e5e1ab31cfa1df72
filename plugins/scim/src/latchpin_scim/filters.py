"""The filters that directories look users up by (RFC 7644 section 3.4.2.2): one attribute that equals a text. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal

from latchpin_scim.errors import ScimError
from latchpin_scim.user import USER

__all__ = ["Filter", "parse_filter"]

Attribute = Literal["userName", "externalId", "id"]
_ATTRIBUTES: dict[str, Attribute] = {"username": "userName", "externalid": "externalId", "id": "id"}
_FORM = re.compile(r'\s*([A-Za-z0-9:._-]{1,120})\s+[eE][qQ]\s+("(?:[^"\\]|\\.){0,1000}")\s*', re.ASCII)


@dataclass(frozen=True, slots=True)
class Filter:
    """Users whose ``attribute`` is ``value``."""

    attribute: Attribute
    value: str


def parse_filter(text: str) -> Filter:
    """Read a filter as a whole; what is not understood to its end is refused.

    Raises:
        ScimError: it is another than ``userName eq "..."``, ``externalId eq "..."`` or ``id eq "..."``.
    """
    found = _FORM.fullmatch(text)
    attribute = None
    if found is not None:
        attribute = _ATTRIBUTES.get(found[1].lower().removeprefix(f"{USER.lower()}:"))
    if found is None or attribute is None:
        raise ScimError(400, 'a filter is userName eq "...", externalId eq "..." or id eq "..."', "invalidFilter")
    try:
        return Filter(attribute, json.loads(found[2]))
    except ValueError:
        raise ScimError(400, "the filter's value is no text in JSON", "invalidFilter") from None
