"""The hooks, in the order in which the gateway calls them.

A hook offers; it does not act. Each is synchronous, does no I/O, is called once while the gateway is
assembled, takes no arguments and returns descriptors. A plugin implements those it has something to
offer for, marks them with ``latchpin.hookimpl``, and is found through the entry-point group
``latchpin``. The order in which plugins load decides nothing: settings choose by name, and where
several offers work side by side their ``rank`` orders them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pluggy
from pydantic_settings import BaseSettings

from latchpin.contracts import (
    AssertionSource,
    Backend,
    BackgroundTask,
    Check,
    Cipher,
    ClientAuthentication,
    ClientRegistrar,
    EventListener,
    Identity,
    NavigationEntry,
    Observer,
    PkceMethod,
    Recorder,
    RecordStore,
    Signer,
    SignInOffer,
    StateStore,
)
from latchpin.model.server_profile import ServerProfile

if TYPE_CHECKING:
    import typer
    from fastapi import APIRouter

PROJECT = "latchpin"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def latchpin_commands() -> Sequence[typer.Typer]:  # type: ignore[empty-body]
    """Add commands. A Typer app with a ``name`` in its info becomes a group; without, its commands join the root."""


@hookspec
def latchpin_settings() -> Sequence[type[BaseSettings]]:  # type: ignore[empty-body]
    """Name the settings models that no backend names, so that they are listed and spelt right."""


@hookspec
def latchpin_signer() -> Backend[Any, Signer]:  # type: ignore[empty-body]
    """Offer a signer of the state; ``SIGNER`` selects it, by default ``hmac-sha256``."""


@hookspec
def latchpin_cipher() -> Backend[Any, Cipher]:  # type: ignore[empty-body]
    """Offer a cipher for secrets at rest; ``CIPHER`` selects it, by default ``aes-gcm``."""


@hookspec
def latchpin_pkce_methods() -> Sequence[PkceMethod]:  # type: ignore[empty-body]
    """Offer code challenge methods; ``OAUTH_PREFERRED_CODE_CHALLENGE_METHOD`` selects one."""


@hookspec
def latchpin_client_authentications() -> Sequence[ClientAuthentication]:  # type: ignore[empty-body]
    """Offer client authentication methods for token requests; gateway and server choose by name."""


@hookspec
def latchpin_server_profiles() -> Sequence[ServerProfile]:  # type: ignore[empty-body]
    """Offer what servers need beyond the standard; SERVER_PROFILES_FILE comes before it, the built-in table after."""


@hookspec
def latchpin_state_store() -> Backend[Any, StateStore]:  # type: ignore[empty-body]
    """Offer a store for pending authorizations; ``CACHE_TYPE`` selects it."""


@hookspec
def latchpin_record_store() -> Backend[Any, RecordStore]:  # type: ignore[empty-body]
    """Offer a store for what must last; ``RECORD_STORE`` selects it."""


@hookspec
def latchpin_client_registrar() -> Backend[Any, ClientRegistrar]:  # type: ignore[empty-body]
    """Offer a way to a client_id; all that are installed are asked, lowest rank first."""


@hookspec
def latchpin_identity() -> Sequence[Backend[Any, Identity]]:  # type: ignore[empty-body]
    """Offer ways to know callers; all are asked, and two answers that disagree are refused."""


@hookspec
def latchpin_sign_ins() -> Sequence[SignInOffer[Any]]:  # type: ignore[empty-body]
    """Offer ways to sign in; the login page links to each that is set up, and the plugin's routes do the work."""


@hookspec
def latchpin_identity_assertions() -> Sequence[Backend[Any, AssertionSource]]:  # type: ignore[empty-body]
    """Offer ways to an identity provider's word for who a caller is; all are asked, lowest rank first."""


@hookspec
def latchpin_event_listeners() -> Sequence[Backend[Any, EventListener | None]]:  # type: ignore[empty-body]
    """Offer listeners that are told what happened, as ``latchpin.sdk.activity`` has it; one may open as None."""


@hookspec
def latchpin_recorders() -> Sequence[Backend[Any, Recorder | None]]:  # type: ignore[empty-body]
    """Offer what keeps what was done; requests are answered once it is kept; one may open as None."""


@hookspec
def latchpin_observers() -> Sequence[Backend[Any, Observer | None]]:  # type: ignore[empty-body]
    """Offer observers of requests, of calls upstream and of stores; one with nothing to do opens as None."""


@hookspec
def latchpin_background_tasks() -> Sequence[Backend[Any, BackgroundTask[Any] | None]]:  # type: ignore[empty-body]
    """Offer work that each serving process does on the side; one with nothing to do opens as None."""


@hookspec
def latchpin_routes() -> Sequence[APIRouter]:  # type: ignore[empty-body]
    """Add routes to the web application. They come after the core's own and cannot replace them."""


@hookspec
def latchpin_navigation() -> Sequence[NavigationEntry]:  # type: ignore[empty-body]
    """Link to pages that ``latchpin_routes`` adds: in the menu, beside the list of gateways, or at each gateway."""


@hookspec
def latchpin_checks() -> Sequence[Check]:  # type: ignore[empty-body]
    """Offer checks for ``latchpin doctor``; all are run, grouped by their headings."""
