"""Which header fields pass, in each direction. What is not named here passes as it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from latchpin.errors import InvalidRequest
from latchpin.sdk.web import FORWARDING

__all__ = ["Field", "build_answer_headers", "build_request_headers", "is_event_stream", "is_json"]

Field = tuple[bytes, bytes]
Raw = Iterable[Field]

_HOP_BY_HOP = frozenset(  # RFC 9110 section 7.6.1
    {b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"proxy-connection"}
)
_CALLERS_OWN = frozenset(
    # Secrets meant for us; and what describes the way between a browser and us, which the server would misread.
    {
        b"authorization",
        b"dpop",
        b"cookie",
        b"host",
        b"origin",
        b"referer",
        b"expect",
        b"content-length",
        b"accept-encoding",
        b"http2-settings",
        b"x-csrf-token",
        b"x-csrftoken",
        b"x-xsrf-token",
        # These make another request of it than the one that was judged here.
        b"x-rewrite-url",
        b"x-http-method",
        b"x-http-method-override",
        b"x-method-override",
        # Who the caller is, as something in front of us says it; here anybody can write them.
        b"x-user",
        b"x-authenticated-user",
        b"x-webauth-user",
        b"x-arr-clientcert",
        b"x-cluster-client-ip",
        b"fastly-client-ip",
        b"client-cert",
        b"client-cert-chain",
        b"teleport-jwt-assertion",
    }
)
_CALLERS_PREFIXES = (
    b"x-forwarded-",
    b"x-original-",
    b"x-auth-request-",
    b"x-authenticated-",
    b"x-amzn-oidc-",
    b"x-goog-iap-",
    b"x-goog-authenticated-user-",
    b"x-ms-client-principal",
    b"x-ms-token-",
    b"x-authentik-",
    b"x-pomerium-",
    b"x-vouch-",
    b"x-remote-",
    b"remote-",
    b"tailscale-user-",
    b"x-client-cert",
    b"x-ssl-client-",
    b"ssl-client-",
    b"x-envoy-",
    b"x-edge-",
    b"x-latchpin-",
    b"proxy-",
    b"sec-",
    b"cf-",
)
_SERVERS_OWN = frozenset(
    # What a browser would apply to our origin, what would lead a client to another server with our token, and what a
    # proxy or cache in front of us would obey.
    {
        b"set-cookie",
        b"set-cookie2",
        b"set-login",
        b"www-authenticate",
        b"authentication-info",
        b"authentication-control",
        b"dpop-nonce",
        b"location",
        b"refresh",
        b"link",
        b"alt-svc",
        b"clear-site-data",
        b"strict-transport-security",
        b"public-key-pins",
        b"content-security-policy",
        b"content-security-policy-report-only",
        b"x-frame-options",
        b"permissions-policy",
        b"origin-agent-cluster",
        b"speculation-rules",
        b"service-worker-allowed",
        b"sourcemap",
        b"x-sourcemap",
        b"accept-ch",
        b"critical-ch",
        b"timing-allow-origin",
        b"nel",
        b"report-to",
        b"reporting-endpoints",
        b"date",
        b"server",
        b"x-content-type-options",
        b"referrer-policy",
        b"x-sendfile",
        b"x-lighttpd-send-file",
        b"x-litespeed-location",
        b"cdn-cache-control",
    }
)
_SERVERS_PREFIXES = (
    b"access-control-",
    b"proxy-",
    b"cross-origin-",
    b"sec-",
    b"x-accel-",
    b"x-sendfile-",
    b"x-lighttpd-",
    b"x-reproxy-",
    b"surrogate-",
)
_READABLE = frozenset({"gzip", "deflate", "identity"})
_SHARED = frozenset({b"public", b"s-maxage"})
_BODILESS = frozenset({204, 304})
_SHORT, _MOST = 64, 1024
"""Names up to this length are remembered, so many of each side."""
_UNBUFFERED = (b"x-accel-buffering", b"no")
"""Ours, for nginx in front: an event is to be passed on when it comes."""


def _plain(name: bytes) -> bytes:
    """Many programs read an underscore as a hyphen (RFC 3875 section 4.1.18), so it does not make another name here."""
    return name.replace(b"_", b"-")


class _Rules(dict[bytes, bool]):
    """Whether a field of one side stays here, by its name. The same few names come again and again.

    What it buys: a look into a dictionary for each field instead of two calls.
    """

    def __init__(self, names: frozenset[bytes], prefixes: tuple[bytes, ...]) -> None:
        super().__init__()
        self._names = names
        self._prefixes = prefixes

    def __missing__(self, name: bytes) -> bool:
        """Judge it, and remember that if it is short."""
        plain = _plain(name)
        stays = plain in self._names or plain.startswith(self._prefixes)
        if len(name) <= _SHORT:
            if len(self) >= _MOST:
                self.clear()
            self[name] = stays
        return stays


_OF_CALLER = _Rules(_HOP_BY_HOP | _CALLERS_OWN | FORWARDING, _CALLERS_PREFIXES)
_OF_SERVER = _Rules(_HOP_BY_HOP | _SERVERS_OWN, _SERVERS_PREFIXES)


def build_request_headers(
    received: Sequence[Field], *, also_drop: Collection[bytes] = (), keep_length: bool = False
) -> tuple[tuple[str, str], ...]:
    """The caller's header fields as the MCP server gets them, without any authorization.

    Args:
        received: as the caller sent them, names in lower case.
        also_drop: names in lower case of what the caller must not say here: TRUSTED_USER_HEADER, an API key's field.
        keep_length: the body streams, so its declared length has to come along.

    Raises:
        InvalidRequest: a value is not UTF-8.
    """
    more = _named_by_connection(received)
    if also_drop:
        more |= {_plain(name) for name in also_drop}
    passed: list[tuple[str, str]] = []
    readable: list[bytes] = []  # the encodings
    for name, value in received:
        stays = _OF_CALLER[name] or (more and _plain(name) in more)
        if not stays or (keep_length and name == b"content-length"):
            passed.append((name.decode("ascii"), _text(name, value)))
        elif name == b"accept-encoding":
            readable.append(value)
    passed.append(("accept-encoding", _encodings(b",".join(readable)) if readable else "identity"))
    return tuple(passed)


def _encodings(accepted: bytes) -> str:
    """What the caller can read, of what can be read here as well; saying nothing means none."""
    named = [word.strip() for word in accepted.decode("latin-1").split(",")]
    return ", ".join(word for word in named if word.partition(";")[0].strip().lower() in _READABLE) or "identity"


def build_answer_headers(received: Sequence[Field], *, status: int = 200, private: bool = False) -> list[Field]:
    """The MCP server's header fields as the caller gets them; names in lower case.

    Args:
        received: as they came.
        status: the answer's.
        private: it is for the caller alone; caches that others use must not keep it, whatever the server says.
    """
    more = _named_by_connection(received)
    if private and any(_is_shared(value) for name, value in received if name == b"cache-control"):
        more |= {b"cache-control", b"expires"}
    if status in _BODILESS:  # a length that no body follows breaks the connection (RFC 9110 section 8.6)
        more |= {b"content-length"}
    passed = [field for field in received if not _OF_SERVER[field[0]]]
    if more:
        passed = [field for field in passed if _plain(field[0]) not in more]
    return [*passed, _UNBUFFERED] if is_event_stream(passed) else passed


def _is_shared(value: bytes) -> bool:
    return any(word.partition(b"=")[0].strip().lower() in _SHARED for word in value.split(b","))


def is_event_stream(fields: Raw) -> bool:
    """Whether header fields say that the body is an event stream; names in lower case."""
    return b"text/event-stream" in _kind(fields)


def is_json(fields: Raw) -> bool:
    """Whether header fields say that the body is JSON; clients look for the word anywhere in them."""
    kind = _kind(fields)
    return b"application/json" in kind or b"+json" in kind


def _kind(fields: Raw) -> bytes:
    return b",".join([value for name, value in fields if name == b"content-type"]).lower()


def _named_by_connection(fields: Raw) -> frozenset[bytes]:
    """The fields that ``Connection`` makes hop-by-hop; those that frame the body are not its to name."""
    said = [value for name, value in fields if name == b"connection"]
    if not said:
        return frozenset()
    named = {word.strip().lower() for value in said for word in value.split(b",")}
    return frozenset(named) - {b"content-length", b"content-type", b"content-encoding"}


def _text(name: bytes, value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise InvalidRequest(f"the header field {name.decode('ascii')} is not UTF-8") from exc
