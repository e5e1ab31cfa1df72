"""``jq`` without a filter: JSON, pretty-printed."""

from __future__ import annotations

import json
import sys


def main() -> None:
    """Print standard input's document with two spaces of indentation."""
    if sys.argv[1:]:
        sys.exit(f"this stand-in knows no filters; it was given: {sys.argv[1:]}")
    sys.stdout.write(json.dumps(json.load(sys.stdin), indent=2, ensure_ascii=False) + "\n")


main()
