"""What a gateway's entry must and must not have with the JWT bearer grant."""

from __future__ import annotations

from latchpin.errors import InvalidRequest
from latchpin.model import JWT_BEARER, OAuthConfig

__all__ = ["check_entry", "is_workloads"]


_KEYS = (
    "assertion",
    "assertion_file",
    "identity_provider",
    "identity_provider_token_url",
    "identity_provider_client_id",
    "identity_provider_client_secret",
)


def is_workloads(config: OAuthConfig) -> bool:
    """Whether a workload vouches for the gateway itself; else an identity provider vouches for each person."""
    return config.assertion is not None or config.assertion_file is not None


def check_entry(config: OAuthConfig, earlier: OAuthConfig, *, identity_provider: bool, assertion_folder: bool) -> None:
    """Insist on all that the grant needs.

    Args:
        config: the whole entry as it will be.
        earlier: the entry as it was.
        identity_provider: IDENTITY_PROVIDER is set.
        assertion_folder: ASSERTION_FOLDER is set.

    Raises:
        InvalidRequest: names the key that is missing, or too much.
    """
    entered = [name for name in _KEYS if getattr(config, name) is not None]
    if is_workloads(config):
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
