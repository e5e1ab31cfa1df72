"""Everything that can be wrong with a plugin is named with its distribution and version, in every place alike."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from latchpin import __version__
from latchpin.activity.activity import Activity
from latchpin.assembly.assembling import assemble
from latchpin.commands.command_line import build
from latchpin.errors import BackendUnavailable, PluginError
from latchpin.plugins.hookspecs import CHECKS, HOOKS, ROUTES, Hook
from latchpin.plugins.host import Plugins
from latchpin.plugins.rules import misfit
from latchpin.sdk import hooks
from latchpin.serving.serve import require_servable
from latchpin.settings.core import CoreSettings
from typer.testing import CliRunner

pytestmark = [pytest.mark.needs("latchpin_memory_store"), pytest.mark.slow]

NAMED = "plugin 'acme' of acme-plugin 7.2"
OPENS = """
import contextlib
import latchpin

@contextlib.asynccontextmanager
async def open_it(settings, context):
    {body}

@latchpin.hookimpl
def {hook}():
    return [latchpin.Backend("acme-way", "ACME", latchpin.Settings, {open})]
"""

Install = Callable[..., Plugins]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Install a stranger's distribution beside everything else; every ``Plugins()`` finds it."""

    def make(source: str, requires: str = "latchpin>=0.1", extra: Mapping[str, str] = {}) -> Plugins:
        info = tmp_path / "acme_plugin-7.2.dist-info"
        info.mkdir()
        about = f"Metadata-Version: 2.1\nName: acme-plugin\nVersion: 7.2\nRequires-Dist: {requires}\n"
        (info / "METADATA").write_text(about)
        modules = {"acme": "acme_plugin_module", **extra}
        points = "".join(f"{name} = {module}\n" for name, module in modules.items())
        (info / "entry_points.txt").write_text(f"[latchpin]\n{points}")
        (tmp_path / "acme_plugin_module.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path)
        return Plugins()

    yield make
    sys.modules.pop("acme_plugin_module", None)


def hook(name: str, body: str, mark: str = "@latchpin.hookimpl") -> str:
    return f"import latchpin\n\n{mark}\ndef {name}:\n    {body}\n"


def command(name: str, about: str, app: str) -> str:
    body = f"return latchpin.contracts.Command({name}, {about}, {app})"
    return hook("latchpin_commands()", body)


FAULTS = [
    ("import", "import no_such_module", "failed to load: ModuleNotFoundError: No module named 'no_such_module'"),
    ("leaves at import", "import sys\nsys.exit(0)", "failed to load: SystemExit: 0"),
    ("leaves in a hook", hook("latchpin_checks()", "raise SystemExit(0)"), "failed in latchpin_checks: SystemExit: 0"),
    ("unknown hook", hook("latchpin_stat_store()", "return None"), "did you mean latchpin_state_store?"),
    ("nothing like a hook", hook("latchpin_xyzzy()", "return None"), "latchpin_xyzzy, which is no hook of latchpin 0"),
    ("unmarked", hook("latchpin_signer()", "return None", ""), "defines latchpin_signer without @latchpin.hookimpl"),
    (
        "argument",
        hook("latchpin_signer(config)", "return None"),
        "has the argument 'config', and a hook has none",
    ),
    ("newer API", "LATCHPIN_HOOK_API = '1.99'", "it was made for a newer hook API, 1.99, and latchpin 0"),
    ("older API", "LATCHPIN_HOOK_API = '0.1'", "it was made for an older hook API, 0.1, and latchpin 0"),
    ("no API", "LATCHPIN_HOOK_API = 1", "its LATCHPIN_HOOK_API is 1, and a version is a text such as '1."),
    ("newer name", "from latchpin.contracts import Later", "cannot import name 'Later' from 'latchpin.contracts'"),
    ("raises", hook("latchpin_routes()", "return 1 / 0"), "failed in latchpin_routes: ZeroDivisionError: division by"),
    ("store", hook("latchpin_state_store()", "return 7"), "an int, and not a latchpin.Backend of a StateStore"),
    ("class", hook("latchpin_identity()", "return latchpin.Backend"), "the class Backend, and not a latchpin.Backend"),
    ("none within", hook("latchpin_identity()", "return [None]"), "None, and not a latchpin.Backend of an Identity"),
    (
        "async",
        "import latchpin\n\n@latchpin.hookimpl\nasync def latchpin_cipher():\n    return None\n",
        "a coroutine, and a hook is a plain function",
    ),
    (
        "settings",
        hook("latchpin_cipher()", "return latchpin.Backend('x', 'x', dict, print)"),
        "the Backend 'x' whose settings are not a model",
    ),
    ("name", hook("latchpin_cipher()", "return latchpin.Backend(None, 'x', latchpin.Settings, print)"), "name is None"),
    (
        "upper case",
        hook("latchpin_cipher()", "return latchpin.Backend('X', 'x', latchpin.Settings, print)"),
        "name is 'X', and it must be a word in lower case",
    ),
    (
        "rank",
        hook("latchpin_identity()", "return latchpin.Backend('x', 'x', latchpin.Settings, print, rank='1')"),
        "the Backend 'x' whose label is no text, or whose rank is no whole number",
    ),
    (
        "label",
        hook("latchpin_identity()", "return latchpin.Backend('x', None, latchpin.Settings, print)"),
        "the Backend 'x' whose label is no text",
    ),
    ("open", hook("latchpin_cipher()", "return latchpin.Backend('x', 'x', latchpin.Settings, None)"), "open cannot be"),
    ("model", hook("latchpin_settings()", "return [dict]"), "the class dict, and not a model of latchpin.Settings"),
    ("commands", hook("latchpin_commands()", "return ['db']"), "a str, and not a latchpin.contracts.Command"),
    (
        "command's name",
        command("'Db'", "'x'", "'x:app'"),
        "a Command whose name is 'Db', and it must be a word in lower",
    ),
    ("command's line", command("'acme'", "'x\\ny'", "'x:app'"), "the Command 'acme' whose about is not one line"),
    (
        "command's app",
        command("'acme'", "'x'", "print"),
        "the Command 'acme' whose app is <built-in function print>, and",
    ),
    (
        "command's name twice",
        command("'doctor'", "'x'", "'x:app'"),
        "two plugins offer 'doctor' for latchpin_commands: ",
    ),
    ("routes", hook("latchpin_routes()", "return {'/x': print}"), "a dict, and not a fastapi.APIRouter"),
    ("place", hook("latchpin_routes()", "return 'acme/routes.py'"), "'acme/routes.py', and a place is like package."),
    ("check", hook("latchpin_checks()", "return [print]"), "and not a latchpin.contracts.Check"),
    ("link", hook("latchpin_navigation()", "return ['/x']"), "a str, and not a latchpin.contracts.NavigationEntry"),
    ("method", hook("latchpin_pkce_methods()", "return [object()]"), "an object without name and challenge"),
    ("method's class", hook("latchpin_pkce_methods()", "return [str]"), "the class str, and not one of its objects"),
    (
        "old listener",
        hook("latchpin_event_listeners()", "class Old:\n        on_event = print\n    return [Old()]"),
        "an Old, and not a latchpin.Backend of an EventListener",
    ),
    (
        "taken name",
        hook("latchpin_state_store()", "return latchpin.Backend('memory', 'x', latchpin.Settings, print)"),
        "two plugins offer 'memory' for latchpin_state_store: ",
    ),
]


def test_a_wrong_setting_is_not_called_the_fault_of_the_plugin_that_reads_it(install):
    body = "raise latchpin.errors.SettingsError('ACME_TOKEN is too short', remedy='Set a longer ACME_TOKEN.')"
    plugins = install(hook("latchpin_routes()", body).replace("import latchpin\n", "import latchpin.errors\n"))
    with pytest.raises(PluginError) as caught:
        plugins.require_sound([ROUTES])
    assert str(caught.value) == "ACME_TOKEN is too short; plugin 'acme' of acme-plugin 7.2 reads it"
    assert caught.value.remedy == "Set a longer ACME_TOKEN."


@pytest.mark.parametrize(("source", "told"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
async def test_what_is_wrong_is_named_alike_by_the_list_and_the_start(
    install: Install, tmp_path: Path, monkeypatch, source: str, told: str
):
    monkeypatch.chdir(tmp_path)
    plugins = install(source)
    [fault] = plugins.faults()
    assert NAMED in fault.detail
    assert told in fault.detail
    listed = CliRunner().invoke(build(), ["plugins"])
    assert listed.exit_code == 1
    assert fault.detail in listed.stderr
    served = CliRunner().invoke(build(), ["serve"])
    assert isinstance(served.exception, PluginError)
    assert served.exception.detail == fault.detail
    if "latchpin_commands" not in source:  # a serving process asks for no commands
        with pytest.raises(PluginError, match=r"acme-plugin 7\.2"):
            require_servable(Plugins(), CoreSettings(cache_type="memory"))


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import no_such_module", "failed in latchpin_routes: ModuleNotFoundError: No module named 'no_such_module'"),
        ("import sys\nsys.exit(3)", "failed in latchpin_routes: SystemExit: 3"),
        ("make = None", "failed in latchpin_routes: AttributeError: "),
        ("router = 7", "an int, and not a fastapi.APIRouter"),
        ("def router(): return [7]", "an int, and not a fastapi.APIRouter"),
        ("router = 'acme_routes:router'", "'acme_routes:router', where another place is named"),
    ],
    ids=["import", "leaves", "nothing", "no router", "makes none", "place"],
)
def test_what_is_named_by_its_place_is_loaded_by_what_serves_and_not_by_the_list(
    install: Install, tmp_path: Path, monkeypatch, source: str, told: str
):
    (tmp_path / "acme_routes.py").write_text(source)
    monkeypatch.delitem(sys.modules, "acme_routes", raising=False)
    plugins = install(hook("latchpin_routes()", "return ['acme_routes:router']"))
    assert plugins.faults(load=False) == []
    assert "acme_routes" not in sys.modules
    [fault] = plugins.faults()
    assert NAMED in fault.detail
    assert told in fault.detail
    with pytest.raises(PluginError) as caught:
        require_servable(Plugins(), CoreSettings(cache_type="memory"))
    assert caught.value.detail == fault.detail


def test_a_place_may_hold_a_router_or_a_function_that_makes_some(install: Install, tmp_path: Path, monkeypatch):
    made = "import fastapi\nrouter = fastapi.APIRouter()\ndef routers(): return router, router\n"
    (tmp_path / "acme_routers.py").write_text(made)
    monkeypatch.delitem(sys.modules, "acme_routers", raising=False)
    plugins = install(hook("latchpin_routes()", "return ['acme_routers:router', 'acme_routers:routers']"))
    ours = [offer.value for offer in plugins.offers(ROUTES) if offer.plugin.name == "acme"]
    assert ours == [sys.modules["acme_routers"].router] * 3
    assert [offer.value for offer in plugins.without([ROUTES]).offers(ROUTES)] == []


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("import sys\nsys.exit(3)", "SystemExit: 3"),
        ("app = print", "LookupError: acme_commands:app is no Typer app that has 'acme'"),
        (
            "import typer\napp = typer.Typer(name='other')",
            "LookupError: acme_commands:app is no Typer app that has 'acme'",
        ),
    ],
    ids=["import", "leaves", "no app", "another app"],
)
def test_a_command_that_cannot_be_loaded_is_listed_and_takes_no_other_along(
    install: Install, tmp_path: Path, monkeypatch, source: str, told: str
):
    (tmp_path / "acme_commands.py").write_text(source)
    monkeypatch.delitem(sys.modules, "acme_commands", raising=False)
    assert install(command("'acme'", "'Notes of ACME.'", "'acme_commands:app'")).faults() == []
    listed = CliRunner().invoke(build(), ["--help"])
    assert (listed.exit_code, "Notes of ACME." in listed.stdout) == (0, True)
    used = CliRunner().invoke(build(), ["acme"])
    assert isinstance(used.exception, PluginError)
    assert used.exception.detail == f"{NAMED} failed to load 'latchpin acme': {told}"
    assert used.exception.remedy == "Repair or uninstall acme-plugin; 'latchpin plugins' shows them all."
    assert CliRunner().invoke(build(), ["secret", "generate"]).exit_code == 0


LATCHPIN = f"latchpin {__version__}"
UPDATE = f"Install a version of acme-plugin that was made for {LATCHPIN}, or another latchpin."
REPAIR = "Repair, update or uninstall acme-plugin; what each hook returns is in docs/hooks.md."
SENTENCES = [
    (
        "LATCHPIN_HOOK_API = '2.0'",
        f"{NAMED} failed to load: it was made for a newer hook API, 2.0, and {LATCHPIN} has 1.0",
        UPDATE,
    ),
    (
        "import latchpin.later",
        f"{NAMED} failed to load: ModuleNotFoundError: No module named 'latchpin.later'; this is {LATCHPIN}",
        UPDATE,
    ),
    (
        "raise RuntimeError('no licence')",
        f"{NAMED} failed to load: RuntimeError: no licence",
        "Repair or uninstall acme-plugin; 'latchpin plugins' shows them all.",
    ),
    (
        hook("latchpin_sgner()", "return None"),
        f"{NAMED} implements latchpin_sgner, which is no hook of {LATCHPIN}; did you mean latchpin_signer?",
        "Update acme-plugin or latchpin; the hooks are listed in docs/hooks.md.",
    ),
    (
        hook("latchpin_signer(config, *, key)", "return None"),
        f"{NAMED} failed to load: its latchpin_signer has the argument 'config' and 'key', and a hook has none",
        "Remove it: what a Backend opens with is given the settings and the context.",
    ),
    (
        hook("latchpin_cipher()", "return latchpin.Backend('aes-gcm', 'x', latchpin.Settings, print)"),
        f"two plugins offer 'aes-gcm' for latchpin_cipher: plugin 'cipher' of {LATCHPIN} and {NAMED}",
        "Uninstall one of their distributions.",
    ),
    (
        hook("latchpin_routes()", "raise KeyError('path')"),
        f"{NAMED} failed in latchpin_routes: KeyError: 'path'",
        REPAIR,
    ),
    (
        hook("latchpin_cipher()", "return 7"),
        f"{NAMED} returned from latchpin_cipher an int, and not a latchpin.Backend of a Cipher",
        REPAIR,
    ),
]


@pytest.mark.parametrize(("source", "sentence", "remedy"), SENTENCES)
def test_each_fault_has_one_sentence_and_one_remedy(install: Install, source: str, sentence: str, remedy: str):
    assert [(fault.detail, fault.remedy) for fault in install(source).faults()] == [(sentence, remedy)]


@pytest.mark.parametrize("wanted", ["1.0", None])
def test_a_plugin_for_this_hook_api_or_without_a_word_is_used(install: Install, wanted: str | None):
    assert install(f"LATCHPIN_HOOK_API = {wanted!r}" if wanted else "").faults() == []


def test_a_module_that_two_entry_points_name_is_used_once(install: Install):
    plugins = install("", extra={"again": "acme_plugin_module"})
    assert [(fault.detail, fault.remedy) for fault in plugins.faults()] == [
        (
            f"plugin 'again' of acme-plugin 7.2 failed to load: its module is that of {NAMED}",
            "Name the module once in [project.entry-points.latchpin].",
        )
    ]


def test_of_several_faults_each_is_told(install: Install):
    plugins = install(hook("latchpin_signer()", "return 7") + "\ndef latchpin_cipher():\n    ...\n")
    assert len(plugins.faults()) == 2
    with pytest.raises(PluginError, match=r"latchpin_cipher without.*; plugin 'acme'.* an int, and not"):
        plugins.require_sound(HOOKS)


@pytest.mark.parametrize(
    ("requires", "told"),
    [
        ("latchpin>=9", "it needs latchpin>=9, and this is latchpin 0"),
        ("Latchpin (<0.1)", "it needs latchpin<0.1"),
        ("latchpin==0.0.*", "it needs latchpin==0.0.*"),
        (f"latchpin[testing]!={__version__}", f"it needs latchpin!={__version__}"),
        ("latchpin>=0.1", ""),
        ("latchpin", ""),
        ("latchpin>=0.1.0rc1,<2", ""),
        ("latchpin>=9; extra == 'later'", ""),  # nobody asked for that extra
        ("latchpin>=9; python_version < '3'", ""),
        ("latchpin-dcr>=9", ""),  # another distribution, which pip looks after
        ("latchpin ~ nonsense", ""),
    ],
)
def test_a_plugin_for_another_core_is_named_and_not_loaded(install: Install, requires: str, told: str):
    plugins = install("raise SystemError('it was loaded')" if told else "", requires=requires)
    assert [told in fault.detail and NAMED in fault.detail for fault in plugins.faults()] == ([True] if told else [])


OPENINGS = [
    ("raises", "latchpin_identity", "raise KeyError('vault')\n    yield", "open_it", "identity 'acme-way': KeyError"),
    ("leaves", "latchpin_event_listeners", "raise SystemExit(0)\n    yield", "open_it", "'acme-way': SystemExit: 0"),
    ("forgets to be one", "latchpin_identity", "yield", "lambda *_: 7", "identity 'acme-way': TypeError"),
    (
        "gives nothing",
        "latchpin_identity",
        "yield None",
        "open_it",
        "opened None without identify, which an Identity has",
    ),
    (
        "gives another",
        "latchpin_client_registrar",
        "yield print",
        "open_it",
        "without label and keeps and obstacle and",
    ),
    ("gives a deaf one", "latchpin_event_listeners", "yield 3", "open_it", "opened an int without on_event"),
    (
        "asks too early",
        "latchpin_observers",
        "yield context.records",
        "open_it",
        "asked for the record store before it",
    ),
]


@pytest.mark.parametrize(
    ("hook_name", "body", "opener", "told"), [row[1:] for row in OPENINGS], ids=[row[0] for row in OPENINGS]
)
async def test_what_fails_to_open_is_named(install: Install, hook_name: str, body: str, opener: str, told: str):
    plugins = install(OPENS.format(hook=hook_name, body=body, open=opener))
    with pytest.raises(PluginError) as caught:
        async with assemble(plugins, CoreSettings(cache_type="memory", record_store="memory")):
            pytest.fail("it must not open")
    assert f"{NAMED} could not open " in caught.value.detail
    assert told in caught.value.detail
    assert caught.value.remedy == "Repair, update or uninstall acme-plugin."


CLOSINGS = [
    ("raises", "raise KeyError('vault')", "KeyError: 'vault'"),
    ("leaves", "raise SystemExit(3)", "SystemExit: 3"),
]


@pytest.mark.parametrize(("end", "told"), [row[1:] for row in CLOSINGS], ids=[row[0] for row in CLOSINGS])
async def test_what_fails_to_close_is_named_and_the_rest_is_closed(install: Install, caplog, end: str, told: str):
    body = f"yield type('Deaf', (), {{'on_event': print}})()\n    {end}"
    plugins = install(OPENS.format(hook="latchpin_event_listeners", body=body, open="open_it"))
    with caplog.at_level(logging.ERROR, logger="latchpin.plugins"):
        async with assemble(plugins, CoreSettings(cache_type="memory", record_store="memory")):
            pass
    assert caplog.messages == [f"{NAMED} could not close event listeners 'acme-way': {told}"]


async def test_an_error_that_a_plugin_is_told_at_its_end_goes_on(install: Install):
    body = "try:\n        yield type('Deaf', (), {'on_event': print})()\n    finally:\n        raise KeyError('vault')"
    plugins = install(OPENS.format(hook="latchpin_event_listeners", body=body, open="open_it"))
    with pytest.raises(LookupError, match=r"^of the gateway$"):
        async with assemble(plugins, CoreSettings(cache_type="memory", record_store="memory")):
            raise LookupError("of the gateway")


async def test_an_error_of_ours_at_opening_stays_what_it_is_and_is_noted_with_the_plugin(install: Install):
    body = "from latchpin.errors import BackendUnavailable; raise BackendUnavailable('the vault sleeps')\n    yield"
    plugins = install(OPENS.format(hook="latchpin_identity", body=body, open="open_it"))
    with pytest.raises(BackendUnavailable) as caught:
        async with assemble(plugins, CoreSettings(cache_type="memory", record_store="memory")):
            pytest.fail("it must not open")
    assert caught.value.in_full == f"the vault sleeps; {NAMED} could not open identity 'acme-way'"


LISTENER = """
import contextlib
import latchpin

told = []

class AcmeSettings(latchpin.Settings):
    acme_channel: str = "general"

class Listener:
    def __init__(self, channel):
        self.channel = channel

    def on_event(self, fact):
        told.append((self.channel, fact.name, dict(fact.details)))

@contextlib.asynccontextmanager
async def open_it(settings, context):
    await context.records.check()
    yield Listener(settings.acme_channel)
    told.append("closed")

@contextlib.asynccontextmanager
async def open_nothing(settings, context):
    yield None

@latchpin.hookimpl
def latchpin_event_listeners():
    return [
        latchpin.Backend("acme", "ACME", AcmeSettings, open_it),
        latchpin.Backend("acme-off", "ACME", AcmeSettings, open_nothing),
    ]
"""


async def test_a_listener_has_settings_a_context_and_an_end(install: Install, monkeypatch):
    monkeypatch.setenv("ACME_CHANNEL", "alarms")
    plugins = install(LISTENER)
    import acme_plugin_module

    async with assemble(plugins, CoreSettings(cache_type="memory", record_store="memory")) as services:
        await services.activity.tell("tools.fetched", gateway_id="g", count=3)
        assert isinstance(services.activity, Activity)
    told = ("alarms", "tools.fetched", {"count": 3})
    assert acme_plugin_module.told == [told, "closed"]


@pytest.mark.parametrize(
    ("hook_name", "method", "kind"),
    [
        ("latchpin_event_listeners", "on_event", "event listener"),
        ("latchpin_recorders", "record", "recorder"),
        ("latchpin_observers", "begin", "observer"),
    ],
)
async def test_what_fails_while_it_listens_is_named(install: Install, caplog, hook_name: str, method: str, kind: str):
    body = f"yield type('Odd', (), {{'{method}': lambda *_: 1 / 0}})()"
    plugins = install(OPENS.format(hook=hook_name, body=body, open="open_it"))
    async with assemble(plugins, CoreSettings(cache_type="memory", record_store="memory")) as services:
        await services.activity.tell("tools.fetched", gateway_id="g", count=3)
        await services.records.tokens.get("g", "ann@example.com")
    [told] = [line for line in caplog.messages if "failed" in line]
    assert told.startswith(f"The {kind} acme-way ({NAMED}) failed ")
    assert told.endswith("; nothing else is disturbed. Update or uninstall its distribution")


def test_every_hook_has_its_rule():
    """What none of them takes is refused by each."""
    assert CHECKS in HOOKS
    assert [hook.name for hook in HOOKS if misfit(hook, object()) is None] == []


def test_every_hook_is_published_as_a_typed_value():
    """And told of where they are listed."""
    published = {name: value for name, value in vars(hooks).items() if isinstance(value, Hook)}
    assert {hook.name for hook in published.values()} == {hook.name for hook in HOOKS}
    assert set(published) <= set(hooks.__all__)
    assert [name for name in published if f"``{name}``" not in str(hooks.__doc__)] == []
