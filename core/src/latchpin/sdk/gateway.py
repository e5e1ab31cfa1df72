"""The assembled gateway, as a page or a command is given it.

``Services`` has what was selected and opened: ``settings``, ``clock``, ``records``, ``kept``, ``cipher``, ``upstream``
and so on, each as ``latchpin.contracts`` describes it. ``context`` is what backends are opened with:
``context.collection(spec)`` opens what a plugin keeps, ``context.shared`` gives what it opened once.

``Application`` has what the gateway can do, each thing in one attribute:

- ``gateways``: what administrators enter; ``confirm_issuer`` trusts another issuer, and ``removal`` ends one with all
  that belongs to it.
- ``connections``: who is connected to what, and how that ends.
- ``departures``: tells who serves something that lasts when its person's sessions have ended, until it is over; each
  such thing is ``Watched``: ``Departures`` says more.
- ``access``: gateway and usable token for a caller, as they were read at most a second ago: ``AccessCache``.
- ``gates``: the gate between a server's tools and a caller; ``scope_ceiling`` says which scopes may be asked for.
- ``tokens``: a caller's usable token; ``token_endpoint`` redeems codes of a plugin's own, such as a sign-in's;
  ``revoker`` has authorization servers take tokens back.
- ``api_keys``: keys for servers without OAuth, tried and kept.
- ``clients``: what authorization servers registered; ``delete_client`` deletes one.
- ``servers``: the authorization server behind a gateway.
- ``toolbox``: an MCP server's tools as a caller sees them.
- ``step_up``: the scopes that a server missed, for the next authorization.
- ``must_authorize``: whether a caller gets no further without an authorization in a browser; ``name_account`` says of
  which of their accounts. ``note_refusal`` is told
  what only a call finds out about that, and gives it a name, which ``latest_refusal`` repeats;
  ``decline_authorization`` is told that a person does without, and ``owes_authorization`` says whether somebody was
  told to authorize and has not done so.
- ``entry_notes``: what is to be known of entries of a kind before they are changed in a page.
- ``connection_notes``: why somebody's connections need them, by the gateway.
- ``with_groups``: somebody whom no request proved, in all their groups.
- ``list_resources`` and ``find_resource``: the MCP endpoints that plugins serve, as a caller may use them.
- ``assertions``: ID tokens that were handed in; ``signed_tokens``: short-lived signed facts, each for one purpose.
- ``close``: who opened it lets it end what is under way.

A page gets it from ``latchpin.sdk.web``, a command from ``latchpin.sdk.commands``::

    usable = await application.tokens.token_for(gateway, caller)

What they give: ``UsableToken`` is an open access token or key, ``KeptKey`` says that a key works, ``Access`` is
that with its gateway, ``Connection`` is one user's at one gateway without its tokens, with its ``TokenHealth`` and, in
one word, ``TokenStatus``. ``FoundServer`` is what ``servers`` finds, ``Step`` one request of such a search, and
``RegistrationOptions`` the ways to a client there that ``clients`` has. ``Removed`` is a gateway that is gone, and
``Revocation`` what a server said of one of its tokens.

``parse_gateway_body`` reads what somebody enters about a gateway, a ``GatewayBody``, for ``application.gateways``, and
``describe_gateway`` shows it without secrets. ``parse_body`` reads what somebody enters about something that a plugin
keeps, by a model of pydantic's, with errors that name each member. ``find_named`` finds gateways as people name them:
by id, by name, or by the first digits of an id. ``may_use`` says whether a caller may know of a gateway; ``is_allowed``
says the same of whatever else has such a list of people, which ``AllowedUsers`` reads, as a type of pydantic's.
``needs_browser`` says whether only a person in a browser gets a token, and ``wants_key`` whether they enter a key
there instead; ``subject_of`` says on whose word one comes
else, and ``require_grant`` insists that its grant is offered. ``open_configured_secret`` opens a secret of a gateway's
entry, ``open_registered_secret`` a registered client's. ``mcp_endpoint`` says where MCP clients reach a gateway,
``is_id`` whether a text has the form of a gateway's or a flow's id. A person has at most ``MOST_ACCOUNTS`` accounts at
one gateway, each with a label of at most ``LONGEST_LABEL`` characters, which ``parse_label`` reads.
``name_account`` is one text for whose account it is and which, ``tell_account`` the detail of a fact that says which.
``name_authorization`` names the authorization that a stored token came from: its renewals keep the name.
``open_token`` opens a stored token, for who has it revoked.

``sign_out`` ends all that proves a person here, and keeps nobody out: the distribution ``latchpin-offboarding`` does.
``DIRECTORY`` is the caller where another system, proven by its own secret, says that somebody left.

What another gateway has kept can be taken over: ``build_token`` seals tokens, and ``seal_client`` a registered client,
into the records that ``services.records`` keeps. ``API_KEY`` is the ``token_type`` of a key.
"""

from typing import TYPE_CHECKING

from latchpin.lazily import finder
from latchpin.plugins.leaving import finder_of_moved

if TYPE_CHECKING:
    from latchpin.application import Application
    from latchpin.clients.options import RegistrationOptions
    from latchpin.clients.secrets import open_configured_secret, open_registered_secret, seal_client
    from latchpin.gateways.access import Access, AccessCache
    from latchpin.gateways.api_keys import KeptKey
    from latchpin.gateways.body import AllowedUsers, GatewayBody
    from latchpin.gateways.connections import Connection
    from latchpin.gateways.endpoint import mcp_endpoint
    from latchpin.gateways.entered import parse_body
    from latchpin.gateways.named import find_named
    from latchpin.gateways.registry import describe_gateway, parse_gateway_body
    from latchpin.gateways.removal import Removed
    from latchpin.gateways.signing_out import sign_out
    from latchpin.identity.allowance import is_allowed, may_use
    from latchpin.identity.barred import DIRECTORY
    from latchpin.identity.departures import Departures, Watched
    from latchpin.model.accounts import LONGEST_LABEL, MOST_ACCOUNTS, name_account, name_authorization
    from latchpin.model.ids import is_id
    from latchpin.oauth.status import TokenHealth, TokenStatus
    from latchpin.servers.found import FoundServer, Step
    from latchpin.services import Services
    from latchpin.tokens.accounts import parse_label, tell_account
    from latchpin.tokens.client_grant import needs_browser, require_grant, subject_of
    from latchpin.tokens.endpoint import Revocation
    from latchpin.tokens.schemes import wants_key
    from latchpin.tokens.sealing import API_KEY, build_token, open_token
    from latchpin.tokens.service import UsableToken

__all__ = [
    "API_KEY",
    "DIRECTORY",
    "LONGEST_LABEL",
    "MOST_ACCOUNTS",
    "Access",
    "AccessCache",
    "AllowedUsers",
    "Application",
    "Connection",
    "Departures",
    "FoundServer",
    "GatewayBody",
    "KeptKey",
    "RegistrationOptions",
    "Removed",
    "Revocation",
    "Services",
    "Step",
    "TokenHealth",
    "TokenStatus",
    "UsableToken",
    "Watched",
    "build_token",
    "describe_gateway",
    "is_id",
    "may_use",
    "mcp_endpoint",
    "find_named",
    "is_allowed",
    "name_account",
    "name_authorization",
    "needs_browser",
    "open_configured_secret",
    "open_registered_secret",
    "open_token",
    "parse_body",
    "parse_gateway_body",
    "parse_label",
    "require_grant",
    "seal_client",
    "sign_out",
    "subject_of",
    "tell_account",
    "wants_key",
]

__getattr__ = finder(
    __name__,
    {
        "latchpin.application": ("Application",),
        "latchpin.clients.options": ("RegistrationOptions",),
        "latchpin.clients.secrets": (
            "open_configured_secret",
            "open_registered_secret",
            "seal_client",
        ),
        "latchpin.gateways.access": ("Access", "AccessCache"),
        "latchpin.gateways.api_keys": ("KeptKey",),
        "latchpin.gateways.body": ("AllowedUsers", "GatewayBody"),
        "latchpin.gateways.connections": ("Connection",),
        "latchpin.gateways.endpoint": ("mcp_endpoint",),
        "latchpin.gateways.entered": ("parse_body",),
        "latchpin.gateways.named": ("find_named",),
        "latchpin.gateways.registry": ("describe_gateway", "parse_gateway_body"),
        "latchpin.gateways.removal": ("Removed",),
        "latchpin.gateways.signing_out": ("sign_out",),
        "latchpin.identity.allowance": ("is_allowed", "may_use"),
        "latchpin.identity.barred": ("DIRECTORY",),
        "latchpin.identity.departures": ("Departures", "Watched"),
        "latchpin.model.accounts": ("LONGEST_LABEL", "MOST_ACCOUNTS", "name_account", "name_authorization"),
        "latchpin.model.ids": ("is_id",),
        "latchpin.oauth.status": ("TokenHealth", "TokenStatus"),
        "latchpin.servers.found": ("FoundServer", "Step"),
        "latchpin.services": ("Services",),
        "latchpin.tokens.accounts": ("parse_label", "tell_account"),
        "latchpin.tokens.client_grant": ("needs_browser", "require_grant", "subject_of"),
        "latchpin.tokens.endpoint": ("Revocation",),
        "latchpin.tokens.schemes": ("wants_key",),
        "latchpin.tokens.sealing": ("API_KEY", "build_token", "open_token"),
        "latchpin.tokens.service": ("UsableToken",),
    },
    otherwise=finder_of_moved(__name__),
)
