"""What an entry must and must not have beside its grant type."""

from __future__ import annotations

from latchpin.errors import InvalidRequest
from latchpin.model import JWT_BEARER, OAuthConfig
from latchpin.oauth.grants import grant_subject

__all__ = ["check_grant"]

_ASSERTION_KEYS = (
    "assertion",
    "assertion_file",
    "identity_provider",
    "identity_provider_token_url",
    "identity_provider_client_id",
    "identity_provider_client_secret",
)


def check_grant(config: OAuthConfig, earlier: OAuthConfig, identity_provider: bool, assertion_folder: bool) -> None:
    """Insist on all that the JWT bearer grant needs, and on nothing of it with another grant.

    Args:
        config: the whole entry as it will be.
        earlier: the entry as it was.
        identity_provider: IDENTITY_PROVIDER is set.
        assertion_folder: ASSERTION_FOLDER is set.

    Raises:
        InvalidRequest: names the key that is missing, or too much.
    """
    entered = [name for name in _ASSERTION_KEYS if getattr(config, name) is not None]
    if config.grant_type != JWT_BEARER:
        if entered:
            raise InvalidRequest(
                f"oauth_config.{entered[0]} is given, and grant_type is {config.grant_type}",
                remedy=f"Set grant_type to {JWT_BEARER}, or that key to null.",
            )
    elif grant_subject(config) == "workload":
        _check_workload(entered, assertion_folder)
    elif earlier.assertion is not None and not entered:
        raise InvalidRequest(
            "the assertion was meant for the earlier server", remedy="Give oauth_config.assertion anew with the change."
        )
    else:
        _check_provider(config, identity_provider)


def _check_workload(entered: list[str], assertion_folder: bool) -> None:
    if len(entered) > 1:
        raise InvalidRequest(f"oauth_config has {' and '.join(entered)}: one alone can vouch")
    if entered == ["assertion_file"] and not assertion_folder:
        raise InvalidRequest(
            "oauth_config.assertion_file is given, and this gateway reads no such files",
            remedy="Set ASSERTION_FOLDER to the folder that holds the file.",
        )


def _check_provider(config: OAuthConfig, identity_provider: bool) -> None:
    if (config.identity_provider is None) != (config.identity_provider_client_id is None):
        raise InvalidRequest("oauth_config needs identity_provider and identity_provider_client_id, or neither")
    if config.identity_provider is None and not identity_provider:
        raise InvalidRequest(
            f"nobody is named who vouches, which {JWT_BEARER} needs",
            remedy="Give identity_provider and identity_provider_client_id, or assertion, or assertion_file.",
        )
    if config.identity_provider is None and config.identity_provider_token_url is not None:
        raise InvalidRequest("oauth_config.identity_provider_token_url is given without identity_provider")
