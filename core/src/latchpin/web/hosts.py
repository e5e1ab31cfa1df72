"""Under which host names, and from whom, a request is served."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi.responses import RedirectResponse

from latchpin.errors import InvalidRequest, WeakSecret
from latchpin.model.urls import origin_of
from latchpin.settings.core import CoreSettings, is_loopback_host

__all__ = ["FORWARDING", "HostRules", "read_header"]

_log = logging.getLogger("latchpin.web")

Scope = MutableMapping[str, Any]

FORWARDING = frozenset(
    {b"forwarded", b"via", b"x-real-ip", b"true-client-ip", b"cf-connecting-ip", b"x-original-host", b"x-client-ip"}
)
"""What proxies add to say whom they forward, beside ``x-forwarded-...``."""
LOOP_COOKIE = "latchpin-other-host"
LOOP_SECONDS = 5
_DEFAULT_PORTS = {"http": 80, "https": 443}


class HostRules:
    """The rules that follow from BASE_URL and from the secret's strength.

    With a weak secret only a loopback peer, asking for BASE_URL's host and port (or another loopback name
    of it) without any sign of a proxy, is served: this holds against DNS rebinding, where the name is the
    attacker's, and against a reverse proxy on the same machine that says what it forwards.
    """

    def __init__(self, settings: CoreSettings) -> None:
        parts = urlsplit(settings.base_url)
        self._weak = settings.weak_secret
        self._scheme = parts.scheme
        self._host = (parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme])
        self._netloc = parts.netloc.lower().encode()
        self._origin = origin_of(settings.base_url)
        self._base_path = settings.base_path
        self._loop_reported = False

    def check(self, scope: Scope) -> None:
        """Refuse what is asked of no path here, or what the secret does not allow.

        Raises:
            InvalidRequest: the request's target is no path (RFC 9112 section 3.2), as in ``GET *``: put behind a host
                name it would name another.
            WeakSecret: the secret does not allow serving this request.
        """
        if not scope["path"].startswith("/"):
            raise InvalidRequest("the request's target is no path", remedy="Ask for a path that begins with a slash.")
        if not self._weak:
            return
        client = scope.get("client")
        if client is None or not _is_loopback(client[0]):
            raise WeakSecret(hint="the peer is not on this machine")
        seen = 0
        for name, value in scope["headers"]:
            if name in FORWARDING or name.startswith(b"x-forwarded-"):
                raise WeakSecret(hint="the request came through a proxy")
            if name == b"host":
                seen += 1
                if not self._is_ours_or_loopback(value):
                    raise WeakSecret(hint="the Host header is not BASE_URL's")
        if seen != 1:
            raise WeakSecret(hint="there is not exactly one Host header")

    def redirect(self, scope: Scope) -> RedirectResponse | None:
        """The way to BASE_URL for a browser that came by another host name, else None.

        Cookies belong to a host name: a flow begun under another would come back without its cookie. A proxy
        that rewrites Host would make this a loop, which a cookie of five seconds ends.
        """
        if scope["method"] != "GET" or b"text/html" not in read_header(scope, b"accept"):
            return None
        host = read_header(scope, b"host")
        if host.lower() == self._netloc:
            return None
        if _parse_host(host, self._scheme) == self._host:
            return None
        if LOOP_COOKIE.encode() in read_header(scope, b"cookie"):
            self._report_loop()
            return None
        path = scope["path"]
        if self._base_path and not path.startswith(f"{self._base_path}/"):
            path = self._base_path + path
        query = scope["query_string"].decode("latin-1")
        response = RedirectResponse(self._origin + quote(path, safe="/:@!$&'()*+,;=~-._"), 307)
        if query:
            response.headers["location"] += f"?{quote(query, safe=_QUERY_SAFE)}"
        response.set_cookie(LOOP_COOKIE, "1", max_age=LOOP_SECONDS, httponly=True, samesite="lax")
        return response

    def _is_ours_or_loopback(self, value: bytes) -> bool:
        parsed = _parse_host(value, self._scheme)
        return parsed is not None and (
            parsed == self._host or (parsed[1] == self._host[1] and is_loopback_host(parsed[0]))
        )

    def _report_loop(self) -> None:
        if not self._loop_reported:
            self._loop_reported = True
            _log.warning(
                "Requests sent to BASE_URL arrive with another Host header: let the proxy pass the Host header on"
            )


_QUERY_SAFE = "/?:@!$&'()*+,;=~-._%"


def read_header(scope: Scope, name: bytes) -> bytes:
    """The first value of a header, ``b""`` if there is none."""
    for found, value in scope["headers"]:
        if found == name:
            return bytes(value)
    return b""


def _parse_host(value: bytes, scheme: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(f"//{value.decode('ascii')}")
        return ((parts.hostname or "", parts.port or _DEFAULT_PORTS[scheme])) if "@" not in parts.netloc else None
    except ValueError:
        return None


def _is_loopback(peer: str) -> bool:
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
