"""Where a browser is sent; after signing in, to our own pages only (RFC 9700 section 4.11)."""

from __future__ import annotations

import re
from urllib.parse import unquote

from fastapi.responses import RedirectResponse, Response

__all__ = ["HOME", "lead_to", "parse_target"]

HOME = "/"
MAX_TARGET = 4096
_ROUNDS = 5
_WRITTEN = re.compile(r"[A-Za-z0-9:/?#\[\]@!$&'()*+,;=%._~-]+")  # RFC 3986 section 2
_NOT_A_TARGET = ("/login", "/logout")


def lead_to(url: str, status: int) -> Response:
    """A redirect. Most URLs are written as they have to be, and are not quoted once more: that costs 10 us."""
    if _WRITTEN.fullmatch(url):
        response = Response(status_code=status)
        response.raw_headers.append((b"location", url.encode("ascii")))
        return response
    return RedirectResponse(url, status_code=status)


def parse_target(text: object) -> str:
    r"""Read a path of ours, with its query, from an untrusted ``next``; anything else becomes ``/``.

    It is judged as it stands and after every round of percent-decoding, because whoever passes it on may
    decode it once more. Backslashes and control characters are refused anywhere: browsers read ``/\host`` as
    ``//host`` and drop tabs and line breaks.
    """
    if not isinstance(text, str) or len(text) > MAX_TARGET:
        return HOME
    seen = text
    for _ in range(_ROUNDS):
        if not _is_local(seen):
            return HOME
        decoded = unquote(seen, errors="replace")
        if decoded == seen:
            return HOME if _signs_in_or_out(seen) else text
        seen = decoded
    return HOME


def _signs_in_or_out(text: str) -> bool:
    path = text.partition("?")[0].rstrip("/")
    return any(path == each or path.startswith(f"{each}/") for each in _NOT_A_TARGET)


def _is_local(text: str) -> bool:
    return (
        text.startswith("/")
        and not text.startswith("//")
        and "\\" not in text
        and text.replace(" ", "").isprintable()
        and not text.startswith(" ")
    )
