"""What a way to sign in is built from: its routes, beside the ``SignIn`` that ``latchpin_sign_ins`` offers.

It begins with a link, ``GET /acme/begin?next=...``. ``parse_target`` reads where the browser is to go afterwards, and
gives a path of ours whatever came. ``browser_cookie`` is the browser's own value; where it has none,
``new_browser_cookie`` makes one, and ``set_browser_cookie`` gives it. What is sent to the other server holds a hash of
it, so that nobody can let somebody else's browser end the sign-in.

It ends with ``answer_signed_in``, which ends the browser's earlier session, starts another, and sends the browser on::

    return await answer_signed_in(request, email, admin=False, target=target, way="acme")

A session that another server may want to end gets its name from ``new_session_id``, which the plugin keeps and hands to
``answer_signed_in``; ``end_named_session`` ends it.

``not_in_advance`` keeps a browser that only loads pages in advance from using up what works once. ``name_request``
gives the two requests of a sign-in one id in answers and in the log.
"""

from latchpin.identity.sessions import end_named_session, new_session_id
from latchpin.web.cookies import browser_cookie, new_browser_cookie, set_browser_cookie
from latchpin.web.in_advance import not_in_advance
from latchpin.web.signing_in import answer_signed_in
from latchpin.web.targets import parse_target
from latchpin.web.traces import name_request

__all__ = [
    "answer_signed_in",
    "browser_cookie",
    "end_named_session",
    "name_request",
    "new_browser_cookie",
    "new_session_id",
    "not_in_advance",
    "parse_target",
    "set_browser_cookie",
]
