"""The contracts between the core and its plugins, each with what must hold and in which order.

A contract is a small ``Protocol``: a plugin implements it without importing a base class. Every
implementation passes the suite that ``latchpin_testing`` ships for it, unchanged. Stores see sealed
secrets only. All times are aware UTC; "now" is always the injected clock (``Context.clock``, a ``Clock``).
``PostToken`` is how a grant asks another token endpoint. ``AUTHORIZE_FIRST`` is the code of the error by which
``McpExchanges`` tell that a person has to authorize a server first. ``CallOutcome`` is what became of an ``McpCall``.
A ``ConfigurationKind`` opens ``ConfigurationEntries``, of which each is a ``StandingEntry`` or, before it is written, a
``PlannedEntry``; ``EntryNames`` finds one by what files call it.
"""

from latchpin.contracts.auth_schemes import AuthScheme
from latchpin.contracts.backend import Backend, Clock, Context
from latchpin.contracts.background import BackgroundTask, Every
from latchpin.contracts.calls import CallObserver, CallOutcome, McpCall
from latchpin.contracts.checks import Check, CheckContext, Finding, Fix, Instance, Severity
from latchpin.contracts.collections import BulkCollection, Collection
from latchpin.contracts.commands import Command
from latchpin.contracts.configuration import (
    ConfigurationEntries,
    ConfigurationKind,
    EntryNames,
    EntryNotes,
    PlannedEntry,
    SecretScheme,
    StandingEntry,
)
from latchpin.contracts.endings import Endings
from latchpin.contracts.evidence import StoreDiagnostics, StoreFacts
from latchpin.contracts.gates import ScopeCeilings, ToolGate, ToolGates, Verdict
from latchpin.contracts.grants import Grant, GrantParameters, GrantRequest, GrantSubject, PostToken
from latchpin.contracts.key_uses import KeyedRow, KeyUse
from latchpin.contracts.keys import (
    ChangingKeys,
    Cipher,
    DerivedKey,
    KeyNaming,
    Keys,
    KeySource,
    KeyWrapper,
    PkceMethod,
    Signer,
)
from latchpin.contracts.observers import ConnectionObserver, Observer, Operation
from latchpin.contracts.pages import ConnectionNotes, Gauge, NavigationEntry
from latchpin.contracts.people import AssertionSource, Groups, Identity, SignIn, SignInOffer
from latchpin.contracts.readers import EventListener, Recorder, Teller
from latchpin.contracts.resources import (
    AUTHORIZE_FIRST,
    Admitted,
    McpExchanges,
    McpServers,
    ProtectedResource,
    ProtectedResources,
)
from latchpin.contracts.servers import (
    ClientAuthentication,
    ClientRegistrar,
    ClientUpdates,
    Keeps,
    Registration,
    RegistrationRequest,
    TokenRequestParts,
    Upstream,
)
from latchpin.contracts.stores import (
    ClientRecords,
    GatewayRecords,
    KeyValueRecords,
    PagedTokens,
    RecordStore,
    ReplacingClients,
    StateStore,
    TokenRecords,
)

__all__ = [
    "AuthScheme",
    "ScopeCeilings",
    "ToolGate",
    "ToolGates",
    "Verdict",
    "AUTHORIZE_FIRST",
    "Admitted",
    "AssertionSource",
    "Backend",
    "BackgroundTask",
    "BulkCollection",
    "CallObserver",
    "CallOutcome",
    "ChangingKeys",
    "Check",
    "CheckContext",
    "Cipher",
    "ClientAuthentication",
    "ClientRecords",
    "ClientRegistrar",
    "ClientUpdates",
    "Clock",
    "Collection",
    "Command",
    "ConfigurationEntries",
    "ConfigurationKind",
    "ConnectionNotes",
    "ConnectionObserver",
    "Context",
    "DerivedKey",
    "Endings",
    "EntryNames",
    "EntryNotes",
    "EventListener",
    "Every",
    "Finding",
    "Fix",
    "GatewayRecords",
    "Gauge",
    "Grant",
    "GrantParameters",
    "GrantRequest",
    "GrantSubject",
    "Groups",
    "Identity",
    "Instance",
    "Keeps",
    "KeyNaming",
    "KeySource",
    "KeyUse",
    "KeyValueRecords",
    "KeyWrapper",
    "KeyedRow",
    "Keys",
    "McpCall",
    "McpExchanges",
    "McpServers",
    "NavigationEntry",
    "Observer",
    "Operation",
    "PagedTokens",
    "PkceMethod",
    "PlannedEntry",
    "PostToken",
    "ProtectedResource",
    "ProtectedResources",
    "RecordStore",
    "Recorder",
    "Registration",
    "RegistrationRequest",
    "ReplacingClients",
    "SecretScheme",
    "SignIn",
    "SignInOffer",
    "Severity",
    "Signer",
    "StandingEntry",
    "StateStore",
    "StoreFacts",
    "StoreDiagnostics",
    "Teller",
    "TokenRecords",
    "TokenRequestParts",
    "Upstream",
]
