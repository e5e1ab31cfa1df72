"""The page docs/errors.md, written from the catalogue of causes: ``python -m tests.docs.errors_page``."""

from __future__ import annotations

from collections.abc import Iterator

from latchpin.errors.causes import CAUSES, CHAPTERS, Cause

from tests.docs.markdown import ROOT

__all__ = ["PAGE", "render"]

PAGE = ROOT / "docs" / "errors.md"

_HEAD = """# Errors

Every failure that the gateway can name has a code. The code is the `cause` of a problem document, the last part of its
`type` URL, the `cause` of a log line, and a heading on this page. The gateway itself shows this page at
`{BASE_URL}/problems`, and one cause at `{BASE_URL}/problems/{code}`. It is written from the catalogue in
`latchpin.errors.causes`, where the gateway has all these texts from.

A problem document (RFC 9457) looks like this:

```json
{
  "type": "http://localhost:4444/problems/state-used",
  "title": "%(title)s",
  "status": %(status)s,
  "detail": "%(public)s: this state has already been used at 2026-03-01T10:00:00+00:00",
  "cause": "state-used",
  "remedy": "%(remedy)s",
  "documentation": "http://localhost:4444/problems#state-used",
  "flow_id": "5f0c2b7e9d1a4c38b6e2f1d0a9c87b54"
}
```

A browser gets the same facts as a page. `flow_id` is 128 random bits that name the flow: `latchpin flows show`
and the log know it. A failure that belongs to no flow has `request_id` instead, which the log alone knows.
Where a flow failed that is proven to be the caller's, `flow_url` is added: a support link to
[the flow's steps](troubleshooting.md#looking-at-a-flow), for its user and administrators.

"Whose fault" below is where the cause lies. A case of a wider cause names it: a caller who has proven nothing is told
the wider one, and the log says which it is. An error that stops the start is printed on stderr and hardly ever becomes
an HTTP answer.
"""


def render() -> str:
    """The page."""
    used = CAUSES["state-used"]
    lines = [_HEAD % {"title": used.title, "status": used.status, "public": used.public, "remedy": used.remedy}]
    for chapter, causes in CHAPTERS.items():
        lines.append(f"## {chapter}\n")
        for cause in causes:
            lines += _section(cause)
    return "\n".join(lines).rstrip("\n") + "\n"


def _section(cause: Cause) -> Iterator[str]:
    status = "stops the start" if cause.stops else str(cause.status)
    yield f"### {cause.slug}\n"
    yield "| status | public text | whose fault |\n|---|---|---|"
    yield f"| {status} | {cause.public} | {cause.fault} |\n"
    further = f" A case of [{cause.general}](#{cause.general})." if cause.general else ""
    further += f" See [{_title(cause.see)}](troubleshooting.md#{cause.see})." if cause.see else ""
    yield f"{cause.meaning}{further}\n"
    if cause.happened != "{what}":
        yield f"What it tells: `{cause.happened}`\n"
    yield f"Remedy: {cause.remedy}\n"


def _title(anchor: str) -> str:
    return anchor.replace("-", " ").replace("pkce", "PKCE")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
