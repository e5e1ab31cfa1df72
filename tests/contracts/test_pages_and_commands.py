"""A stranger's page, form and command work with what the documentation says, and are tested with what is shipped."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

import pytest
from latchpin.commands.command_line import build
from latchpin.plugins.host import Plugins
from latchpin_testing import MovedClock, check_plugin, running_gateway
from typer.testing import CliRunner

from tests.contracts import acme_notes

__all__ = ["running_gateway"]

pytestmark = [pytest.mark.needs("latchpin_memory_store"), pytest.mark.needs("latchpin_sql_store")]

POINT = EntryPoint("acme_notes", "tests.contracts.acme_notes", "latchpin")


@pytest.fixture
def installed() -> Plugins:
    return Plugins([*entry_points(group="latchpin"), POINT])


def test_the_plugin_is_sound():
    check_plugin(acme_notes)


async def test_a_page_has_the_gateways_frame_and_its_form_is_proven(running_gateway, installed):
    gateway = await running_gateway(plugins=installed, clock=MovedClock())
    async with gateway.browser("ann@example.com", admin=True) as ann, gateway.browser("bob@example.com") as bob:
        page = await ann.get("/acme/note")
        assert page.status_code == 200
        for part in ("ann@example.com", "There is no note.", ' aria-current="page">Note</a>', "Sign out"):
            assert part in page.text
        token = await gateway.form_token(ann, "/acme/note")
        assert (await ann.post("/acme/note", data={"note": "x"})).status_code == 403
        evil = {"sec-fetch-site": "cross-site"}
        form = {"note": "<b>Ask first</b>", "csrf_token": token}
        assert (await ann.post("/acme/note", data=form, headers=evil)).status_code == 403
        assert (await bob.post("/acme/note", data=form)).status_code == 403
        kept = await ann.post("/acme/note", data=form)
        sealed = await gateway.services.records.collection(acme_notes.NOTES).get("note")
        assert "Ask first" not in sealed.body["text"]
        assert (kept.status_code, kept.headers["location"]) == (303, f"{gateway.url}/acme/note")
        assert "&lt;b&gt;Ask first&lt;/b&gt;" in (await bob.get("/acme/note")).text
        assert '<form method="post" action="/acme/note"' not in (await bob.get("/acme/note")).text
    async with gateway.client(accept="text/html") as nobody:
        assert (await nobody.get("/acme/note")).headers["location"].startswith(f"{gateway.url}/login")
        program = await gateway.bearer("ann@example.com", admin=True)
        assert (await nobody.post("/acme/note", data={"note": "y"}, headers=program)).status_code == 303


async def test_a_gateway_that_cannot_open_says_why(running_gateway):
    with pytest.raises(Exception, match="PORT"):
        await running_gateway(PORT="many")


def test_a_command_reaches_the_stores(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'one.db'}")
    monkeypatch.setattr("latchpin.plugins.host.entry_points", lambda group: [*entry_points(group=group), POINT])
    told = CliRunner().invoke(build(), ["acme", "note"])
    assert (told.exit_code, told.stdout) == (0, "There is no note.\n")
    monkeypatch.setenv("RECORD_STORE", "memory")
    refused = CliRunner().invoke(build(), ["acme", "note"])
    assert "out of reach" in str(refused.exception)
