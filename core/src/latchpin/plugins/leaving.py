"""Published names and hooks that go with the next first number of ``HOOK_API``, and which plugins use them.

A name is entered in ``LEAVING`` while it still works, and removed one first number later at the earliest. Until then
whoever runs the gateway, and whoever writes the plugin, is told what takes its place. A plugin's source is read for
that and not run, so a use is found wherever it stands, also where the plugin seldom comes along.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from latchpin.errors import PluginError

if TYPE_CHECKING:
    import ast

__all__ = ["ATTRIBUTES", "CALLS", "LEAVING", "PEOPLE", "Leaving", "find_uses", "finder_of_moved", "load_moved"]

_log = logging.getLogger("latchpin.plugins")


@dataclass(frozen=True, slots=True)
class Leaving:
    """Something that plugins should not use any more.

    Attributes:
        name: as in ``latchpin.sdk.gateway.is_id``; of a hook, what the plugin's function is called.
        since: the ``HOOK_API`` from which on it is said.
        instead: what does the same, in a few words.
    """

    name: str
    since: str
    instead: str

    @property
    def module(self) -> str:
        """Where it is; ``""`` for a hook."""
        return self.name.rpartition(".")[0]

    @property
    def last(self) -> str:
        """The name without its module."""
        return self.name.rpartition(".")[2]

    def __str__(self) -> str:
        """What is said of a plugin that uses it."""
        gone = int(self.since.partition(".")[0]) + 1
        return f"{self.name}, which goes with hook API {gone}.0: use {self.instead}"


def _moved(since: str, module: str, place: str, *names: str) -> tuple[Leaving, ...]:
    """Names that a published module had, and another distribution's module has now."""
    return tuple(Leaving(f"{module}.{name}", since, f"{place}.{name}") for name in names)


LEAVING: tuple[Leaving, ...] = (
    *_moved("1.0", "latchpin.sdk.gateway", "latchpin_offboarding.people", "Departed"),
    *_moved("1.0", "latchpin.sdk.calls", "latchpin_mcp.calls", "CallObservers", "NotKept", "WatchedCall"),
    *_moved("1.0", "latchpin.sdk.mcp", "latchpin_mcp.header_values", "decode_value", "encode_value"),
    *_moved("1.0", "latchpin.sdk.mcp", "latchpin_mcp.message", "Message", "Refused", "parse_message", "says_utf8"),
    *_moved(
        "1.0",
        "latchpin.sdk.mcp",
        "latchpin_mcp.parts",
        "Part",
        "TwiceError",
        "read_elements",
        "read_members",
        "read_object",
        "read_value",
        "replace_parts",
    ),
)
"""All that a plugin's source shows. What is entered here stays in docs/plugins.md and in the changelog too."""

CALLS = Leaving("Services.calls", "1.0", "latchpin_mcp.calls.open_calls")
PEOPLE = Leaving("Application.people", "1.0", "latchpin_offboarding.people.People")
ATTRIBUTES = (CALLS, PEOPLE)
"""What no source shows: only the docs name these."""


def finder_of_moved(module: str) -> Callable[[str], Any]:
    """Make the ``__getattr__`` of a published module (PEP 562) whose moved names are still found in it.

    Args:
        module: its ``__name__``.
    """

    def find(name: str) -> Any:  # noqa: ANN401  a module's attributes are anything
        moved = next((each for each in LEAVING if each.name == f"{module}.{name}"), None)
        if moved is None:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return load_moved(moved.instead)

    return find


def load_moved(place: str) -> Any:  # noqa: ANN401  as above
    """What is at ``package.module.name`` in another distribution.

    Raises:
        PluginError: that distribution is not installed.
    """
    try:
        return resolve_name(place)
    except ModuleNotFoundError as exc:
        package = place.partition(".")[0]
        if exc.name != package:
            raise
        distribution = package.replace("_", "-")
        raise PluginError(f"{place} is in {distribution}", remedy=f"Install {distribution} with pip.") from exc


def find_uses(package: str, leaving: Iterable[Leaving]) -> Sequence[Leaving]:
    """Which of these the source of a package, or of a module, uses. Nothing of it is imported."""
    wanted = list(leaving)
    found = {use for path in _sources(package) for use in _uses(path, wanted)} if wanted else set()
    return [each for each in wanted if each in found]


def _sources(package: str) -> Iterator[Path]:
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        yield from Path(folder).rglob("*.py")
    if spec is not None and spec.origin is not None and spec.submodule_search_locations is None:
        yield Path(spec.origin)


def _uses(path: Path, leaving: Sequence[Leaving]) -> Iterator[Leaving]:
    import ast  # noqa: PLC0415  seldom needed

    try:
        text = path.read_text(encoding="utf-8")
        likely = [each for each in leaving if each.last in text and _speaks_of(text, each.module)]
        tree = ast.parse(text) if likely else None
    except (OSError, ValueError, SyntaxError) as exc:
        _log.debug("%s cannot be read for names that go", path, exc_info=exc)
        return
    names = set(_names(tree)) if tree is not None else set()
    yield from (each for each in likely if each.name in names)


def _speaks_of(text: str, module: str) -> bool:
    """Whether a source may import a module: parsing all the others would take seconds."""
    package, _, last = module.rpartition(".")
    return module in text or (last in text and f"from {package} import" in text)


def _names(tree: ast.Module) -> Iterator[str]:
    """The full names that a source uses: what it imports, what it reads of an imported module, and its functions."""
    import ast  # noqa: PLC0415  as above

    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {each.asname or each.name: each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for each in node.names:
                yield f"{node.module}.{each.name}"
                modules[each.asname or each.name] = f"{node.module}.{each.name}"
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (base := ast.unparse(node.value)) in modules:
            yield f"{modules[base]}.{node.attr}"
