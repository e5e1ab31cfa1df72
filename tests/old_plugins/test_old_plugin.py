"""A plugin that was written for hook API 1.0 works unchanged for as long as the first number is 1."""

from __future__ import annotations

import hashlib
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import latchpin
import pytest
from latchpin.commands.command_line import build
from latchpin.contracts import Severity
from latchpin.plugins import host
from latchpin.plugins.hookspecs import CHECKS, GAUGES
from latchpin.plugins.host import Plugins
from latchpin.plugins.leaving import Leaving, find_uses
from latchpin_testing import (
    BareCheckContext,
    MovedClock,
    StateStoreContract,
    check_plugin,
    running_gateway,
)
from typer.testing import CliRunner

__all__ = ["running_gateway"]

NEEDS = ("latchpin_doctor", "latchpin_memory_store", "latchpin_sql_store")
FOLDER = Path(__file__).parent / "made_for_1_0"
FROZEN = "4d5ef344f41471815753911a976fbe7f8a8851bf300275e7a021817e05abbd8c"
POINT = EntryPoint("acme_ledger", "acme_ledger.plugin", "latchpin")
ANN = "ann@example.com"


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> Plugins:
    """What is installed, with the old plugin."""
    monkeypatch.syspath_prepend(str(FOLDER / "src"))
    return Plugins([*entry_points(group="latchpin"), POINT])


def of(module: str) -> Any:
    """A module of the plugin, which is found once a test has begun."""
    return import_module(f"acme_ledger.{module}")


def test_nobody_has_changed_it():
    """What breaks it breaks plugins of strangers: mend the core, or raise the first number of ``latchpin.HOOK_API``.

    With another first number, this plugin stays as it is and is refused, and another is written beside it.
    """
    files = sorted(path for path in FOLDER.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    assert digest == FROZEN
    assert latchpin.HOOK_API.partition(".")[0] == "1"


def test_it_is_sound_and_warned_of_nothing(installed: Plugins, recwarn: pytest.WarningsRecorder):
    check_plugin(of("plugin"))
    assert [fault.detail for fault in installed.faults() if "acme" in fault.detail] == []
    assert [str(each.message) for each in recwarn if each.category is DeprecationWarning] == []


async def test_its_badges_ledger_and_facts_work(running_gateway, installed: Plugins):
    settings = {"CACHE_TYPE": "acme-ledger", "ACME_BADGE_SECRET": "b", "ACME_CURRENCIES": "EUR USD"}
    gateway = await running_gateway(plugins=installed, clock=MovedClock(), **settings)
    badge = of("badges").sign(gateway.services.context, ANN, "b")
    entry = {"name": "one", "text": "ten coffees", "currency": "USD"}
    heard = of("entries").Listener.heard
    async with gateway.client(accept="application/json") as client:
        assert (await client.get("/acme/ledger")).status_code == 401
        assert (await client.get("/acme/ledger", headers={"x-acme-badge": f"{ANN} wrong"})).status_code == 401
        client.headers["x-acme-badge"] = f"{ANN} {badge}"
        assert (await client.post("/acme/ledger", json=entry | {"currency": "DM"})).status_code == 400
        assert (await client.post("/acme/ledger", json=entry)).status_code == 201
        assert (await client.get("/acme/ledger")).json() == {"via": "badge", "entries": ["ten coffees"]}
    assert of("entries").Listener.heard == heard + 1
    sealed = await gateway.services.records.collection(of("entries").ENTRIES).get("one")
    assert "coffees" not in sealed.body["text"]
    async with gateway.browser(ANN) as browser:
        assert 'href="/acme/ledger"' in (await browser.get("/")).text.replace(gateway.url, "")
    (gauge,) = [each for each in installed.values(GAUGES) if each.name == "acme_ledger_entries"]
    assert await gauge.read(gateway.app.state.application) == 1
    (check,) = [each for each in installed.values(CHECKS) if each.name == "acme-ledger"]
    assert [each.title for each in await check.run(BareCheckContext())] == ["The ledger could not be looked at"]


class TestStates(StateStoreContract):
    """Its state store keeps what the contract of today says."""

    @pytest.fixture
    def offer(self, installed):
        return of("plugin").latchpin_state_store()

    @pytest.fixture
    def settings(self):
        return of("settings").LedgerSettings()

    async def stored_bytes(self, store, settings):
        return repr((store._pending, store._used)).encode()


def command_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *words: str) -> Any:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'one.db'}")
    monkeypatch.setattr("latchpin.plugins.host.entry_points", lambda group: [*entry_points(group=group), POINT])
    return CliRunner().invoke(build(), list(words))


def test_its_command_works(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    told = command_line(monkeypatch, tmp_path, "ledger", "show", ANN)
    assert (told.exit_code, told.stdout) == (0, "\n"), told.output


# -- what goes is said first -----------------------------------------------------------------------------

GOES = (
    Leaving("latchpin.sdk.identity.parse_email", "1.4", "latchpin.sdk.people.read_address"),
    Leaving("latchpin.sdk.identity.create_link", "1.4", "nothing"),
    Leaving("latchpin_gauges", "1.5", "latchpin_numbers"),
    Leaving("latchpin.contracts.Gauge", "1.5", "latchpin.contracts.Number"),
)
SAID = [
    f"plugin 'acme_ledger' of (unknown) uses {name}, which goes with hook API 2.0: use {instead}"
    for name, instead in (
        ("latchpin.sdk.identity.parse_email", "latchpin.sdk.people.read_address"),
        ("latchpin_gauges", "latchpin_numbers"),
        ("latchpin.contracts.Gauge", "latchpin.contracts.Number"),
    )
]


def test_the_core_is_not_told_of_what_it_uses_itself(installed: Plugins):
    goes = (Leaving("latchpin.contracts.Backend", "1.4", "nothing"),)
    assert [said for said in installed.leaving(goes) if " of latchpin 0" in said] == []


def test_what_goes_is_told_with_what_takes_its_place(installed: Plugins):
    assert installed.leaving() == [], "nothing is entered, or nobody uses it"
    assert [each for each in installed.leaving(GOES) if "acme" in each] == SAID


def test_people_who_list_plugins_and_who_serve_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(host, "LEAVING", GOES[:1])
    told = command_line(monkeypatch, tmp_path, "plugins")
    assert told.exit_code == 0, told.output
    assert f"warning: {SAID[0]}" in told.stderr


def test_who_writes_a_plugin_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(host, "LEAVING", GOES[:1])
    with pytest.warns(DeprecationWarning, match="parse_email, which goes with hook API 2.0"):
        check_plugin(of("plugin"))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import latchpin.sdk.identity as who\nwho.parse_email('a')", True),
        ("import latchpin.sdk.identity\nlatchpin.sdk.identity.parse_email('a')", True),
        ("from latchpin.sdk import identity\nidentity.parse_email('a')", True),
        ("from latchpin.sdk.identity import parse_email as read", True),
        ("def later():\n    from latchpin.sdk.identity import parse_email", True),
        ("def parse_email(): ...", False),
        ("from mine import parse_email", False),
        ("parse_email = 'latchpin.sdk.identity.parse_email'", False),
        ("this is no Python: parse_email", False),
    ],
)
def test_a_use_is_found_wherever_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, found: bool):
    (tmp_path / f"acme_{abs(hash(source))}.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert bool(find_uses(f"acme_{abs(hash(source))}", GOES[:1])) == found


async def test_doctor_says_it_and_goes_on(environment: pytest.MonkeyPatch, diagnose: Any):
    environment.setattr("latchpin.plugins.host.entry_points", lambda group: [*entry_points(group=group), POINT])
    environment.setattr(host, "LEAVING", GOES[:1])
    (finding,) = [each for each in (await diagnose(offline=True)).findings if each.title == SAID[0]]
    assert finding.severity is Severity.WARNING
