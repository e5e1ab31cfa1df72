"""Who a proven account is here: the address, if it is verified and admitted, and whether it is an administrator's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latchpin.errors import InvalidRequest
from latchpin.model import read_groups
from latchpin.sdk.identity import parse_email

from latchpin_oidc_login.errors import NotAdmitted
from latchpin_oidc_login.settings import OidcLoginSettings

__all__ = ["Person", "lacks_claims", "read_person"]

EMAIL = "email"
VERIFIED = "email_verified"
"""Speaks of ``email``, whatever other claim an address is taken from (OpenID Connect Core section 5.1)."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who signs in.

    Attributes:
        is_admin: by a group; ADMIN_EMAILS counts besides.
        groups: as ``latchpin.model.write_group`` writes them.
    """

    email: str
    is_admin: bool
    groups: frozenset[str] = frozenset()


def lacks_claims(claims: Mapping[str, Any], settings: OidcLoginSettings) -> bool:
    """Whether the ID token leaves something open that the userinfo endpoint may tell."""
    if settings.oidc_login_email_claim not in claims or VERIFIED not in claims:
        return True
    wanted = settings.oidc_login_admin_groups or settings.oidc_login_groups_days
    return bool(wanted) and settings.oidc_login_groups_claim not in claims


def read_person(claims: Mapping[str, Any], userinfo: Mapping[str, Any], settings: OidcLoginSettings) -> Person:
    """Read the person from the ID token, and what it leaves open from userinfo.

    The address and whether it is verified come from the same of the two: they may differ.

    Raises:
        NotAdmitted: no address, one that is not verified, or of another domain than is admitted.
    """
    name = settings.oidc_login_email_claim
    source = userinfo if name in userinfo and not (name in claims and VERIFIED in claims) else claims
    if name not in source:
        raise NotAdmitted(
            f"the provider does not tell your address (the claim '{name}')",
            remedy="An administrator lets the provider send it, or corrects OIDC_LOGIN_SCOPES and "
            "OIDC_LOGIN_EMAIL_CLAIM.",
        )
    _check_verified(source, settings)
    try:
        email = parse_email(source[name])
    except InvalidRequest as exc:
        raise NotAdmitted(f"the claim '{name}': {exc.detail}") from exc
    _check_domain(email, settings)
    value = (claims if settings.oidc_login_groups_claim in claims else userinfo).get(settings.oidc_login_groups_claim)
    is_admin = not _read_names(value).isdisjoint(settings.oidc_login_admin_groups)
    return Person(email, is_admin, read_groups(value))


def _check_verified(source: Mapping[str, Any], settings: OidcLoginSettings) -> None:
    verified, name = source.get(VERIFIED), settings.oidc_login_email_claim
    if verified is True or verified == "true":  # some providers write it as text
        if name == EMAIL or source[name] == source.get(EMAIL):
            return
        verified = None
    if verified is None and settings.oidc_login_trust_unverified_email:
        return
    if verified is None:
        raise NotAdmitted(
            f"the provider does not say that your address is verified ('{VERIFIED}')",
            remedy="An administrator lets the provider send it. OIDC_LOGIN_TRUST_UNVERIFIED_EMAIL=true does without, "
            "and is safe only where nobody can choose an address at the provider.",
        )
    raise NotAdmitted(
        "your address is not verified at the provider", remedy="Have it verified at the provider, then sign in again."
    )


def _check_domain(email: str, settings: OidcLoginSettings) -> None:
    allowed = settings.oidc_login_allowed_domains
    if allowed and email.rpartition("@")[2] not in allowed:
        raise NotAdmitted("addresses of your domain are not admitted")


def _read_names(value: object) -> frozenset[str]:
    values = value if isinstance(value, list) else [value]
    return frozenset(item for item in values if isinstance(item, str))
