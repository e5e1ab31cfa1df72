"""Credentials as AWS's own tools find them, the address of KMS, and signed requests (Signature Version 4)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, HTTPClientError
from botocore.regions import EndpointResolver
from botocore.session import Session
from latchpin.errors import ConfigurationError, SettingsError, UpstreamTimeout, UpstreamUnreachable

from latchpin_kms_aws.settings import AwsKmsSettings, region_of

__all__ = ["Signer", "address_of", "find_region"]

_SERVICE = "kms"
_MOST_SECONDS = 20.0
"""How long AWS's tools may look for credentials: files, a metadata service, STS."""
_CREDENTIALS = "Give the gateway AWS credentials, best a role: see docs/kms.md."


def find_region(settings: AwsKmsSettings, session: Session) -> str:
    """The region of the key: KMS_AWS_REGION, that of its ARN, or AWS's own setting.

    Raises:
        SettingsError: none of them says.
    """
    found = settings.kms_aws_region or region_of(settings.kms_aws_key_id) or session.get_config_variable("region")
    if not found:
        raise SettingsError("no region of KMS is set", remedy="Set KMS_AWS_REGION, or name the key by its ARN.")
    return str(found)


def address_of(region: str, session: Session) -> str:
    """Where KMS is in a region, as AWS's own table has it.

    Raises:
        SettingsError: that table knows no such region.
    """
    resolver = EndpointResolver(session.get_data("endpoints"))
    found = resolver.construct_endpoint(_SERVICE, region)
    if found is None:
        raise SettingsError(f"AWS has no region '{region}'", remedy="Correct KMS_AWS_REGION.")
    return f"https://{found['hostname']}"


class Signer:
    """Signs requests to KMS.

    Args:
        session: AWS's own settings and ways to credentials.
        region: where the key is.
    """

    def __init__(self, session: Session, region: str) -> None:
        self._session = session
        self._region = region

    async def sign(self, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        """The header fields to send, with the signature among them.

        Raises:
            ConfigurationError: there are no credentials, or AWS refuses to give some.
            UpstreamError: who gives them does not answer.
        """
        credentials = await self._credentials()
        request = AWSRequest("POST", url, headers=dict(headers), data=body)
        SigV4Auth(credentials, _SERVICE, self._region).add_auth(request)
        return {name: str(value) for name, value in request.headers.items()}

    async def _credentials(self) -> Any:  # noqa: ANN401  botocore has no types
        """Those of this moment: where they end, AWS's tools fetch others in time. They block, so a thread asks."""
        try:
            async with asyncio.timeout(_MOST_SECONDS):
                found = await asyncio.to_thread(self._find)
        except TimeoutError:
            raise UpstreamTimeout("AWS gave no credentials in time", remedy=_CREDENTIALS) from None
        except (EndpointConnectionError, HTTPClientError) as exc:
            text = f"who gives AWS credentials does not answer ({type(exc).__name__})"
            raise UpstreamUnreachable(text, remedy=_CREDENTIALS) from exc
        except (BotoCoreError, ClientError) as exc:
            raise ConfigurationError(f"AWS gave no credentials ({type(exc).__name__})", remedy=_CREDENTIALS) from exc
        if found is None:
            raise ConfigurationError("no AWS credentials were found", remedy=_CREDENTIALS)
        return found

    def _find(self) -> Any:  # noqa: ANN401  the same
        found = self._session.get_credentials()
        return None if found is None else found.get_frozen_credentials()
