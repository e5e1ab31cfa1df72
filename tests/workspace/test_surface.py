"""What plugins may import is published, described and listed; the plugins of this repository import nothing else."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
import textwrap
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from latchpin.sdk import PUBLISHED, gateway

ROOT = Path(__file__).resolve().parents[2]
SHORTEST_DESCRIPTION = 100
"""Characters of a published module's docstring."""

OPTIONAL = {("admin_ui", "latchpin_doctor")}
"""A plugin, and another that it imports where that is installed: doctor has pages of the admin UI."""

HEAVY = {"aiohttp", "fastapi", "httpx", "jinja2", "sqlalchemy", "starlette", "typer"}
LIGHT = ["latchpin.sdk", "latchpin.sdk.activity", "latchpin.sdk.settings", "latchpin.sdk.stores", "latchpin.sdk.urls"]
"""Modules that a store imports."""


def sources() -> Iterator[tuple[str, Path]]:
    """Each plugin's name with each of its files. The testing kit is no plugin: it puts whole gateways together."""
    for folder in sorted(ROOT.glob("plugins/*/")):
        if "[project.entry-points.latchpin]" not in (folder / "pyproject.toml").read_text(encoding="utf-8"):
            continue
        for path in sorted(folder.glob("src/**/*.py")):
            yield folder.name, path
    for folder in sorted(ROOT.glob("examples/*/")):
        for path in sorted(folder.rglob("*.py")):
            if path.relative_to(folder).parts[0] != "tests":
                yield folder.name, path


def imported(tree: ast.AST) -> Iterator[tuple[str, str | None]]:
    """Each imported module of the core with each name taken from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((each.name, None) for each in node.names if is_ours(each.name))
        elif isinstance(node, ast.ImportFrom) and is_ours(node.module or ""):
            yield from ((node.module or "", each.name) for each in node.names)


def is_ours(module: str) -> bool:
    return module == "latchpin" or module.startswith("latchpin.")


def unpublished(imports: Iterator[tuple[str, str | None]]) -> set[str]:
    """The modules among them from which more is taken than is published."""
    return {
        module
        for module, name in imports
        if (module not in PUBLISHED and (name is None or f"{module}.{name}" not in PUBLISHED))
        or (module in PUBLISHED and name is not None and name not in names_of(module))
    }


def names_of(module: str) -> set[str]:
    names: list[str] = importlib.import_module(module).__all__
    return set(names)


def test_plugins_import_only_what_is_published():
    found: defaultdict[str, set[str]] = defaultdict(set)
    for plugin, path in sources():
        found[plugin] |= unpublished(imported(ast.parse(path.read_text(encoding="utf-8"))))
    assert len(found) > 9
    assert {plugin: sorted(modules) for plugin, modules in found.items() if modules} == {}


def test_plugins_import_no_other_plugin_but_those_they_are_built_on():
    """What stands among a distribution's dependencies is always there; anything else may be missing, or differ."""
    found = set()
    for plugin, path in sources():
        ours = {each.partition(".")[0] for each in modules_of(ast.parse(path.read_text(encoding="utf-8")))}
        others = {each for each in ours if each.startswith("latchpin_")} - {f"latchpin_{plugin}"}
        found |= {(plugin, each) for each in others - built_on(plugin)}
    assert found == OPTIONAL


def modules_of(tree: ast.AST) -> Iterator[str]:
    """Every imported module, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def built_on(plugin: str) -> set[str]:
    """The packages of ours that it depends on."""
    for folder in (ROOT / "plugins" / plugin, ROOT / "examples" / plugin):
        if (file := folder / "pyproject.toml").exists():
            needed = tomllib.loads(file.read_text(encoding="utf-8"))["project"].get("dependencies", [])
            return {re.split(r"[^A-Za-z0-9-]", each)[0].replace("-", "_") for each in needed}
    return set()


def test_examples_in_the_docs_import_only_what_is_published():
    found = {}
    for page in sorted((ROOT / "docs").glob("*.md")):
        for example in re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
            if wrong := unpublished(imported(ast.parse(textwrap.dedent(example)))):
                found[page.name] = wrong
    assert not found


def test_what_is_internal_is_noticed():
    wrong = "from latchpin.web.pages import failure\nfrom latchpin.errors import causes\nimport latchpin.application"
    assert unpublished(imported(ast.parse(wrong))) == {"latchpin.web.pages", "latchpin.errors", "latchpin.application"}
    right = "from latchpin import errors\nfrom latchpin.sdk import urls\nfrom latchpin.model import Span"
    assert unpublished(imported(ast.parse(right))) == set()


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_module_describes_each_of_its_names(name: str):
    module = importlib.import_module(name)
    text = module.__doc__ or ""
    assert len(text) >= SHORTEST_DESCRIPTION
    assert sorted(set(module.__all__)) == sorted(module.__all__)
    assert [each for each in module.__all__ if not is_described(module, each)] == []


def is_described(module: ModuleType, name: str) -> bool:
    """Whether the module's own text speaks of the name; outside the SDK, the thing's own text does too."""
    if re.search(rf"\b{re.escape(name)}\b", module.__doc__ or ""):
        return True
    text = getattr(module, name).__doc__
    return not module.__name__.startswith("latchpin.sdk") and text not in {None, type(getattr(module, name)).__doc__}


def test_what_plugins_use_of_the_application_is_described():
    used = {name for _, path in sources() for name in re.findall(r"\bapplication\.([a-z]\w+)", path.read_text("utf-8"))}
    assert len(used) > 10
    text = gateway.__doc__ or ""
    assert {name for name in used if f"``{name}``" not in text} == {"services"}
    described = set(re.findall(r"^- ``(\w+)``", text, re.MULTILINE))
    made = inspect.getsource(gateway.Application)
    assert {name for name in described if f"self.{name} = " not in made and f"def {name}(" not in made} == set()


def test_the_docs_list_exactly_these_modules():
    page = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    section = page.partition("## What a plugin may import")[2].partition("\n## ")[0]
    assert tuple(re.findall(r"^\| `([\w.]+)` \|", section, re.MULTILINE)) == PUBLISHED


@pytest.mark.parametrize("module", LIGHT)
def test_a_store_loads_no_web_framework(module: str):
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert set(loaded.split()) & HEAVY == set()
