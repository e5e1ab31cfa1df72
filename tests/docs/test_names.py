"""Every setting, hook, error code, command and endpoint is in the documentation, and nothing else is."""

from __future__ import annotations

import pytest
from latchpin.errors.causes import CAUSES

from tests.docs import checks, interfaces
from tests.docs.checks import ROOT, Page, pages, parse, read
from tests.docs.reference import SYMPTOMS, earlier
from tests.docs.write import filled


@pytest.fixture(autouse=True)
def _no_log_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_FILE", "")


@pytest.fixture
def document():
    """Reads a page of the site."""
    return lambda name: read(ROOT / "docs" / name)


def test_settings(document):
    assert checks.about_settings(document("settings.md"), interfaces.known_settings()) == []


def test_further_names_of_settings(document):
    """One sentence says that each DCR variable has a prefix too, one that secrets have files, a table the old names."""
    assert "`NAME_FILE`" in document("settings.md").text
    assert "`MCPGATEWAY_`" in document("settings.md").section("Dynamic Client Registration")
    known = {name for name in interfaces.known_settings() if name.startswith("DCR_")}
    assert "## Earlier names" in document("settings.md").text
    read = interfaces.setting_aliases()
    files = {f"{name}_FILE" for name in interfaces.known_settings().keys() | read}
    assert read - files == {f"MCPGATEWAY_{name}" for name in known} | earlier().keys()


def test_hooks(document):
    assert checks.about_hooks(document("hooks.md"), interfaces.hook_names()) == []


def test_suites(document):
    shown = document("plugins.md").section("Prove it")
    assert [name for name in interfaces.suite_names() if f"`{name}`" not in shown] == []


def test_errors(document):
    assert checks.about_errors(document("errors.md"), CAUSES) == []


def test_each_symptom_has_a_page_that_tells_its_causes():
    symptoms = {cause.see for cause in CAUSES.values() if cause.see}
    assert {path.stem for path in SYMPTOMS.iterdir()} == symptoms
    for symptom in symptoms:
        assert f"<!-- generated: causes {symptom} -->" in (SYMPTOMS / f"{symptom}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.path.relative_to(ROOT)))
def test_what_is_written_from_the_code_is_as_the_code_has_it(page: Page):
    assert page.text == filled(page.text), "run: make docs"


def test_commands(document):
    assert checks.about_commands(document("commands.md"), interfaces.known_commands()) == []


def test_endpoints(document):
    assert checks.about_endpoints(document("api.md"), interfaces.known_endpoints()) == []


# -- the checks fail when they should ---------------------------------------------------------------------


def without(page: Page, text: str, instead: str = "") -> Page:
    """The page with one text taken out or replaced; it must have been there."""
    assert text in page.text
    return parse(page.text.replace(text, instead), page.path)


def test_a_missing_setting_is_seen(document):
    page = without(document("settings.md"), "| `STATE_TTL_SECONDS` |", "| `STATE_TTL` |")
    assert checks.about_settings(page, interfaces.known_settings()) == [
        "STATE_TTL_SECONDS is missing",
        "STATE_TTL is no setting",
    ]


def test_a_wrong_default_is_seen(document):
    page = without(document("settings.md"), "| `PORT` | `4444` |", "| `PORT` | `4445` |")
    assert checks.about_settings(page, interfaces.known_settings()) == [
        "PORT: the default is `4444`, the page says `4445`"
    ]


def test_a_missing_hook_is_seen(document):
    page = without(document("hooks.md"), "### latchpin_routes", "### latchpin_rotes")
    assert checks.about_hooks(page, interfaces.hook_names()) == [
        "latchpin_routes is missing",
        "latchpin_rotes is no hook",
    ]


def test_a_missing_error_code_is_seen(document):
    page = without(document("errors.md"), "### state-used", "### state-spent")
    assert checks.about_errors(page, CAUSES) == [
        "state-used is missing",
        "state-spent is no error code",
    ]


def test_a_wrong_remedy_and_status_are_seen(document):
    page = without(
        document("errors.md"), "**504**, fault of the authorization server: The server did not answer", "**500**"
    )
    page = without(page, "Remedy: Run: latchpin db upgrade", "Remedy: Run: latchpin upgrade")
    found = checks.about_errors(page, CAUSES)
    assert sorted(found) == [
        "provider-timeout: '**504**, fault of the authorization server: The server did not answer in time.' is missing",
        "schema-outdated: 'Remedy: Run: latchpin db upgrade' is missing",
    ]


def test_a_missing_command_and_option_are_seen(document):
    page = without(document("commands.md"), "| `latchpin states purge` |", "| `latchpin states clear` |")
    page = without(page, "`--days` (30): Lifetime in days.", "30 days")
    assert sorted(checks.about_commands(page, interfaces.known_commands())) == [
        "latchpin states clear has no --all",
        "latchpin states clear has no --json",
        "latchpin states clear is no command",
        "latchpin states purge is missing",
        "latchpin token create has --days, which is missing",
    ]


def test_a_missing_endpoint_is_seen(document):
    page = without(document("api.md"), "### GET /ready", "### GET /readyz")
    assert checks.about_endpoints(page, interfaces.known_endpoints()) == [
        "GET /ready is missing",
        "GET /readyz is no endpoint",
    ]


def test_a_part_that_is_out_of_date_is_seen(document):
    page = without(document("settings.md"), "| `PORT` | `4444` |", "| `PORT` | `4445` |")
    assert filled(page.text) == document("settings.md").text
