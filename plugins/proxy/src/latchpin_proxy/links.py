"""Links that lead to this gateway's pages, or look as if they did: only the gateway itself gives those out. Pure."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote, urlsplit

from latchpin.sdk.urls import split_origin

__all__ = ["REMOVED", "may_be_opened", "without_our_links"]

REMOVED = "[link removed by the gateway]"
_URL = re.compile(r"https?:[\\/]{2,}[^\s\"'<>`]+", re.IGNORECASE)
_OUR_KIND = re.compile(  # no attempt goes beyond where the next one begins: a server chooses how long the text is
    r"/oauth/authorize/[0-9a-f]{32}(?![0-9a-f])|/gateways/[0-9a-f]{32}/key(?![\w-])"
    r"|/login/?\?(?:token=|(?:(?!/login/?\?)[^#\s])*?&token=)",
    re.IGNORECASE,
)
_SAME_LOOK = str.maketrans(  # digits, Cyrillic and Greek
    "01\u04565\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0455\u0458\u04bb\u0501\u04cf\u03bf\u03b1\u03bd\u0131",
    "ollsaceopxysjhdloavl",
)
_SAME_LOOK_PAIRS = (("rn", "m"), ("vv", "w"), ("i", "l"), ("-", ""), ("_", ""))


def without_our_links(text: str, *, server: str) -> str:
    """``text`` without links of the kind that people sign in and authorize by, unless they lead to the server itself.

    Args:
        text: what an MCP server said.
        server: its URL.
    """
    own = urlsplit(server).netloc.lower()

    def judged(found: re.Match[str]) -> str:
        url = found[0].replace("\\", "/")
        try:
            elsewhere = urlsplit(url).netloc.lower() != own
        except ValueError:
            elsewhere = True
        return REMOVED if elsewhere and _OUR_KIND.search(unquote(url)) else found[0]

    return _URL.sub(judged, text)


def may_be_opened(url: str, *, base_url: str, server: str) -> bool:
    """Whether an MCP server may ask a person to open ``url``.

    Not if it is the gateway's own or another port of its host, or has a host that reads like the gateway's, or the path
    of one of its pages at anybody else's than the server's; nor what no browser should be sent to.
    """
    place = split_origin(_place_of(url))
    ours, own = split_origin(base_url), split_origin(server)
    if place is None or ours is None or place == ours:
        return False
    host, our_host = place[1], ours[1]
    if (host == our_host and own != place) or (host != our_host and _reads_like(host, our_host)):
        return False
    return own == place or _OUR_KIND.search(unquote(url)) is None


def _place_of(url: str) -> str:
    """Scheme, host and port, where nothing about the whole is odd; the length of a path is nobody's concern here."""
    if not url.isprintable() or " " in url or "\\" in url:
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}/"


def _reads_like(host: str, ours: str) -> bool:
    if host.startswith(f"{ours}."):
        return True
    if "." not in ours or host.endswith(f".{ours}"):
        return False
    return ours in host or ours.replace(".", "-") in host or _look(host) == _look(ours)


def _look(host: str) -> str:
    """What a host name looks like at a glance: letters that are taken for each other are one."""
    try:
        shown = host.encode().decode("idna")
    except UnicodeError:
        shown = host
    folded = unicodedata.normalize("NFKD", shown.casefold())
    look = "".join(letter for letter in folded if not unicodedata.combining(letter)).translate(_SAME_LOOK)
    for pair, letter in _SAME_LOOK_PAIRS:
        look = look.replace(pair, letter)
    return look
