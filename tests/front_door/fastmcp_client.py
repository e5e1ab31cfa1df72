"""FastMCP's client with ``auth="oauth"`` alone. Calls the tool that each line names, and prints a line each."""

from __future__ import annotations

import asyncio
import json
import sys

from fastmcp import Client


async def main() -> None:
    """Connect to the URL of the first argument, and call until there are no more lines."""
    async with Client(sys.argv[1], auth="oauth") as client:
        while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
            try:
                result = await client.call_tool(line, {})
                said = {"text": "".join(getattr(part, "text", "") for part in result.content)}
            except Exception as exc:  # noqa: BLE001  what it says is what a person would see
                said = {"error": f"{type(exc).__name__}: {exc}"}
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
