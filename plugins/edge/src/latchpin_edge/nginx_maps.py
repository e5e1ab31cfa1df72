"""What nginx can tell of a request, in its maps: who calls, and whether the native way takes it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from latchpin_edge.nginx_words import APART, block, quoted
from latchpin_edge.plan import Plan

__all__ = ["maps"]

# A member's name may be written with escapes, and the method twice; then, too, the proxy reads it.
_OF_INTEREST = (
    r'"method"(?s:.*?)"method"|"tasks\\?/|"(?:requestState|inputResponses|taskIds?|task)"|related-task|"elicitation"'
    r"|\\u00[2-7]|[\x00]"
)
_TOLD = (
    "request_method",
    "args",
    "http_sec_fetch_site",
    "http_content_encoding",
    "http_mcp_method",
    "content_length",
    "latchpin_origin",
    "http_content_type",
    "http_authorization",
    "latchpin_named",
)
"""Each on a line of ``_FIELDS``: no header field can have two. A query that may name one of several accounts is the
proxy's."""
_FIELDS = (
    r"^POST\n(?:(?!account)[^%\n])*+\n(?:same-origin|none)?\n(?:identity)?\n(?:tools/call)?\n[0-9]{1,5}\n1\n"
    r"(?i:application/json[ \t]*(?:;[ \t]*charset=utf-8[ \t]*)?)\n(?:(?i:bearer) [A-Za-z0-9._~+/-]+=*\n[01]|\n1)$"
)
_SEES_ALL = "~^1 (?!1[.](?:[0-9]|1[0-9]|2[0-2])[.])"
"""From 1.23 on, a field that comes twice is seen as one with both values; before, a caller's could hide the proxy's."""
_CALL = r'^\s*+\{\s*+(?=")[^{}\[\]]*?(?<!\\)"method"\s*+:\s*+"tools/call"'
"""The message's own method: nothing nested stands before it."""


def maps(plan: Plan) -> Iterator[str]:
    """What can be told of a request: ``1`` where the native way takes it."""
    nets = [f"{each} 1;" for each in plan.proxies] if plan.user_header else []
    yield from block("geo $remote_addr $latchpin_front", ["default 0;", *nets])
    named = [f"{quoted(_SEES_ALL)} $http_{plan.user_header.replace('-', '_')};"] if plan.user_header else []
    yield from block('map "$latchpin_front $nginx_version" $latchpin_user', ['default "";', *named])
    yield from block("map $latchpin_user $latchpin_named", ["default 1;", '"" 0;'])
    # The end of a token tells callers apart; a key that is too long would come into the log.
    end = ["default $http_authorization;", '"~^(?s:.*+)(?<=(?<latchpin_last>.{64}))" $latchpin_last;']
    yield from block("map $http_authorization $latchpin_end", end)
    yield from block("map $http_origin $latchpin_origin", ["default 0;", '"" 1;', f"{quoted(plan.origin)} 1;"])
    fields = APART.join(f"${name}" for name in _TOLD)
    yield from block(f'map "{fields}" $latchpin_first', ["default proxy;", f"{quoted('~' + _FIELDS)} native;"])
    body = ["default proxy;", f"{quoted('~' + _OF_INTEREST)} proxy;", f"{quoted('~' + _CALL)} native;"]
    yield from block("map $request_body $latchpin_body", body)
