"""Pages and routes of a plugin, which ``latchpin_routes`` offers.

Who asks: ``SignedInCaller`` and ``AdminCaller`` are arguments of a handler. They answer 401 or 403 to a program, and
send a browser to ``/login``. ``WritingCaller`` and ``WritingAdmin`` prove besides that no other site's page sent the
request: they belong to every POST, PUT and DELETE. ``CurrentApplication`` is the gateway, ``GatewayId`` the id in the
path::

    @router.get("/acme/note")
    async def show_note(request: Request, caller: SignedInCaller, application: CurrentApplication) -> Response:
        page = await frame(request, caller)
        return render("acme_note", title="Note", folder=TEMPLATES, **page)

Where a handler asks by itself: ``current_caller``, ``require_caller``, ``require_admin``, ``application_of``,
``services_of`` and ``check_gateway_id``.

Pages: ``frame`` gives what surrounds a page, ``render`` makes it from a template, with everything escaped.
``WITH_SCRIPTS`` are the headers of a page with script files of this origin.

Failures: raise an error of ``latchpin.errors``, and the gateway answers with a page or a problem document (RFC 9457).
``problems`` describes those of a route for ``/openapi.json``.

``StreamingRoute`` is a route that limits its bodies itself. ``parse_target`` reads where a browser is sent on to.
"""

from latchpin.web.dependencies import (
    AdminCaller,
    CurrentApplication,
    GatewayId,
    SignedInCaller,
    WritingAdmin,
    WritingCaller,
    application_of,
    check_gateway_id,
)
from latchpin.web.description import problems
from latchpin.web.frame import frame
from latchpin.web.identity import current_caller, require_admin, require_caller, services_of
from latchpin.web.limits import StreamingRoute
from latchpin.web.rendering import WITH_SCRIPTS, render
from latchpin.web.targets import parse_target

__all__ = [
    "WITH_SCRIPTS",
    "AdminCaller",
    "CurrentApplication",
    "GatewayId",
    "SignedInCaller",
    "StreamingRoute",
    "WritingAdmin",
    "WritingCaller",
    "application_of",
    "check_gateway_id",
    "current_caller",
    "frame",
    "parse_target",
    "problems",
    "render",
    "require_admin",
    "require_caller",
    "services_of",
]
