"""The list of an MCP server's tools, all pages: what can be used is kept, and what cannot is named.

The SDK reads a page as a whole, so that one odd tool would lose all the others. Each tool is looked at before.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pydantic import ValidationError

from latchpin.errors import UpstreamUnreadable

if TYPE_CHECKING:
    from mcp import Client

__all__ = ["LeftOut", "Listing", "Sieve", "list_pages", "said_of"]

METHOD = "tools/list"
LONGEST_NAME = 255
SHOWN_NAME = 100
BARREN_PAGES = 3
"""After so many pages in a row without a new tool the list has ended, whatever it says."""
USUAL_VERSION = "2025-11-25"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A tool that is not among those kept: its name, or its number where that is none, and why."""

    name: str
    reason: str


@dataclass(slots=True)
class Listing:
    """What a server lists.

    Attributes:
        tools: as the server's own JSON objects, in its order; of several with one name, the first.
        left_out: the others.
        remarks: what is wrong with the list itself.
    """

    tools: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


async def list_pages(client: Client, sieve: Sieve, host: str, *, most: int) -> Listing:
    """Every page, until the list ends or goes round in a circle.

    Raises:
        UpstreamUnreadable: there are more than ``most`` tools.
    """
    listing, tools, cursors, barren = sieve.listing, dict[str, dict[str, Any]](), set[str](), 0
    cursor: str | None = None
    while True:
        page, known = await client.list_tools(cursor=cursor), len(tools)
        sieve.note_dropped({tool.name for tool in page.tools})
        for tool in page.tools:
            tools.setdefault(tool.name, tool.model_dump(mode="json", by_alias=True, exclude_unset=True))
        if len(tools) > most:
            raise UpstreamUnreadable(f"{host} lists more than {most:,} tools")
        cursor, barren = page.next_cursor, barren + 1 if len(tools) == known else 0
        if cursor in cursors:
            listing.remarks.append("the list names a page that was there before, and was taken to end there")
        elif cursor is not None and barren == BARREN_PAGES:
            listing.remarks.append("the list goes on and on without another tool, and was taken to end there")
        elif cursor is not None:
            cursors.add(cursor)
            continue
        listing.tools = list(tools.values())
        return listing


class Sieve:
    """Lets the tools that the protocol allows through to the SDK, and keeps a record of the others."""

    def __init__(self) -> None:
        self.listing = Listing()
        self.version: Callable[[], str | None] = lambda: None
        self._passed: set[str] = set()
        self._seen = 0

    @asynccontextmanager
    async def within(self, transport: AbstractAsyncContextManager[Any]) -> AsyncIterator[tuple[Any, Any]]:
        """``transport``, sifted."""
        async with transport as (read, write):
            yield _Sifted(read, self.sift), write

    def sift(self, item: Any) -> Any:  # noqa: ANN401  a message, or an exception of the SDK's
        """The same message, in which odd tools are missing."""
        result = getattr(getattr(item, "message", None), "result", None)
        if isinstance(result, dict) and isinstance(result.get("tools"), list):
            item.message.result = self._sift(result)
        return item

    def note_dropped(self, listed: set[str]) -> None:
        """What the SDK itself left out of a page, which it does without a word."""
        for name in sorted(self._passed - listed):
            self._leave_out(name, "its x-mcp-header annotations are not what MCP allows")
        self._passed = set()

    def _sift(self, result: dict[str, Any]) -> dict[str, Any]:
        kept = []
        for tool in result["tools"]:
            self._seen += 1
            name = tool.get("name") if isinstance(tool, dict) else None
            if (reason := _judge_name(tool, name) or self._judge(result, tool)) is None:
                kept.append(tool)
                self._passed.add(str(name))
            else:
                self._leave_out(name, reason)
        cursor = result.get("nextCursor")
        if cursor is not None and not isinstance(cursor, str):
            self.listing.remarks.append("the list's nextCursor is no text, so that there may be more tools")
            cursor = None
        return {**result, "tools": kept, "nextCursor": cursor}

    def _judge(self, result: dict[str, Any], tool: dict[str, Any]) -> str | None:
        """Why the SDK would refuse the page for this tool; None if it would not."""
        from mcp_types.methods import parse_server_result  # noqa: PLC0415  with the SDK, only where tools are fetched

        alone = {name: value for name, value in result.items() if name != "nextCursor"}
        try:
            parse_server_result(METHOD, self.version() or USUAL_VERSION, {**alone, "tools": [tool]})
        except ValidationError as exc:
            return said_of(exc, below=("tools", 0))
        return None

    def _leave_out(self, name: object, reason: str) -> None:
        shown = name[:SHOWN_NAME] if isinstance(name, str) and name else f"no. {self._seen}"
        shown = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in shown)
        self.listing.left_out.append(LeftOut(shown, reason))


class _Sifted:
    """The SDK's stream of messages, each of them sifted."""

    def __init__(self, stream: Any, sift: Callable[[Any], Any]) -> None:  # noqa: ANN401  its type is the SDK's own
        self._stream = stream
        self._sift = sift

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  all else is the stream's
        return getattr(self._stream, name)

    async def receive(self) -> Any:  # noqa: ANN401
        return self._sift(await self._stream.receive())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:  # noqa: ANN401
        return self._sift(await anext(self._stream))

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        ended: bool | None = await self._stream.__aexit__(kind, exc, trace)
        return ended


def _judge_name(tool: object, name: object) -> str | None:
    if not isinstance(tool, dict):
        return "it is no object"
    if not isinstance(name, str) or not name:
        return "it has no name"
    if len(name) > LONGEST_NAME:
        return f"its name is longer than {LONGEST_NAME} characters"
    return None if name.isprintable() else "its name has a character that cannot be seen"


def said_of(exc: ValidationError, *, below: tuple[str | int, ...] = ()) -> str:
    """Where something is not what MCP says, short and in ASCII; ``below`` is not repeated."""
    first = exc.errors(include_url=False, include_input=False, include_context=False)[0]
    place = first["loc"][len(below) :] if first["loc"][: len(below)] == below else first["loc"]
    return f"{'.'.join(map(str, place))[:100]!a}: {first['msg'][:100]!a}"
