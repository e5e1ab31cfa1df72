"""Writes a distribution from the templates."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.resources import files
from pathlib import Path
from string import Template

from latchpin import HOOK_API, __version__
from latchpin.errors import SettingsError

__all__ = ["KINDS", "write_plugin"]

KINDS = (
    "state-store",
    "record-store",
    "signer",
    "cipher",
    "key-wrapper",
    "registrar",
    "auth-scheme",
    "identity",
    "routes",
    "checks",
    "commands",
)

_STORES = ("state-store", "record-store")
_NEEDS = dict.fromkeys(_STORES, ("latchpin-key-value",)) | {"auth-scheme": ("latchpin-api-keys",)}


def write_plugin(kind: str, name: str, folder: Path) -> Path:
    """Write the distribution ``name`` into a folder of its own below ``folder``, and give that.

    Raises:
        SettingsError: there is no such kind, the name is none, or something is there already.
    """
    if kind not in KINDS:
        raise SettingsError(f"{kind!r} is no kind of plugin", remedy=f"Name one of: {', '.join(KINDS)}.")
    module = name.replace("-", "_")
    taken = keyword.iskeyword(module) or module in sys.stdlib_module_names or module.startswith("latchpin")
    if taken or re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) is None:
        remedy = "Use lower-case words with hyphens, as in acme-vault; not 'latchpin', and no module of Python."
        raise SettingsError(f"{name!r} cannot be the name of a plugin", remedy=remedy)
    made = folder / name
    if made.exists():
        raise SettingsError(f"{made} is there already", remedy="Choose another name, or another --folder.")
    for path, text in _texts(kind, name, module).items():
        place = made / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    return made


def _texts(kind: str, name: str, module: str) -> dict[str, str]:
    """Each file of the distribution, by its path."""
    needs = ["latchpin", *_NEEDS.get(kind, ())]
    names = {
        "kind": kind,
        "name": name,
        "module": module,
        "Name": "".join(word.capitalize() for word in name.split("-")),
        "NAME": module.upper(),
        "api": HOOK_API,
        "version": __version__,
        "needs": ", ".join(f'"{need}>={__version__}"' for need in needs),
    }

    def text(template: str) -> str:
        source = (files("latchpin_scaffold") / "templates" / f"{template}.tmpl").read_text(encoding="utf-8")
        return Template(source).substitute(names)

    texts = {
        "pyproject.toml": text("pyproject"),
        "README.md": text("readme"),
        f"src/{module}/__init__.py": f'"""{name}: a plugin for Latchpin."""\n',
        f"src/{module}/py.typed": "",
        f"src/{module}/plugin.py": text(kind),
        f"tests/test_{module}.py": text(f"test-{kind}"),
    }
    if kind in _STORES:
        texts[f"src/{module}/store.py"] = text("key-value")
    if kind == "commands":
        texts[f"src/{module}/commands.py"] = text("typer-app")
    return texts
