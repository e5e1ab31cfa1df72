"""The MCP clients that people have, and how each is told a URL. Pure.

Each format is that of the client's own documentation, which ``Program.documentation`` names.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

__all__ = ["PROGRAMS", "Program", "Snippet", "find_program", "short_name"]

Kind = Literal["link", "command", "file", "steps"]


@dataclass(frozen=True, slots=True)
class Snippet:
    """One way to tell a client the URL.

    Attributes:
        kind: a link that the client opens, a command, a piece of a file, or what to click.
        label: where it goes, as a heading.
        text: what is opened, typed, pasted or done.
    """

    kind: Kind
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Program:
    """An MCP client.

    Attributes:
        key: what the command line calls it.
        name: what people call it.
        documentation: where its makers describe the format.
        signs_in: what a person does next.
        build: a short name and the URL to the ways, the easiest first.
    """

    key: str
    name: str
    documentation: str
    signs_in: str
    build: Callable[[str, str], tuple[Snippet, ...]] = field(repr=False)


def find_program(key: str) -> Program | None:
    """The client of that key; None if it is not known."""
    return next((program for program in PROGRAMS if program.key == key.lower()), None)


def short_name(text: str) -> str:
    """A name that every client takes: small letters, digits and dashes, 1 to 32 of them."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:32].strip("-") or "latchpin"


def _claude_code(name: str, url: str) -> tuple[Snippet, ...]:
    return (
        Snippet("command", "In a terminal", f"claude mcp add --transport http {name} {shlex.quote(url)}"),
        Snippet("file", ".mcp.json of a project", _json({"mcpServers": {name: {"type": "http", "url": url}}})),
    )


def _claude(_name: str, url: str) -> tuple[Snippet, ...]:
    return (Snippet("steps", "Settings, Connectors, Add custom connector: enter this URL", url),)


def _vs_code(name: str, url: str) -> tuple[Snippet, ...]:
    entry = {"name": name, "type": "http", "url": url}
    return (
        Snippet("link", "One click", f"vscode:mcp/install?{quote(_compact(entry), safe='')}"),
        Snippet("command", "In a terminal", f"code --add-mcp {shlex.quote(_compact(entry))}"),
        Snippet("file", ".vscode/mcp.json", _json({"servers": {name: {"type": "http", "url": url}}})),
    )


def _cursor(name: str, url: str) -> tuple[Snippet, ...]:
    config = base64.b64encode(_compact({"url": url}).encode()).decode()
    link = f"cursor://anysphere.cursor-deeplink/mcp/install?name={quote(name, safe='')}&config={quote(config, safe='')}"
    return (
        Snippet("link", "One click", link),
        Snippet("file", "~/.cursor/mcp.json", _json({"mcpServers": {name: {"url": url}}})),
    )


def _chatgpt(_name: str, url: str) -> tuple[Snippet, ...]:
    where = "Settings, Apps and Connectors, Advanced settings: switch developer mode on; then Create, with this URL"
    return (Snippet("steps", where, url),)


def _codex(name: str, url: str) -> tuple[Snippet, ...]:
    return (
        Snippet("command", "In a terminal", f"codex mcp add {name} --url {shlex.quote(url)}"),
        Snippet("file", "~/.codex/config.toml", f"[mcp_servers.{name}]\nurl = {json.dumps(url)}\n"),
    )


def _gemini_cli(name: str, url: str) -> tuple[Snippet, ...]:
    return (
        Snippet("command", "In a terminal", f"gemini mcp add --transport http {name} {shlex.quote(url)}"),
        Snippet("file", "~/.gemini/settings.json", _json({"mcpServers": {name: {"httpUrl": url}}})),
    )


def _zed(name: str, url: str) -> tuple[Snippet, ...]:
    return (Snippet("file", "Zed's settings.json", _json({"context_servers": {name: {"url": url}}})),)


PROGRAMS = (
    Program(
        "claude-code",
        "Claude Code",
        "https://code.claude.com/docs/en/mcp",
        "Type /mcp in Claude Code, choose the server, and sign in.",
        _claude_code,
    ),
    Program(
        "claude",
        "Claude (web and desktop)",
        "https://support.claude.com/en/articles/11175166",
        "Choose Connect beside the new connector, and sign in.",
        _claude,
    ),
    Program(
        "vscode",
        "VS Code",
        "https://code.visualstudio.com/docs/copilot/customization/mcp-servers",
        "Start the server in VS Code; it opens your browser to sign in.",
        _vs_code,
    ),
    Program(
        "cursor",
        "Cursor",
        "https://cursor.com/docs/context/mcp",
        "Choose Connect beside the server in Cursor's settings, and sign in.",
        _cursor,
    ),
    Program(
        "chatgpt",
        "ChatGPT",
        "https://platform.openai.com/docs/guides/developer-mode",
        "Choose OAuth, then Create; ChatGPT opens the sign-in.",
        _chatgpt,
    ),
    Program(
        "codex",
        "Codex",
        "https://developers.openai.com/codex/mcp",
        "Sign in with: codex mcp login and the name of the server.",
        _codex,
    ),
    Program(
        "gemini-cli",
        "Gemini CLI",
        "https://geminicli.com/docs/tools/mcp-server",
        "Type /mcp auth and the name of the server in Gemini CLI, and sign in.",
        _gemini_cli,
    ),
    Program(
        "zed",
        "Zed",
        "https://zed.dev/docs/ai/mcp",
        "Zed asks you to authenticate, and opens your browser.",
        _zed,
    ),
)
"""In the order in which people see them."""


def _compact(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2)
