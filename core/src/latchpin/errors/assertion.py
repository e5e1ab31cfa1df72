"""What goes wrong where a signed assertion takes the place of a person in a browser."""

from __future__ import annotations

from latchpin.errors.caller import CallerError
from latchpin.errors.causes import assertion
from latchpin.errors.configuration import ConfigurationError
from latchpin.errors.upstream import TokenRefused

__all__ = ["AssertionRefused", "AssertionUnusable", "IdentityAssertionRequired"]


class IdentityAssertionRequired(CallerError):
    """The gateway needs an identity provider's word for who the caller is, and there is none that still holds."""

    cause = assertion.IDENTITY_ASSERTION_REQUIRED


class AssertionRefused(TokenRefused):
    """An identity provider, or the server that trusts it, does not accept an assertion."""

    cause = assertion.ASSERTION_REFUSED


class AssertionUnusable(ConfigurationError):
    """A workload's own JWT is missing, is no JWT, or has expired."""

    cause = assertion.ASSERTION_UNUSABLE
