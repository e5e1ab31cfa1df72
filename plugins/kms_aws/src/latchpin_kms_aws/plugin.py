"""What latchpin finds through the entry point: the key service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import latchpin
from latchpin.contracts import Backend, Context, KeyWrapper
from latchpin.errors import SettingsError

if TYPE_CHECKING:
    from latchpin_kms_aws.settings import AwsKmsSettings

__all__ = ["latchpin_key_wrapper"]

NAME, LABEL = "aws-kms", "AWS KMS"


@asynccontextmanager
async def _open(settings: AwsKmsSettings, context: Context) -> AsyncIterator[KeyWrapper]:
    """Ask nobody yet: a service that is away is told where a key is wanted."""
    from botocore.session import Session  # noqa: PLC0415  botocore loads only when it is selected

    from latchpin_kms_aws.signing import Signer, address_of, find_region  # noqa: PLC0415  the same
    from latchpin_kms_aws.wrapper import AwsKmsWrapper  # noqa: PLC0415  the same

    if not settings.kms_aws_key_id:
        raise SettingsError("KMS_AWS_KEY_ID is empty", remedy="Set it to the ARN of a symmetric key: see docs/kms.md.")
    session = Session()
    region = find_region(settings, session)
    address = settings.kms_aws_endpoint or address_of(region, session)
    yield AwsKmsWrapper(await context.trusted(address), address, Signer(session, region), settings)


@latchpin.hookimpl
def latchpin_key_wrapper() -> Backend[AwsKmsSettings, KeyWrapper]:
    """Offer ``KEY_WRAPPER=aws-kms``."""
    from latchpin_kms_aws.settings import AwsKmsSettings  # noqa: PLC0415  loads only when it is asked for

    return Backend(NAME, LABEL, AwsKmsSettings, _open)
