"""Pages and routes of a plugin, which ``latchpin_routes`` offers.

Who asks: ``SignedInCaller`` and ``AdminCaller`` are arguments of a handler. They answer 401 or 403 to a program, and
send a browser to ``/login``. ``WritingCaller`` and ``WritingAdmin`` prove besides that no other site's page sent the
request: they belong to every POST, PUT and DELETE. ``SignedInPerson`` sends programs to ``/login`` too: it is for
addresses that programs hand to a browser. ``CurrentApplication`` is the gateway, ``GatewayId`` the id in the
path, and ``AccountNamed`` the label of an account in the query::

    @router.get("/acme/note")
    async def show_note(request: Request, caller: SignedInCaller, application: CurrentApplication) -> Response:
        page = await frame(request, caller)
        return render("acme_note", title="Note", folder=TEMPLATES, **page)

Pages: ``frame`` gives what surrounds a page, ``frame_for_anybody`` what surrounds one that needs no sign-in, ``render``
makes it from a template, with everything escaped; ``render_text`` makes a piece of one. The template ``parts.html`` has
macros that pages share: crumbs, tables that a phone stacks, a search, what an empty list says. ``TimeShown`` is a time
in words for them. ``WITH_SCRIPTS`` are the headers of a page with script files of this origin. ``mcp_url_of`` says
where MCP clients reach a gateway.

Programs: ``wants_html`` says whether a browser asks for a page. ``read_json`` reads the body of a request, and
``takes_json`` describes it. What the API answers is a ``Document``, whose members may be of the types ``Id`` and
``Moment``; ``HTML`` describes that a page is there too.

Failures: raise an error of ``latchpin.errors``, and the gateway answers with a page or a problem document (RFC 9457).
``problems`` describes those of a route for ``/openapi.json``. Where the answer has begun already, ``tell_failure`` logs
the error and gives what the page may say.

A route that cannot use these arguments asks by itself: ``application_of``, ``services_of``, ``require_caller``,
``require_admin`` and ``check_gateway_id``; ``FOR_ADMINISTRATORS`` then describes who may call it. In plain ASGI,
``read_header`` reads a field of the request, and ``answer_program`` answers a failure. ``FORWARDING`` are the fields by
which proxies say whom they forward. ``StreamingRoute`` is a route that limits its bodies itself. ``HotRoute`` is one
that is served ahead of the framework: for what every agent asks all the time; a class of both is both.

An MCP endpoint: ``make_mcp_router`` makes its router; ``require_program`` says who
calls it, ``parse_account`` which of their accounts the query names (``ACCOUNT`` is the parameter), and
``build_challenge`` tells a program where its metadata are.

``serve_aside`` serves an application on sockets of a plugin's own, beside the gateway's.
"""

from latchpin.serving.aside import serve_aside
from latchpin.tokens.accounts import ACCOUNT, parse_account
from latchpin.web.dependencies import (
    AccountNamed,
    AdminCaller,
    CurrentApplication,
    GatewayId,
    SignedInCaller,
    SignedInPerson,
    WritingAdmin,
    WritingCaller,
    application_of,
    check_gateway_id,
)
from latchpin.web.description import FOR_ADMINISTRATORS, HTML, problems
from latchpin.web.dispatch import HotRoute
from latchpin.web.documents.base import Document, Id, Moment
from latchpin.web.errors import answer_program, tell_failure, wants_html
from latchpin.web.frame import frame, frame_for_anybody, mcp_url_of
from latchpin.web.hosts import FORWARDING, read_header
from latchpin.web.identity import require_admin, require_caller, services_of
from latchpin.web.json_bodies import read_json
from latchpin.web.limits import StreamingRoute
from latchpin.web.mcp_router import make_mcp_router
from latchpin.web.moments import TimeShown
from latchpin.web.protected import build_challenge, require_program
from latchpin.web.rendering import WITH_SCRIPTS, render, render_text
from latchpin.web.schemas import takes_json

__all__ = [
    "ACCOUNT",
    "FORWARDING",
    "FOR_ADMINISTRATORS",
    "HTML",
    "WITH_SCRIPTS",
    "AccountNamed",
    "AdminCaller",
    "CurrentApplication",
    "Document",
    "GatewayId",
    "HotRoute",
    "Id",
    "Moment",
    "SignedInCaller",
    "SignedInPerson",
    "StreamingRoute",
    "TimeShown",
    "WritingAdmin",
    "WritingCaller",
    "answer_program",
    "application_of",
    "build_challenge",
    "check_gateway_id",
    "frame",
    "frame_for_anybody",
    "make_mcp_router",
    "mcp_url_of",
    "parse_account",
    "problems",
    "read_header",
    "read_json",
    "render",
    "render_text",
    "require_admin",
    "require_caller",
    "require_program",
    "serve_aside",
    "services_of",
    "takes_json",
    "tell_failure",
    "wants_html",
]
