"""What goes wrong where a signed assertion takes the place of a person in a browser; the texts are in ``causes``."""

from __future__ import annotations

from latchpin.errors import ConfigurationError, TokenRefused

from latchpin_enterprise import causes

__all__ = ["AssertionRefused", "AssertionUnusable"]


class AssertionRefused(TokenRefused):
    """An identity provider, or the server that trusts it, does not accept an assertion."""

    cause = causes.ASSERTION_REFUSED


class AssertionUnusable(ConfigurationError):
    """A workload's own JWT is missing, is no JWT, or has expired."""

    cause = causes.ASSERTION_UNUSABLE
