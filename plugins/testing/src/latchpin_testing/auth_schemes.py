"""The suite for auth schemes: how a key that somebody entered is shown to a server."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from latchpin.contracts import AuthScheme
from latchpin.errors import InvalidRequest
from latchpin.model import ApiKeyConfig

from latchpin_testing.rules import found, holds, same

__all__ = ["AuthSchemeContract"]

NOT_A_KEYS = frozenset(
    {"accept", "connection", "content-length", "content-type", "cookie", "host", "last-event-id", "origin"}
    | {"mcp-method", "mcp-name", "mcp-protocol-version", "mcp-session-id", "transfer-encoding", "upgrade"}
)
URL = "https://mcp.example.com/mcp"


@pytest.mark.asyncio
class AuthSchemeContract:
    """What ``latchpin.contracts.AuthScheme`` promises. A subclass gives ``scheme``, and a ``key`` that it takes."""

    @pytest.fixture
    def scheme(self) -> AuthScheme:
        """One of those that your hook returns. Override this."""
        raise NotImplementedError("override the fixture 'scheme': return one of those that your hook returns")

    @pytest.fixture
    def key(self) -> str:
        """What a person may enter. Override this where a key has a form of its own."""
        return "a-key-of:somebody+0123456789"

    async def shown(self, scheme: AuthScheme, key: str, place: ApiKeyConfig | None) -> Sequence[tuple[str, str]]:
        """Ask as the gateway does."""
        return await scheme.fields(key, place, method="POST", url=URL)

    async def test_it_has_a_name_a_label_and_a_page(self, scheme: AuthScheme) -> None:
        """Its name is an ``auth_type`` and none of the core's; its page is this gateway's."""
        named = re.fullmatch("[a-z0-9_-]{1,32}", scheme.name) and scheme.name not in {"oauth", "none"}
        holds(named, "a name has at most 32 lower-case letters, digits, _ and -", found(scheme.name))
        holds(scheme.label.strip(), "it has a label for people", found(scheme.label))
        page = scheme.page
        ours = page.startswith("/") and not page.startswith("//") and "?" not in page and "{gateway_id}" in page
        holds(ours, "a page is a path without a query, with {gateway_id} in it", found(page))

    async def test_an_entry_that_says_nothing_of_a_place_stays(self, scheme: AuthScheme) -> None:
        """What drops keys is a change of the place, so nothing else may seem one."""
        place = scheme.change_place(None, None)
        holds(place is None or isinstance(place, ApiKeyConfig), "change_place gives an ApiKeyConfig", found(place))
        same(scheme.change_place(None, {}), place, "to say nothing is to leave the place out")
        same(scheme.change_place(place, None), place, "a place stays where the change says nothing")
        same(scheme.change_place(place, {"header": None, "prefix": None}), place, "None goes back to the default")

    async def test_it_repeats_nothing_of_an_entry_that_does_not_hold(self, scheme: AuthScheme) -> None:
        """Somebody may have entered the key there."""
        for member in ("header", "prefix"):
            try:
                scheme.change_place(None, {member: "sk-0123456789\r\n"})
            except InvalidRequest as exc:
                holds("sk-0123456789" not in exc.detail, "an error repeats no value of the entry", found(exc))
            except Exception as exc:
                raise AssertionError(f"contract broken: it raises InvalidRequest; seen: {found(exc)}") from exc
            else:
                pytest.fail(f"contract broken: a {member} with a line end is refused")

    async def test_what_cannot_be_sent_is_no_key(self, scheme: AuthScheme, key: str) -> None:
        """Nothing, and line ends; the reason repeats nothing."""
        same(scheme.explain_key(key), None, "the key of the suite is one")
        for wrong in ("", f"{key}\r\nX-Evil: 1", f"{key}\n", f"{key}\0"):
            why = scheme.explain_key(wrong)
            holds(why, "what is empty, or holds a control character, is no key")
            holds(key not in (why or ""), "the reason repeats nothing of the key")

    async def test_it_shows_the_key_in_fields_of_its_own(self, scheme: AuthScheme, key: str) -> None:
        """In those that it names, and never in one of HTTP's or MCP's."""
        place = scheme.change_place(None, None)
        names, fields = scheme.headers(place), await self.shown(scheme, key, place)
        holds(names and all(name == name.lower() for name in names), "headers gives names in lower case", found(names))
        holds(not NOT_A_KEYS & set(names), "it takes no field of HTTP or MCP", found(names))
        holds(fields, "at least one field shows the key")
        holds({name.lower() for name, _ in fields} <= set(names), "each field that it writes is one that it names")
        one_line = all(text.isascii() and text.isprintable() for pair in fields for text in pair)
        holds(one_line, "a field is one line of ASCII")

    async def test_different_keys_are_shown_differently(self, scheme: AuthScheme, key: str) -> None:
        """The server can tell them apart."""
        place, other = scheme.change_place(None, None), key[:-1] + ("1" if key[-1] == "0" else "0")
        one, two = await self.shown(scheme, key, place), await self.shown(scheme, other, place)
        holds(dict(one) != dict(two), "different keys are shown differently")

    async def test_it_shows_no_key_when_it_is_printed(self, scheme: AuthScheme, key: str) -> None:
        """Nor remembers one."""
        await self.shown(scheme, key, scheme.change_place(None, None))
        holds(key not in repr(scheme), "a printed scheme shows no key")
