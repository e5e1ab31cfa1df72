"""Gateways as people name them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from latchpin.gateways.named import find_named

from tests.support.http_servers import gateway


def named(name: str, gateway_id: str):
    return replace(gateway("https://mcp.example"), id=gateway_id, name=name)


FILES, SHOUTED, NOTES, DIGITS = (
    named("Files", "1111" + "0" * 28),
    named("FILES", "2222" + "0" * 28),
    named("Notes", "3333" + "0" * 28),
    named("Beef", "4444" + "0" * 28),
)
BEEF = named("Other", "beef" + "0" * 28)


@pytest.mark.parametrize(
    ("which", "found"),
    [
        ("Files", [FILES]),
        ("FILES", [SHOUTED]),
        ("files", [FILES, SHOUTED]),
        ("notes", [NOTES]),
        ("NOTES", [NOTES]),
        ("3333", [NOTES]),
        ("333", []),
        ("3333" + "0" * 28, [NOTES]),
        ("Beef", [DIGITS]),
        ("beef", [DIGITS, BEEF]),  # a name and an id: none of them is taken for the other
        ("", []),
    ],
)
def test_names_are_told_apart_by_case_only_where_they_have_to_be(which: str, found: list[object]):
    assert find_named([FILES, SHOUTED, NOTES, DIGITS, BEEF], which) == found
