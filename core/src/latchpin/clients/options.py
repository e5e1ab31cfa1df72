"""The ways to a client_id side by side: which one applies to a gateway at a server, and why the others do not."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

from latchpin.contracts import ClientRegistrar, RegistrationRequest
from latchpin.errors import RegistrationFailed
from latchpin.plugins.elsewhere import missing

__all__ = ["Way", "RegistrationOptions", "list_ways"]


@dataclass(frozen=True, slots=True)
class Way:
    """One way. ``obstacle`` is why it does not apply, None if it does."""

    label: str
    obstacle: str | None


@dataclass(frozen=True, slots=True)
class RegistrationOptions:
    """All ways in the order in which they are asked.

    Attributes:
        kept: the client_id that was registered before and is used on, None if there is none.
        redirect_uri: what the provider must know of the client.
    """

    ways: tuple[Way, ...]
    kept: str | None
    redirect_uri: str

    @property
    def chosen(self) -> Way | None:
        """The first that applies."""
        return next((way for way in self.ways if way.obstacle is None), None)

    def refusal(self) -> RegistrationFailed:
        """Say that there is none."""
        return self.explain(RegistrationFailed("There is no way to a client_id."))

    def explain(self, refused: RegistrationFailed) -> RegistrationFailed:
        """Add to a refusal why no other way applied, and the redirect URI that a client made by hand needs."""
        others = [f"{way.label}: {way.obstacle}" for way in self.ways if way.obstacle is not None]
        others += [f"{each.registrar}: {name} is not installed" for name, each in missing().items() if each.registrar]
        explained = copy(refused)  # all who waited for one registration were given this very object
        if others:
            explained.detail = f"{refused.detail.rstrip('.')}. Other ways: {'; '.join(others)}."
            explained.args = (explained.detail,)
        explained.remedy = f"{refused.remedy} The redirect URI to enter there: {self.redirect_uri}"
        return explained


def list_ways(
    registrars: Sequence[ClientRegistrar], request: RegistrationRequest, kept: str | None
) -> RegistrationOptions:
    """Ask each registrar whether it applies; nobody is asked over the network."""
    ways = tuple(Way(registrar.label, registrar.obstacle(request)) for registrar in registrars)
    return RegistrationOptions(ways, kept, request.redirect_uri)
