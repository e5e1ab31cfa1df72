"""What is sealed anywhere is named for a rotation, or passes by itself: nothing is left under a key that goes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from latchpin.plugins.hookspecs import KEY_USES
from latchpin.plugins.host import Plugins

from tests.key_ring.conftest import NEEDS

pytestmark = pytest.mark.needs(*NEEDS, "latchpin_aggregator", "latchpin_cimd", "latchpin_oidc_login")

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path for folder in ("core/src", "plugins") for path in sorted((ROOT / folder).rglob("*.py"))]
SEALS = re.compile(r"cipher\.seal\(")
COUNTED = {
    "core/src/latchpin/clients/secrets.py": {"gateways' secrets", "registered clients"},
    "core/src/latchpin/identity/assertion_store.py": {"ID tokens handed in"},
    "core/src/latchpin/tokens/sealing.py": {"users' tokens"},
    "core/src/latchpin/workers/keys.py": {"random keys that workers share"},
    "plugins/audit/src/latchpin_audit/pseudonyms.py": {
        "people's keys in the audit log",
        "people's names in the audit log",
    },
    "plugins/cimd/src/latchpin_cimd/signing_key.py": {"keys that prove the client (CIMD)"},
}
"""Each file that seals something by itself, and what its rows are called."""
PASSES = {
    "core/src/latchpin/authorization/start.py",  # for STATE_TTL_SECONDS, as long as a key is kept after its time
    "plugins/oidc_login/src/latchpin_oidc_login/state.py",  # likewise
    "core/src/latchpin/records/key_uses.py",  # seals anew
    "core/src/latchpin/records/sealed.py",  # the collections
    "plugins/key_ring/src/latchpin_key_ring/keeping.py",  # wraps the ring, and wraps it anew
}


def named() -> set[str]:
    return {use.name for use in Plugins().values(KEY_USES)}


def sealed_collections(path: Path) -> Iterator[str]:
    """The names of those that a file declares."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        declares = isinstance(node, ast.Call) and ast.unparse(node.func) == "CollectionSpec"
        if declares and "sealed" in {each.arg for each in node.keywords} and "testing" not in path.parts:
            yield ast.literal_eval(node.args[0])


def test_every_collection_with_sealed_members_is_named():
    found = {f"documents of {name}" for path in SOURCES for name in sealed_collections(path)}
    assert len(found) > 2
    assert found - named() == set()


def test_everything_that_seals_by_itself_is_named_or_passes():
    found = {
        path.relative_to(ROOT).as_posix()
        for path in SOURCES
        if "testing" not in path.parts and SEALS.search(path.read_text(encoding="utf-8"))
    }
    assert found - PASSES == COUNTED.keys()
    assert set().union(*COUNTED.values()) - named() == set()


def test_no_two_have_one_name():
    names = [use.name for use in Plugins().values(KEY_USES)]
    assert len(names) == len(set(names))
