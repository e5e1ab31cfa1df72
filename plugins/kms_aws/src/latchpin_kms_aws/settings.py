"""Which key of KMS wraps, and where it is."""

from __future__ import annotations

import re

import latchpin
from latchpin.sdk.settings import Words
from latchpin.sdk.urls import check_url, is_loopback_host
from pydantic import Field, field_validator

__all__ = ["AwsKmsSettings", "region_of"]

_ARN = re.compile(r"arn:aws[a-z-]*:kms:([a-z0-9-]+):[0-9]{12}:(?:key|alias)/[A-Za-z0-9/_-]+")
_BARE = re.compile(r"[A-Fa-f0-9-]{36}|mrk-[A-Fa-f0-9]{32}|alias/[A-Za-z0-9/_-]+")
_REGION = re.compile(r"[a-z]{2,}(?:-[a-z0-9]+)+")


class AwsKmsSettings(latchpin.Settings):
    """What the plugin reads. Credentials come as AWS's own tools find them."""

    kms_aws_key_id: str = Field("", description="The symmetric KMS key that wraps: its ARN (best), id or alias/NAME.")
    kms_aws_keys_old: Words = Field((), description="Earlier KMS keys, which still unwrap: ARNs, ids or alias/NAME.")
    kms_aws_region: str = Field("", description="Region of the key; empty: that of its ARN, else AWS's own setting.")
    kms_aws_endpoint: str = Field("", description="Another address of KMS, such as a VPC endpoint's; empty: AWS's.")

    @field_validator("kms_aws_key_id")
    @classmethod
    def _check_key(cls, value: str) -> str:
        if value and not (_ARN.fullmatch(value) or _BARE.fullmatch(value)):
            raise ValueError("must be a key's ARN, its id, or alias/NAME")
        return value

    @field_validator("kms_aws_keys_old")
    @classmethod
    def _check_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            cls._check_key(each)
        return value

    @field_validator("kms_aws_region")
    @classmethod
    def _check_region(cls, value: str) -> str:
        if value and not _REGION.fullmatch(value):
            raise ValueError("must be a region such as eu-central-1")
        return value

    @field_validator("kms_aws_endpoint")
    @classmethod
    def _check_endpoint(cls, value: str) -> str:
        if value:
            parts = check_url(value)
            if parts.query or parts.fragment or parts.path.strip("/"):
                raise ValueError("must have no path or query")
            if parts.scheme == "http" and not is_loopback_host(parts.hostname or ""):
                raise ValueError("must be https unless its host is loopback: keys travel there")
        return value.rstrip("/")


def region_of(key: str) -> str:
    """The region in a key's ARN; ``""`` if it is no ARN."""
    found = _ARN.fullmatch(key)
    return found[1] if found else ""
