"""Where a browser may be sent after signing in: to our own pages only (RFC 9700 section 4.11)."""

from __future__ import annotations

from urllib.parse import unquote

__all__ = ["HOME", "parse_target"]

HOME = "/"
MAX_TARGET = 4096
_ROUNDS = 5
_NOT_A_TARGET = ("/login", "/logout")


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
