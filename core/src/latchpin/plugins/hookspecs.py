"""The hooks, in the order in which the gateway calls them.

A hook offers; it does not act. Each is a plain function without arguments, which does no I/O and returns
descriptors, one or a list. A plugin implements those it has something to offer for, marks them with
``latchpin.hookimpl``, and is found through the entry-point group ``latchpin``. The order in which plugins
load decides nothing: settings choose by name, and where several offers work side by side their ``rank``
orders them.
"""

# mypy: disable-error-code="type-abstract"

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pluggy

from latchpin.contracts import (
    AssertionSource,
    AuthScheme,
    Backend,
    BackgroundTask,
    CallObserver,
    Check,
    Cipher,
    ClientAuthentication,
    ClientRegistrar,
    Command,
    ConfigurationKind,
    ConnectionNotes,
    ConnectionObserver,
    EntryNotes,
    EventListener,
    Gauge,
    Grant,
    Groups,
    Identity,
    KeySource,
    KeyUse,
    KeyWrapper,
    McpServers,
    NavigationEntry,
    Observer,
    PkceMethod,
    ProtectedResources,
    Recorder,
    RecordStore,
    ScopeCeilings,
    SecretScheme,
    Signer,
    SignInOffer,
    StateStore,
    ToolGates,
)

if TYPE_CHECKING:
    from fastapi import APIRouter
    from pydantic_settings import BaseSettings

    from latchpin.model import ServerProfile

__all__ = ["HOOK_API", "HOOKS", "SERVING_HOOKS", "SIDE_BY_SIDE", "WITH_SETTINGS", "BackendHook", "Hook", "hookimpl"]

PROJECT = "latchpin"
HOOK_API = "1.0"
"""The version of all that a plugin may use: the hooks, their contracts and the published modules. The second number
rises when something is added, the first when something changes or goes."""
hookimpl = pluggy.HookimplMarker(PROJECT)

OfferT = TypeVar("OfferT")
ServiceT = TypeVar("ServiceT")


@dataclass(frozen=True, slots=True, eq=False)
class Hook(Generic[OfferT]):
    """A hook, and what plugins offer through it.

    Attributes:
        name: what the function of a plugin is called.
        about: what it is for.
        kind: what it returns, one or a list: a class, or a Protocol. As text where not every process may import it.
        variable: the setting that chooses one of the offers by name; ``""`` where all are used.
        used: how all are used, as ``latchpin plugins`` says it.
        by_place: it may return ``package.module:attribute`` instead, where the thing or a function that makes one or a
            list is: what lists plugins does without loading it.
    """

    name: str
    about: str
    _: KW_ONLY
    kind: type[OfferT] | str
    variable: str = ""
    used: str = "all"
    by_place: bool = False

    @property
    def words(self) -> str:
        """Its name, for people."""
        return self.name.removeprefix(f"{PROJECT}_").replace("_", " ")


@dataclass(frozen=True, slots=True, eq=False)
class BackendHook(Hook[Backend[Any, ServiceT]], Generic[ServiceT]):
    """A hook that returns ``Backend``s.

    Attributes:
        contract: what they open keeps it.
        may_be_none: one that has nothing to do with its settings opens as None.
    """

    _: KW_ONLY
    kind: type[Backend[Any, ServiceT]] | str = field(default="latchpin.Backend", init=False)
    contract: type[ServiceT]
    may_be_none: bool = False


COMMANDS = Hook(
    "latchpin_commands",
    "Add commands, and groups of them: what each is called, and where its Typer app is, loaded when it is used.",
    kind=Command,
)
SETTINGS: Hook[type[BaseSettings]] = Hook(
    "latchpin_settings",
    "Name the settings models that no backend names, so that they are listed and spelt right.",
    kind="latchpin.Settings",
)
KEY_WRAPPER = BackendHook(
    "latchpin_key_wrapper",
    "Offer a key service that wraps the keys which the gateway makes.",
    contract=KeyWrapper,
    variable="KEY_WRAPPER",
)
KEY_SOURCE = BackendHook(
    "latchpin_key_source",
    "Offer keys that change while the gateway runs; opened as soon as the record store is open.",
    contract=KeySource,
    variable="KEY_SOURCE",
)
KEY_USES = Hook(
    "latchpin_key_uses",
    "Name what stands in the record store sealed or signed, or say where it is named: ``package.module:attribute``. "
    "``latchpin keys`` counts it and seals it anew.",
    kind=KeyUse,
    used="all are counted",
    by_place=True,
)
SIGNER = BackendHook("latchpin_signer", "Offer a signer of the state.", contract=Signer, variable="SIGNER")
CIPHER = BackendHook("latchpin_cipher", "Offer a cipher for secrets at rest.", contract=Cipher, variable="CIPHER")
PKCE_METHODS = Hook(
    "latchpin_pkce_methods",
    "Offer code challenge methods.",
    kind=PkceMethod,
    variable="OAUTH_PREFERRED_CODE_CHALLENGE_METHOD",
)
CLIENT_AUTHENTICATIONS = Hook(
    "latchpin_client_authentications",
    "Offer client authentication methods for token requests; gateway and server choose by name.",
    kind=ClientAuthentication,
    used="chosen for each gateway",
)
AUTH_SCHEMES = Hook(
    "latchpin_auth_schemes",
    "Offer ways other than OAuth to show an MCP server for whom a request is, each by the ``auth_type`` of entries.",
    kind=AuthScheme,
    used="chosen for each gateway",
)
SERVER_PROFILES: Hook[ServerProfile] = Hook(
    "latchpin_server_profiles",
    "Offer what servers need beyond the standard; of those that hold for one server, the lowest rank counts.",
    kind="latchpin.ServerProfile",
    used="each holds at its own servers",
)
STATE_STORE = BackendHook(
    "latchpin_state_store", "Offer a store for pending authorizations.", contract=StateStore, variable="CACHE_TYPE"
)
RECORD_STORE = BackendHook(
    "latchpin_record_store", "Offer a store for what must last.", contract=RecordStore, variable="RECORD_STORE"
)
CLIENT_REGISTRAR = BackendHook(
    "latchpin_client_registrar",
    "Offer a way to a client_id.",
    contract=ClientRegistrar,
    used="all are asked, in order of rank",
)
IDENTITY = BackendHook(
    "latchpin_identity",
    "Offer ways to know callers; two answers that disagree are refused.",
    contract=Identity,
    used="all are asked",
)
GROUPS = BackendHook(
    "latchpin_groups",
    "Offer ways to know in which groups people are: a gateway's ``allowed_users`` and rules name them.",
    contract=Groups,
    may_be_none=True,
    used="all are asked",
)
SIGN_INS: Hook[SignInOffer[Any]] = Hook(
    "latchpin_sign_ins",
    "Offer ways to sign in; the login page links to each that is set up, and the plugin's routes do the work.",
    kind=SignInOffer,
)
GRANTS = BackendHook(
    "latchpin_grants",
    "Offer ways to tokens without a browser, each by the ``grant_type`` that a gateway's entry names.",
    contract=Grant,
    used="chosen for each gateway",
)
IDENTITY_ASSERTIONS = BackendHook(
    "latchpin_identity_assertions",
    "Offer ways to an identity provider's word for who a caller is.",
    contract=AssertionSource,
    used="all are asked, in order of rank",
)
EVENT_LISTENERS = BackendHook(
    "latchpin_event_listeners",
    "Offer listeners that are told what happened, as ``latchpin.sdk.activity`` has it.",
    contract=EventListener,
    may_be_none=True,
)
RECORDERS = BackendHook(
    "latchpin_recorders",
    "Offer what keeps what was done; requests are answered once it is kept.",
    contract=Recorder,
    may_be_none=True,
)
OBSERVERS = BackendHook(
    "latchpin_observers",
    "Offer observers of requests, of calls upstream and of stores.",
    contract=Observer,
    may_be_none=True,
    used="all watch",
)
CALL_OBSERVERS = BackendHook(
    "latchpin_call_observers",
    "Offer observers of MCP calls: who calls what at which server, and what becomes of it.",
    contract=CallObserver,
    may_be_none=True,
    used="all are told",
)
CONNECTION_OBSERVERS = BackendHook(
    "latchpin_connection_observers",
    "Offer observers of connections: whose account is used at which gateway, and when.",
    contract=ConnectionObserver,
    may_be_none=True,
    used="all are told",
)
BACKGROUND_TASKS: BackendHook[BackgroundTask[Any]] = BackendHook(
    "latchpin_background_tasks",
    "Offer work that each serving process does on the side.",
    contract=BackgroundTask,
    may_be_none=True,
    used="each serving process runs all",
)
GAUGES = Hook("latchpin_gauges", "Offer numbers that metrics show.", kind=Gauge)
PROTECTED_RESOURCES = Hook(
    "latchpin_protected_resources",
    "Name the MCP endpoints that ``latchpin_routes`` adds, or say where they are named: ``package.module:attribute``. "
    "Clients can get tokens for them.",
    kind=ProtectedResources,
    by_place=True,
)
MCP_SERVERS = Hook(
    "latchpin_mcp_servers",
    "Offer a way to the MCP servers behind gateways, for plugins that serve endpoints of their own.",
    kind=McpServers,
    used="the one of the lowest rank is taken",
)
TOOL_GATES = BackendHook(
    "latchpin_tool_gates",
    "Offer ways to hold back tools of MCP servers: they are neither listed nor called.",
    contract=ToolGates,
    may_be_none=True,
    used="all are asked",
)
SCOPE_CEILINGS = BackendHook(
    "latchpin_scope_ceilings",
    "Offer limits of the scopes that authorization servers are asked for.",
    contract=ScopeCeilings,
    may_be_none=True,
    used="all are asked, and all hold",
)
CONFIGURATION_KINDS = Hook(
    "latchpin_configuration_kinds",
    "Offer kinds of entries that files may hold, or say where they are: ``package.module:attribute``. What "
    "``latchpin apply`` reads is all that is offered here.",
    kind=ConfigurationKind,
    by_place=True,
)
SECRET_SCHEMES = Hook(
    "latchpin_secret_schemes",
    "Offer places of secrets that files refer to, each by what stands before the colon.",
    kind=SecretScheme,
    used="chosen by each reference",
    by_place=True,
)
ENTRY_NOTES = BackendHook(
    "latchpin_entry_notes",
    "Offer what is to be known of entries before they are changed in pages.",
    contract=EntryNotes,
    may_be_none=True,
    used="all are shown",
)
CONNECTION_NOTES = Hook(
    "latchpin_connection_notes",
    "Offer why connections need somebody, which is said beside them in pages.",
    kind=ConnectionNotes,
    used="all are shown",
)
ROUTES: Hook[APIRouter] = Hook(
    "latchpin_routes",
    "Add routes to the web application, or say where they are: ``package.module:attribute``, a router or a function "
    "that makes some, which a serving process loads. They come after the core's own and cannot replace them.",
    kind="fastapi.APIRouter",
    by_place=True,
)
NAVIGATION = Hook(
    "latchpin_navigation",
    "Link to pages that ``latchpin_routes`` adds: in the menu, on the overview, at gateways, or at a flow that failed.",
    kind=NavigationEntry,
)
CHECKS = Hook(
    "latchpin_checks",
    "Offer checks for ``latchpin doctor``, grouped by their headings.",
    kind=Check,
    used="doctor runs all",
)

HOOKS: tuple[Hook[Any], ...] = tuple(each for each in tuple(vars().values()) if isinstance(each, Hook))
"""Every hook, in its order."""
SERVING_HOOKS = tuple(each for each in HOOKS if each is not COMMANDS)
"""Those that a serving process looks at: it does not load what a command line needs."""
WITH_SETTINGS = tuple(each for each in HOOKS if isinstance(each, BackendHook) or each is SIGN_INS)
"""Those whose offers have settings."""
SIDE_BY_SIDE = tuple(each for each in WITH_SETTINGS if not each.variable and each is not RECORDERS)
"""Those of which a gateway that serves opens every offer, and a command what it needs. What commands do is recorded."""

SPECS = type("SPECS", (), {each.name: pluggy.HookspecMarker(PROJECT)(lambda: None) for each in HOOKS})
"""What pluggy is told of them."""
