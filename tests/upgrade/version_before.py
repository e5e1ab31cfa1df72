"""The SQL store as it was before the newest migration: its source of today, taken back to the schema before.

A checkout has no earlier version that tests could count on. So what the migration added is taken out of a copy of the
package, statement by statement; each edit insists on finding what it takes out. With a newer migration these edits are
written anew.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

HEAD, BEFORE = "0006", "0005"

EDITS = {
    "schema.py": {f'HEAD = "{HEAD}"': f'HEAD = "{BEFORE}"'},
    "tables.py": {
        '    Column("connection", String(16), nullable=False, server_default="own"),\n': "",
        '    Column("api_key", ApiKeyMembers),\n': "",
        '    Column("label", LABEL, nullable=False, server_default=""),\n': "",
        '    Column("chosen_at", UtcTime),\n': "",
        '    Column("connected_by", EMAIL),\n': "",
        '"app_user_email", "label", name="uq_oauth_tokens_account"': '"app_user_email"',
    },
    "tokens.py": {
        '_ACCOUNT = and_(_OWNER, tokens.c.label == bindparam("of_label"))': "_ACCOUNT = _OWNER",
        'owner | {"of_label": label}': "owner",
        "statement = statement.where(tokens.c.label == label)": "pass",
        ', "of_label": label}': "}",
    },
}


def make_version_before(folder: Path) -> Path:
    """Put the package into ``folder``, which goes first on ``PYTHONPATH``."""
    spec = find_spec("latchpin_sql_store")
    assert spec is not None
    assert spec.origin is not None
    package = folder / "latchpin_sql_store"
    shutil.copytree(Path(spec.origin).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, edits in EDITS.items():
        text = (package / name).read_text()
        for old, new in edits.items():
            assert text.count(old) == 1, f"{name} has not {old!r} once: write the version before {HEAD} anew"
            text = text.replace(old, new)
        (package / name).write_text(text)
    (migration,) = (package / "migrations" / "versions").glob(f"v{HEAD}_*.py")
    migration.unlink()
    return folder
