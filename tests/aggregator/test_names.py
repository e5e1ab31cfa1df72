"""What clients call what servers offer: short enough for every client, stable, and nobody else's."""

from __future__ import annotations

import json
import re
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from latchpin_aggregator import kept as kept_lists
from latchpin_aggregator import naming
from latchpin_aggregator.argument_headers import build_argument_headers, find_positions
from latchpin_aggregator.events import Events
from latchpin_aggregator.kept import Entries, Kept, held_bytes, read_entries
from latchpin_aggregator.naming import (
    LONGEST_NAME,
    expose_name,
    expose_uri,
    nearest,
    own_uri,
    slug_of_name,
    slugs_for,
)
from latchpin_aggregator.slugs import Slugs
from latchpin_aggregator.wire import is_events, is_json
from latchpin_aggregator.words import Renamed
from latchpin_mcp.header_values import encode_value
from mcp.shared.inbound import mcp_param_headers

from tests.support.gateway_in_process import InnerGateway

SLUG = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")


@given(st.text(max_size=40))
def test_a_slug_can_stand_in_names_and_in_uris(name: str):
    slugs = list(islice(slugs_for(name), 12))
    assert len(set(slugs)) == 12
    for slug in slugs:
        assert SLUG.fullmatch(slug), slug
        assert len(slug) <= 20
        assert slug_of_name(expose_name(slug, "a__b")) == slug
        assert own_uri(expose_uri(slug, "a+b://c")) == (slug, "a+b://c")


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Weather", "weather"),
        ("GitHub (work)", "github-work"),
        ("2nd", "server-2nd"),
        ("天気", "server"),
        ("a_b__c", "a-b-c"),
        ("", "server"),
    ],
)
def test_a_slug_reads_like_the_name(name: str, slug: str):
    assert next(iter(slugs_for(name))) == slug


@given(st.text(min_size=1, max_size=100), st.text(min_size=1, max_size=100))
def test_no_name_is_longer_than_clients_take_and_no_two_are_one(one: str, other: str):
    exposed = expose_name("server-with-a-name", one)
    assert len(exposed) <= LONGEST_NAME
    assert exposed == expose_name("server-with-a-name", one)
    assert (exposed == expose_name("server-with-a-name", other)) == (one == other)


def test_what_is_near_is_found_among_many():
    known = [f"server__tool_{number}" for number in range(2_000)]
    assert "server__tool_1" in nearest("server__tol_1", known)
    assert nearest("x" * 100_000, known) == []


def test_a_name_is_compared_with_few_of_many(monkeypatch: pytest.MonkeyPatch):
    """All callers wait for that, and one name after the other may be asked for."""
    compared: list[int] = []

    def count(_name: str, known: list[str], **_options: object) -> list[str]:
        compared.append(len(known))
        return known[:1]

    monkeypatch.setattr(naming.difflib, "get_close_matches", count)
    known = [f"{letter}__tool_{number}" for letter in "abcde" for number in range(1_000)]
    assert nearest("e__tool_999x", known) == ["e__tool_999"]
    assert compared == [200]


async def test_a_slug_stays_until_its_gateway_is_gone(gateway: InnerGateway):
    application = gateway.application
    first = await gateway.add("http://127.0.0.1:1/mcp", name="Same", auth_type="none")
    second = await gateway.add("http://127.0.0.1:2/mcp", name="Same", auth_type="none")
    one, two = [await application.gateways.get_any(each) for each in (first, second)]
    slugs = Slugs(application)
    assert [await slugs.of(each) for each in (one, two)] == ["same", "same-2"]
    again = Slugs(application)  # another worker, in another order
    assert [await again.of(each) for each in (two, one)] == ["same-2", "same"]
    await application.services.records.gateways.delete(first)
    third = await application.gateways.get_any(
        await gateway.add("http://127.0.0.1:3/mcp", name="Same", auth_type="none")
    )
    assert await again.of(third) == "same"
    assert await again.of(two) == "same-2"


# -- what is kept -------------------------------------------------------------------------------------------------

PAGE = (
    '{"jsonrpc":"2.0","id":1,"result":{"tools":[ {"description":"\\u00e9 1.50","name":"a","x":1.50,'
    '"inputSchema":{"type":"object"}} , {"name":"b","name":"c"}, {"name":7}, 1, {"name":"a"}],'
    '"nextCursor":"n","ttlMs":5}}'
)


def test_an_entry_is_as_its_server_wrote_it_but_for_its_name():
    entries, cursor, holds = read_entries(PAGE, "tools", "s")
    assert (cursor, holds) == ("n", 5)
    assert [entry.exposed for entry in entries] == ["s__a", "s__a"]
    assert entries[0].text == ('{"description":"\\u00e9 1.50","name":"s__a","x":1.50,"inputSchema":{"type":"object"}}')
    assert json.loads(f"[{Entries.of(entries).text}]")[0]["name"] == "s__a"
    assert len(json.loads(f"[{Entries.of(entries).text}]")) == 1


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"result":{}}', '{"result":{"tools":{}}}', '{"result":[],"result":{"tools":[]}}']
)
def test_what_is_no_list_is_none(text: str):
    with pytest.raises(ValueError, match=r"."):
        read_entries(text, "tools", "s")


def test_what_many_people_are_offered_alike_is_in_memory_once(gateway: InnerGateway):
    entries, _, _ = read_entries(PAGE, "tools", "s")
    first, second = Entries.of(entries), Entries.of(entries)
    assert first is second
    kept = Kept({"tools": first}, gateway.clock())
    again = Kept.parse(json.loads(json.dumps(kept.dump())))
    assert again == kept
    assert again.get("tools") is first
    before = held_bytes()
    del first, second, kept, again
    assert held_bytes() < before
    assert kept_lists.KINDS.keys() == {"tools", "prompts", "resources", "resourceTemplates"}


# -- header fields and streams -----------------------------------------------------------------------------------

SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "inner": {"type": "object", "properties": {"count": {"type": "integer", "x-mcp-header": "Count"}}},
    },
}


@pytest.mark.parametrize(
    "arguments",
    [{}, {"region": "Zürich"}, {"region": True}, {"inner": {"count": 7}}, {"inner": 7, "region": None}, 7, None],
)
def test_arguments_are_repeated_as_the_sdk_repeats_them(arguments: object):
    ours = dict(build_argument_headers(find_positions(SCHEMA), arguments))
    there = {("region",): "Region", ("inner", "count"): "Count"}
    theirs = mcp_param_headers(there, arguments if isinstance(arguments, dict) else {})
    assert ours == {name.lower().encode(): value.encode() for name, value in theirs.items()}


@pytest.mark.parametrize("token", ["", "a b", "Region", 7, None])
def test_an_annotation_that_does_not_hold_repeats_nothing(token: object):
    odd = {"properties": {**SCHEMA["properties"], "other": {"x-mcp-header": token}}}  # type: ignore[dict-item]
    assert find_positions(odd) == []


def test_a_list_grows_by_no_more_than_it_is():
    """One long name, with many arguments below it that each have it in their place."""
    below = {f"a{number}": {"type": "string", "x-mcp-header": f"a{number}"} for number in range(1_000)}
    schema = {"properties": {"k" * 10_000: {"type": "object", "properties": below}}}
    text = json.dumps({"result": {"tools": [{"name": "t", "inputSchema": schema}]}})
    entries, _, _ = read_entries(text, "tools", "s")
    assert len(json.dumps(Entries.of(entries).dump())) < 2 * len(text)


def test_a_header_can_hold_half_a_character():
    """A server may call something so, and an argument may be so: JSON has a way to write it."""
    assert encode_value("\ud800") == "=?base64?7aCA?="


@given(st.lists(st.integers(1, 30), max_size=8), st.sampled_from(["\n", "\r\n", "\r"]))
def test_events_are_found_however_they_are_cut(cuts: list[int], end: str):
    lines = ["event: message", "data: {", 'data: "a": 1}', "", ": beat", "", "data: last", "", "data: cut"]
    raw = end.join(lines).encode()
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(raw[at : at + cut])
        at += cut
    events = Events()
    found = [event for piece in pieces for event in events.feed(piece)] + events.feed(raw[at:], last=True)
    assert [event.data for event in found if event.data] == [b'{\n"a": 1}', b"last", b"cut"]
    assert b"".join(event.raw for event in found) == raw


def test_a_media_type_is_known_in_upper_and_lower_case():
    assert is_events([(b"content-type", b"Text/Event-Stream")])
    assert is_json([(b"content-type", b"Application/JSON; charset=utf-8")])
    assert not is_json([(b"content-type", b"text/html")])


def test_an_event_can_get_data_of_several_lines():
    """JSON that its server wrote over several lines stays so when a name in it changes."""
    (event,) = Events().feed(b'id: 1\ndata: {\ndata:  "id": 1}\n\n')
    changed = event.with_data(event.data.replace(b"1", b"2"))
    assert changed == b'id: 1\ndata: {\ndata:  "id": 2}\n\n'
    assert [each.data for each in Events().feed(changed)] == [b'{\n "id": 2}']


@given(st.lists(st.integers(1, 20), max_size=8))
def test_an_id_is_renamed_however_it_is_cut(cuts: list[int]):
    there = "latchpin-0123456789abcdef"
    raw = f'{{"id":"{there}","result":{{"latchpin-":"latchpin"}}}} "{there}'.encode()
    words, at, given_out = Renamed(there, 7), 0, b""
    for cut in cuts:
        given_out += words.piece(raw[at : at + cut], last=False)
        at += cut
    given_out += words.piece(raw[at:], last=True)
    assert given_out == raw.replace(f'"{there}",'.encode(), b"7,")
