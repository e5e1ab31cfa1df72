"""Where the sign-in is reached, below BASE_URL."""

from __future__ import annotations

__all__ = ["BACK_CHANNEL", "BEGIN", "CALLBACK", "SIGN_OUT"]

BEGIN = "/login/oidc"
CALLBACK = "/login/oidc/callback"
"""The redirect URI that the provider knows."""
SIGN_OUT = "/login/oidc/sign-out"
BACK_CHANNEL = "/login/oidc/backchannel-logout"
"""Where the provider says that somebody signed out there."""
