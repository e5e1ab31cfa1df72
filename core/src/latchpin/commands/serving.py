"""``latchpin serve`` and ``latchpin plugins``."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.table import Table

from latchpin.assembly import select_stores
from latchpin.commands.console import out, print_json, say
from latchpin.configuration import CoreSettings
from latchpin.errors import LatchpinError, PluginError
from latchpin.logs import set_up_logging
from latchpin.plugins import Offer, Plugins
from latchpin.serve import require_servable
from latchpin.serve import serve as run_server
from latchpin.settings import load

app = typer.Typer()


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [HOST].")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on [PORT].")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes [WORKERS].")] = None,
) -> None:
    """Serve the gateway until Ctrl-C.

    Settings come from the environment and .env; an option here wins over both. Workers read the same.
    """
    for name, value in (("HOST", host), ("PORT", port), ("WORKERS", workers)):
        if value is not None:
            os.environ[name] = str(value)
    settings = load(CoreSettings)
    require_servable(Plugins(), settings)
    set_up_logging(settings)
    raise typer.Exit(run_server(settings))


@app.command()
def plugins(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the installed plugins: what each offers, and what is selected and why.

    Exits with 1 if a plugin cannot be loaded.
    """
    installed = Plugins()
    broken = [plugin for plugin in installed.installed if plugin.error is not None]
    rows, clash = _offered(installed)
    rows += [
        {"distribution": plugin.distribution, "version": plugin.version, "plugin": plugin.name, "offers": "(broken)",
         "name": "", "selected": f"failed to load: {plugin.error}"}
        for plugin in broken
    ]  # fmt: skip
    if as_json:
        print_json(rows)
    else:
        table = Table("distribution", "version", "offers", "name", "selected")
        for row in rows:
            table.add_row(*(row[key] for key in ("distribution", "version", "offers", "name", "selected")))
        out.print(table)
    if clash:
        say(f"error: {clash}")
    if broken or clash:
        raise typer.Exit(1)


def _offered(installed: Plugins) -> tuple[list[dict[str, str]], str]:
    """A row for each offer, and what is wrong with them together, if anything."""
    try:
        offers = installed.all_offers()
    except PluginError as exc:
        rows = [
            {"distribution": each.distribution, "version": each.version, "plugin": each.name, "offers": "", "name": "",
             "selected": "unknown: see the error"}
            for each in installed.installed if each.error is None
        ]  # fmt: skip
        return rows, exc.detail
    reasons = _reasons(installed)
    return [_row(offer, reasons) for offer in offers], ""


def _row(offer: Offer, reasons: dict[tuple[str, str], str]) -> dict[str, str]:
    return {
        "distribution": offer.plugin.distribution,
        "version": offer.plugin.version,
        "plugin": offer.plugin.name,
        "offers": offer.hook.removeprefix("latchpin_").replace("_", " "),
        "name": offer.name,
        "selected": reasons.get((offer.hook, offer.name), reasons.get((offer.hook, "*"), "no")),
    }


def _reasons(installed: Plugins) -> dict[tuple[str, str], str]:
    """Why each offer is selected, by hook and name; ``*`` stands for all of a hook."""
    reasons = {
        (hook, "*"): f"yes: {why}"
        for hook, why in (
            ("latchpin_client_registrar", "all are asked, in order of rank"),
            ("latchpin_identity", "all are asked"),
            ("latchpin_client_authentications", "chosen for each gateway"),
            ("latchpin_commands", "all"),
            ("latchpin_event_listeners", "all"),
            ("latchpin_routes", "all"),
            ("latchpin_settings", "all"),
        )
    }
    try:
        settings = load(CoreSettings)
        pkce = settings.oauth_preferred_code_challenge_method
        reasons["latchpin_signer", settings.signer] = f"yes: SIGNER={settings.signer}"
        reasons["latchpin_cipher", settings.cipher] = f"yes: CIPHER={settings.cipher}"
        reasons["latchpin_pkce_methods", pkce] = f"yes: OAUTH_PREFERRED_CODE_CHALLENGE_METHOD={pkce}"
        selection = select_stores(installed, settings)
    except LatchpinError as exc:
        say(f"warning: {exc.detail or exc.public}")
        return reasons
    if selection.state is not None:
        reasons["latchpin_state_store", selection.state.name] = f"yes: {selection.state_reason}"
    reasons["latchpin_record_store", selection.record.name] = f"yes: {selection.record_reason}"
    return reasons
