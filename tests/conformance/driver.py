"""What the suite starts for each scenario: it hands the scenario to the person who waits, and ends as told.

Standard library only, since the suite starts dozens at once; ``client.py`` does the rest, in the
runner. The exit status is 0 if the work was done, 1 if the gateway refused.
"""

from __future__ import annotations

import json
import os
import socket
import sys


def main() -> int:
    """Run one scenario; the suite gives the URL as the last argument and the rest in the environment."""
    scenario = {
        "url": sys.argv[-1],
        "name": os.environ["MCP_CONFORMANCE_SCENARIO"],
        "context": json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}")),
        "version": os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", "2025-11-25"),
    }
    with socket.socket(socket.AF_UNIX) as line, line.makefile("rw") as talk:
        line.connect(os.environ["LATCHPIN_PERSON"])
        talk.write(json.dumps(scenario) + "\n")
        talk.flush()
        refusal = json.loads(talk.readline())
    if refusal is None:
        return 0
    sys.stderr.write(f"{refusal}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
