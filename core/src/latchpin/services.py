"""What an assembled gateway consists of: one frozen value that the flow and the web are given."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from latchpin.activity.activity import Activity
from latchpin.activity.observers import Observers
from latchpin.contracts import (
    AssertionSource,
    AuthScheme,
    Backend,
    BackgroundTask,
    CallObserver,
    Cipher,
    ClientAuthentication,
    ClientRegistrar,
    Clock,
    ConnectionNotes,
    ConnectionObserver,
    Context,
    EntryNotes,
    Gauge,
    Grant,
    Groups,
    Identity,
    KeyUse,
    KeyValueRecords,
    McpServers,
    PkceMethod,
    ProtectedResources,
    RecordStore,
    ScopeCeilings,
    Signer,
    SignIn,
    StateStore,
    ToolGates,
    Upstream,
)
from latchpin.model import CollectionSpec
from latchpin.model.server_profile import ServerProfile
from latchpin.plugins.leaving import CALLS, load_moved
from latchpin.records.tools import ToolRecords
from latchpin.records.writes import RecordWrites
from latchpin.settings.core import CoreSettings
from latchpin.workers.leases import Leases
from latchpin.workers.pauses import Pauses

__all__ = ["Services"]


@dataclass(frozen=True, slots=True)
class Services:
    """The opened services, selected by settings. Made by ``latchpin.assembly.assembling.assemble`` only.

    Attributes:
        states: None with CACHE_TYPE=none.
        state_backend: the descriptor behind ``states``: its label goes into logs, ``shared`` into diagnosis.
        context: what every part was opened with; a plugin's pages and commands find there what it keeps and shares.
        declared: the collections that were opened so far, by their names.
        kept, tools: what the core keeps in collections of ``records``.
        leases, pauses: what workers agree on through ``kept``.
        registrars: in the order of their rank.
        identities: in the order of their rank.
        groups: ways to know in which groups people are, by their names.
        observers: watch how long things take.
        call_observers: are told of MCP calls, by what they and their plugins are called.
        activity: is told what happened.
        sign_ins: those that are set up.
        providers: what real providers need beyond the standard, the deployer's first.
        assertion_sources: in the order of their rank.
        authentications: by ``token_endpoint_auth_method``.
        auth_schemes: ways other than OAuth to show a server for whom a request is, by ``auth_type``.
        grants: those that need no browser, by ``grant_type``.
        background_tasks: by their names; a serving process runs them.
        gauges: numbers that plugins offer.
        key_uses: what stands in ``records`` under keys, of the core and of plugins.
        mcp_servers: ways to the MCP servers behind gateways, in the order of their rank.
        tool_gates: what holds tools back, by their names.
        scope_ceilings: what limits scopes, by their names.
        entry_notes: what is to be known of entries, by who says it.
        connection_notes: why connections need somebody, from all who say it.
        connection_observers: are told which connections are used, by their names for the log.
        protected_resources: the MCP endpoints that plugins serve.
        writes: tells what this process writes to ``records`` about gateways and tokens.
    """

    settings: CoreSettings
    clock: Clock
    instance_id: str
    signer: Signer
    cipher: Cipher
    pkce: PkceMethod
    states: StateStore | None
    state_backend: Backend[Any, StateStore] | None
    records: RecordStore
    record_backend: Backend[Any, RecordStore]
    context: Context
    kept: KeyValueRecords
    leases: Leases
    pauses: Pauses
    tools: ToolRecords
    upstream: Upstream
    registrars: Sequence[ClientRegistrar]
    identities: Sequence[Identity]
    authentications: Mapping[str, ClientAuthentication]
    activity: Activity
    observers: Observers = field(default_factory=Observers)
    call_observers: Mapping[str, CallObserver] = field(default_factory=dict)
    sign_ins: Sequence[SignIn] = ()
    providers: Sequence[ServerProfile] = ()
    groups: Mapping[str, Groups] = field(default_factory=dict)
    auth_schemes: Mapping[str, AuthScheme] = field(default_factory=dict)
    grants: Mapping[str, Grant] = field(default_factory=dict)
    assertion_sources: Sequence[AssertionSource] = ()
    background_tasks: Mapping[str, BackgroundTask[Any]] = field(default_factory=dict)
    gauges: Sequence[Gauge] = ()
    key_uses: Sequence[KeyUse] = ()
    mcp_servers: Sequence[McpServers] = ()
    tool_gates: Mapping[str, ToolGates] = field(default_factory=dict)
    scope_ceilings: Mapping[str, ScopeCeilings] = field(default_factory=dict)
    entry_notes: Mapping[str, EntryNotes] = field(default_factory=dict)
    connection_notes: Sequence[ConnectionNotes] = ()
    connection_observers: Mapping[str, ConnectionObserver] = field(default_factory=dict)
    protected_resources: Sequence[ProtectedResources] = ()
    declared: Mapping[str, CollectionSpec] = field(default_factory=dict)
    writes: RecordWrites = field(default_factory=RecordWrites)

    @property
    def calls(self) -> Any:  # noqa: ANN401  of a distribution that need not be installed
        """A ``CallObservers`` of its own, for plugins that were written before ``latchpin_mcp``."""
        warnings.warn(str(CALLS), DeprecationWarning, stacklevel=2)
        return load_moved("latchpin_mcp.calls.CallObservers")(self.call_observers)
