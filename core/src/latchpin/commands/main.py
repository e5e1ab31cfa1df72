"""The command ``latchpin``.

A worker process imports this module too, so all that a command line needs is imported when one is there.
"""

from __future__ import annotations

import sys

__all__ = ["main"]

FAILED = 1


def main() -> None:
    """Run the command line; an expected failure is one sentence and a remedy on stderr, and exit code 1."""
    from latchpin.serving.collecting import collect_little, leave_to_the_end  # noqa: PLC0415  see above

    collect_little()
    from latchpin.commands.command_line import build  # noqa: PLC0415
    from latchpin.errors import LatchpinError, PluginError, SettingsError  # noqa: PLC0415

    try:
        build()()
    except LatchpinError as exc:
        kind = "configuration error" if isinstance(exc, SettingsError | PluginError) else "error"
        sys.stderr.write(f"latchpin: {kind}: {exc.in_full}\n")
        if remedy := exc.for_operator():
            sys.stderr.write(f"  remedy: {remedy}\n")
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        leave_to_the_end()
