"""The list of everybody's connections: narrowed down, never endless, and empty with a word on what to do."""

from dataclasses import replace

from latchpin.identity.revocations import ended_at
from latchpin_admin_ui.routes_connections import MOST_ROWS

from tests.support.gateway_in_process import ALICE


async def test_nobody_is_connected(admin):
    await admin.open("/admin/connections")
    assert "Nobody is connected yet. A connection begins when somebody presses Authorize" in admin.text


async def test_it_is_narrowed_down(admin, connected):
    for query, expected in (
        ("", True),
        (f"?user={ALICE[:4].upper()}", True),
        ("?user=bob", False),
        (f"?gateway={connected.id}&health=valid", True),
        ("?health=expired", False),
        (f"?gateway={'0' * 32}", False),
    ):
        await admin.open(f"/admin/connections{query}")
        assert (f"Disconnect {ALICE} from" in admin.page) == expected, query
        assert ("No connection matches that." in admin.text) != expected
    await admin.open("/admin/connections?user=ali", **{"hx-request": "true"})
    assert admin.page.startswith('<section id="connections"')  # htmx gets the piece alone


async def test_everything_of_a_person_is_offered_for_a_whole_address(admin, connected):
    await admin.open(f"/admin/connections?user={ALICE}")
    assert f"Disconnect everything of {ALICE}" in admin.text
    await admin.open("/admin/connections?user=alice")
    assert "Disconnect everything" not in admin.text
    await admin.open("/admin/connections?user=nobody@example.com")  # who may have sessions
    assert "Disconnect everything of nobody@example.com" in admin.text


async def test_the_sessions_of_who_leaves_end_with_the_connections(admin, connected, gateway):
    await admin.open(f"/admin/connections/end?user={ALICE}")
    assert f"Every browser session of {ALICE} ends" in admin.text
    await admin.send("/admin/connections/end", user=ALICE)
    assert f"The sessions and bearer tokens of {ALICE} have ended." in admin.text
    assert f"{ALICE} is disconnected from 1 gateway." in admin.text
    assert await ended_at(gateway.application.services.kept, ALICE) is not None


async def test_a_long_list_is_cut(admin, connected, gateway):
    tokens = gateway.application.services.records.tokens
    [token] = await tokens.list()
    for number in range(MOST_ROWS):
        other = replace(token, id=f"{number:032x}", app_user_email=f"user{number}@example.com")
        await tokens.put(other, replacing=None)
    await admin.open("/admin/connections")
    assert f"{MOST_ROWS + 1} of {MOST_ROWS + 1} connections, of which the first {MOST_ROWS} are shown" in admin.text
    assert admin.page.count('data-heading="User"') == MOST_ROWS
