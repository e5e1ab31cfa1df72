"""How callers are known, and where people can sign in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

    from latchpin.contracts.backend import Clock
    from latchpin.contracts.servers import Upstream
    from latchpin.model import Caller, Evidence, IdentityAssertion, IdentityProvider

__all__ = ["AssertionSource", "Groups", "Identity", "SignIn", "SignInOffer"]

SettingsT = TypeVar("SettingsT", bound="BaseSettings")


class Identity(Protocol):
    """One way to know who is asking.

    An identity that reads the ``Authorization`` header has an attribute ``schemes``: a frozenset of the schemes, in
    lower case, that it answers for. A header of which no identity that found a caller answers for the scheme is
    refused with 401, whatever else came along: what is present and proves nothing never counts as absent.

    Several identities may answer for one scheme, each for tokens of its own kind. One that knows its kind by the text
    alone has a method ``recognizes(credentials: str) -> bool``: what it recognizes, it alone is asked about. Those
    without it are asked about what nobody recognizes.

    An identity whose tokens clients get from an authorization server has an attribute ``issuer``: that server's, a URL.
    Protected resources name it in their metadata (RFC 9728).

    An identity that finds nobody in a request without certain header fields has an attribute ``reads``: a frozenset of
    their names, in lower case. Where every identity has one, whom an ``Authorization`` field proves is remembered by
    its hash for half a second, at most until ``Caller.expires_at``. What such an identity remembers itself, it asks
    anew after half a second too, and what ends a token at this worker calls ``Context.endings.note()``: so an end
    counts here at once, and everywhere within a second.
    """

    async def identify(self, evidence: Evidence) -> Caller | None:
        """Say who it is, or None if this way finds nothing in the request.

        Raises:
            NotSignedIn: something is there and it is not valid; no other way is then asked.
        """


@dataclass(frozen=True, slots=True)
class SignIn:
    """A way to sign in that is set up: the login page shows a link to it. The plugin's own routes do the work.

    Attributes:
        label: whose account it takes, as in "Sign in with <label>".
        path: begins with ``/``; GET begins the sign-in there, and a ``next`` in the query is where to go after it.
        sign_out_path: GET leads on to where the same account can be signed out elsewhere; None if nowhere.
        signs_out: asks whether ``sign_out_path`` leads anywhere now; within some seconds, and it raises nothing. None:
            it always does.
        names_administrators: whether it tells by itself who is an administrator.
    """

    label: str
    path: str
    sign_out_path: str | None = None
    signs_out: Callable[[Upstream, Clock], Awaitable[bool]] | None = None
    names_administrators: bool = False


@dataclass(frozen=True, slots=True)
class SignInOffer(Generic[SettingsT]):
    """One offer of a plugin: a descriptor that a hook returns.

    Attributes:
        name: names it in ``latchpin plugins``. Lower case.
        settings: a pydantic-settings model (``latchpin.Settings``), validated before any I/O.
        needs: what has to be set before it is shown, in words, as in "A and B".
        describe: gives what the login page shows, by the settings; None where it is not set up. Does no I/O.
    """

    name: str
    settings: type[SettingsT]
    needs: str
    describe: Callable[[SettingsT], SignIn | None]


class Groups(Protocol):
    """One way to know in which groups people are. All are asked, and whom one of them names is in the group."""

    async def of(self, caller: Caller) -> frozenset[str]:
        """The groups of ``caller.email``, each as ``latchpin.model.write_group`` writes it; of a stranger none.

        Asked for each request whose sender is not remembered, so it remembers what it reads; half a second at most, so
        that a change counts everywhere within a second. ``caller.groups`` are those that the request itself proves;
        ``caller.groups_said``: it says so, even where there are none.

        Raises:
            BackendUnavailable: it cannot be said; the request is refused.
        """


class AssertionSource(Protocol):
    """One way to an identity provider's word for who somebody is (SEP-990). All are asked, lowest rank first."""

    async def find(self, caller: Caller, provider: IdentityProvider) -> IdentityAssertion | None:
        """Give an assertion about ``caller`` that ``provider`` issued and that has not expired; None if there is none.

        It goes to that provider's token endpoint and nowhere else. A source answers for the person, not for the
        request: what it gives must be about ``caller.email``.
        """
