"""The plan as nginx reads it. Pure.

Only what needs no other modules than every nginx has. A call of a tool takes this way::

    location = /gateways/ID/mcp     what the header fields tell: else the proxy's
      mirror, which reads the body  what the body tells: else the proxy's
    @edge_ID
      auth_request, cached          which token or key goes up: else the proxy's
      proxy_pass                    the MCP server; what it refuses is the proxy's

Status codes from 595 are our own jumps. ``Cache-Control`` of the answer to the question says how long it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from http import HTTPStatus

from latchpin_edge.fields import FALLS, HIDDEN, PASSING, always, is_same_field
from latchpin_edge.nginx_maps import maps
from latchpin_edge.nginx_words import APART, block, indented, quoted
from latchpin_edge.plan import Plan
from latchpin_edge.ways import Way

__all__ = ["render_nginx"]

CONNECT_SECONDS = 10
ASK_SECONDS = 60
"""A token may have to be renewed meanwhile."""
_TO_PROXY, _CROWDED = 596, 598
_PLAIN = re.compile(r"[A-Za-z0-9._~/-]+")
"""A path in which nothing has to be escaped."""
_IGNORED = (
    *(f"X-Accel-{name}" for name in ("Redirect", "Expires", "Limit-Rate", "Buffering", "Charset")),
    *("Expires", "Cache-Control", "Set-Cookie", "Vary"),
)
_NOT_GRANTED = (404, 405, 408, 409, 413, 414, 421, 429, 431, 500, 502, 503, 504)


def render_nginx(plan: Plan, *, user: str = "") -> str:
    """The whole configuration.

    Args:
        plan: what is configured.
        user: of the worker processes, with a group, where a superuser starts them.
    """
    lines = [
        "# Made by `latchpin edge config nginx`, and made anew by `latchpin edge watch`: changes here are lost.",
        "# EDGE_SECRET is in it: nobody but the user who starts nginx may read this file.",
        *([f"user {user};"] if user else []),
        "worker_processes auto;",
        f"pid {quoted(f'{plan.folder}/nginx.pid')};",
        "error_log stderr warn;",
        "pcre_jit on;",
        "events { worker_connections 4096; }",
        "http {",
        *indented(_http(plan)),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _http(plan: Plan) -> Iterator[str]:
    yield "access_log off;"
    yield "server_tokens off;"
    yield "default_type application/octet-stream;"
    yield "request_pool_size 16k;"
    for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
        yield f"{name}_temp_path {quoted(f'{plan.folder}/{name}')};"
    if plan.cache_seconds:
        folder, unused = quoted(f"{plan.folder}/tokens"), max(plan.cache_seconds, 10)
        yield (
            f"proxy_cache_path {folder} levels=1:2 keys_zone=latchpin_tokens:10m inactive={unused}s max_size=256m "
            "use_temp_path=off;"
        )
        yield f"open_file_cache max=20000 inactive={unused}s;"
        yield "open_file_cache_valid 1s;"
    yield 'limit_conn_zone "$latchpin_end$latchpin_user" zone=latchpin_callers:10m;'
    yield f"limit_conn_status {_CROWDED};"
    yield from maps(plan)
    yield from _upstream("latchpin", [plan.gateway])
    yield from _upstream("latchpin_edge", [f"unix:{each}" if each.startswith("/") else each for each in plan.asked])
    for way in plan.ways:
        hosts = [f"[{each}]" if ":" in each else each for each in way.addresses]
        yield from _upstream(f"edge_{way.gateway_id}", [f"{host}:{way.port}" for host in hosts])
    yield "server {"
    yield from indented(_server(plan))
    yield "}"


def _server(plan: Plan) -> Iterator[str]:
    front = plan.front
    host = f"[{front.host}]" if ":" in front.host else front.host
    yield f"listen {host}:{front.port}{' ssl' if front.certificate else ''};"
    if front.certificate:
        yield f"ssl_certificate {quoted(str(front.certificate))};"
        yield f"ssl_certificate_key {quoted(str(front.key or front.certificate))};"
        yield "ssl_protocols TLSv1.2 TLSv1.3;"
        yield "ssl_session_cache shared:latchpin_tls:10m;"
    yield "server_name _;"
    yield f"client_max_body_size {plan.limits.body};"
    yield "client_body_buffer_size 100k;"
    yield "client_body_in_single_buffer on;"
    yield "recursive_error_pages on;"
    yield "proxy_http_version 1.1;"
    yield "proxy_redirect off;"
    yield f"proxy_connect_timeout {CONNECT_SECONDS}s;"
    if plan.ways:
        yield from _native_locations(plan)
    yield from block(f"location ^~ {quoted(f'{plan.base_path}/edge/')}", ["return 404;"])
    yield from block("location @latchpin_mcp", _gateway(plan))
    quiet = ["error_log stderr emerg;"]  # else a line of the log could hold a query, with a code in it
    yield from block("location /", [*quiet, *_gateway(plan)])


def _native_locations(plan: Plan) -> Iterator[str]:
    for way in plan.ways:
        yield from block(f"location = {quoted(plan.path_of(way))}", _first(plan, way))
        yield from block(f"location @edge_{way.gateway_id}", _native(plan, way))
        yield from block(f"location = {_question_place(way)}", _question(plan, way))
    yield from block("location = /.latchpin/read", ["internal;", "return 204;"])
    yield from block("location @latchpin_refused", ["return 403;"])
    crowded = _told(plan, HTTPStatus.TOO_MANY_REQUESTS, "too-many-exchanges", "Too many exchanges at once")
    yield from block("location @latchpin_crowded", crowded)
    for status in (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT):
        slug = "provider-unreachable" if status == HTTPStatus.BAD_GATEWAY else "provider-timeout"
        yield from block(f"location @latchpin_{status.value}", _told(plan, status, slug, "The MCP server is away"))


def _first(plan: Plan, way: Way) -> Iterator[str]:
    """The caller's request: what its fields tell, and its body read into memory, which ``mirror`` does."""
    yield f"if ($latchpin_first != native) {{ return {_TO_PROXY}; }}"
    yield f"limit_conn latchpin_callers {plan.limits.per_user};"
    yield "mirror /.latchpin/read;"
    yield "mirror_request_body on;"
    yield "empty_gif;  # answers a POST with 405, which is where it goes on"
    yield f"error_page 405 = @edge_{way.gateway_id};"
    yield f"error_page {_TO_PROXY} = @latchpin_mcp;"
    yield f"error_page {_CROWDED} = @latchpin_crowded;"


def _native(plan: Plan, way: Way) -> Iterator[str]:
    yield f"if ($latchpin_body != native) {{ return {_TO_PROXY}; }}"
    yield f"auth_request {_question_place(way)};"
    yield "auth_request_set $latchpin_authorization $upstream_http_x_upstream_authorization;"
    yield "auth_request_set $latchpin_session $upstream_http_x_upstream_session;"
    yield from _pass_to(way)
    yield "proxy_pass_request_headers off;"
    yield f"proxy_set_header Host {quoted(way.authority)};"
    yield 'proxy_set_header Connection "";'
    yield f"proxy_set_header {way.header} $latchpin_authorization;"
    yield "proxy_set_header Mcp-Session-Id $latchpin_session;"
    for name in dict.fromkeys(each for each in (*PASSING, *plan.headers) if not is_same_field(each, way.header)):
        yield f"proxy_set_header {name} $http_{name.replace('-', '_')};"
    if way.secure:
        yield "proxy_ssl_server_name on;"
        yield f"proxy_ssl_name {quoted(way.host)};"
        yield "proxy_ssl_verify on;"
        yield "proxy_ssl_verify_depth 5;"
        yield f"proxy_ssl_trusted_certificate {quoted(plan.roots)};"
        yield "proxy_ssl_protocols TLSv1.2 TLSv1.3;"
    yield "proxy_buffering off;"
    yield "proxy_next_upstream error;"
    yield f"proxy_read_timeout {plan.limits.idle}s;"
    yield f"proxy_send_timeout {plan.limits.idle}s;"
    yield f"proxy_ignore_headers {' '.join(_IGNORED)};"
    for name in HIDDEN:
        yield f"proxy_hide_header {name};"
    yield "add_header Mcp-Session-Id $http_mcp_session_id always;"
    for name, value in always(secure=plan.secure).items():
        yield f"add_header {name} {quoted(value)} always;"
    yield "proxy_intercept_errors on;"
    yield f"error_page {' '.join(map(str, FALLS))} {_TO_PROXY} = @latchpin_mcp;"
    yield "error_page 502 = @latchpin_502;"
    yield "error_page 504 = @latchpin_504;"


def _pass_to(way: Way) -> Iterator[str]:
    """Where it goes. A named place takes no path, so it is written over the request's, or put in from a variable."""
    server = f"{'https' if way.secure else 'http'}://edge_{way.gateway_id}"
    if _PLAIN.fullmatch(way.target):
        yield f'rewrite ^ "{way.target}?" break;'
        yield f"proxy_pass {server};"
        return
    yield f"set $latchpin_target {quoted(way.target)};"
    yield f"proxy_pass {server}$latchpin_target;"


def _question_place(way: Way) -> str:
    return f"/.latchpin/token/{way.gateway_id}"


def _question(plan: Plan, way: Way) -> Iterator[str]:
    yield "internal;"
    yield f"proxy_pass http://latchpin_edge/edge/token/{way.gateway_id};"
    yield "proxy_pass_request_body off;"
    yield f"proxy_set_header Host {quoted(plan.host)};"
    for name in ("Connection", "Content-Length", "Cookie"):
        yield f'proxy_set_header {name} "";'
    yield f"proxy_set_header X-Edge-Secret {quoted(plan.secret)};"
    yield "proxy_set_header X-Edge-Peer $remote_addr;"
    yield f"proxy_set_header X-Edge-Url {quoted(way.url)};"
    yield f"proxy_set_header X-Edge-Header {way.header};"
    if plan.user_header:
        yield f"proxy_set_header {plan.user_header} $latchpin_user;"
    yield f"proxy_read_timeout {ASK_SECONDS}s;"
    yield "proxy_ignore_headers X-Accel-Redirect X-Accel-Expires X-Accel-Buffering Expires Set-Cookie Vary;"
    if plan.cache_seconds:
        key = (way.gateway_id, way.url, way.header, "$http_authorization", "$latchpin_user", "$http_mcp_session_id")
        yield "proxy_cache latchpin_tokens;"
        yield f'proxy_cache_key "{APART.join(key)}";'
        yield "proxy_cache_methods GET HEAD POST;"
        yield "proxy_cache_use_stale off;"
    yield "proxy_intercept_errors on;"
    yield f"error_page {' '.join(map(str, _NOT_GRANTED))} = @latchpin_refused;"


def _gateway(plan: Plan) -> Iterator[str]:
    """The gateway itself: all that is not native, with nothing in it that only the data plane may say."""
    yield "proxy_pass http://latchpin$request_uri;"
    yield "proxy_set_header Host $http_host;"
    for name in ("Connection", "X-Edge-Secret", "X-Edge-Peer", "X-Edge-Url", "X-Edge-Header"):
        yield f'proxy_set_header {name} "";'
    if plan.user_header:
        yield f"proxy_set_header {plan.user_header} $latchpin_user;"
    yield "proxy_request_buffering off;"
    yield "proxy_buffering off;"
    yield "proxy_next_upstream error;"
    yield f"proxy_read_timeout {plan.limits.idle + plan.limits.wait + CONNECT_SECONDS}s;"
    yield f"proxy_send_timeout {plan.limits.idle}s;"


def _told(plan: Plan, status: int, slug: str, title: str) -> Iterator[str]:
    """A problem document (RFC 9457)."""
    document = f'{{"type":"{plan.base_url}/problems/{slug}","title":"{title}","status":{int(status)},"cause":"{slug}"}}'
    yield "default_type application/problem+json;"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        yield "add_header retry-after 30 always;"
    yield "add_header cache-control no-store always;"
    yield f"return {int(status)} {quoted(document)};"


def _upstream(name: str, servers: Iterable[str]) -> Iterator[str]:
    return block(f"upstream {name}", [*(f"server {each};" for each in servers), "keepalive 64;"])
