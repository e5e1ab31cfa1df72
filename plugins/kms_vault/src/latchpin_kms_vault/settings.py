"""Where the server is, which key wraps, and how this gateway signs in there."""

from __future__ import annotations

import re
from typing import Self

import latchpin
from latchpin.sdk.urls import check_url, is_loopback_host
from pydantic import Field, SecretStr, field_validator, model_validator

__all__ = ["PATH", "VaultSettings"]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
PATH = re.compile(rf"{_NAME.pattern}(?:/{_NAME.pattern})*")


class VaultSettings(latchpin.Settings):
    """What the plugin reads. OpenBao and HashiCorp Vault have the same names for it all."""

    vault_addr: str = Field("", description="Where OpenBao or Vault is, as in https://vault.example.com:8200.")
    vault_namespace: str = Field("", description="Namespace in which engine and login are; empty: the root.")
    vault_transit_key: str = Field("latchpin", description="Name of the Transit key that wraps the gateway's keys.")
    vault_transit_mount: str = Field("transit", description="Where the Transit engine is.")
    vault_kv_mount: str = Field("secret", description="Where the key-value engine (version 2) is: vault: references.")
    vault_token: SecretStr | None = Field(None, description="Token to ask with; or sign in by AppRole or Kubernetes.")
    vault_role_id: str = Field("", description="AppRole: the role_id; needs VAULT_SECRET_ID.")
    vault_secret_id: SecretStr | None = Field(None, description="AppRole: the secret_id.")
    vault_approle_mount: str = Field("approle", description="AppRole: where that login is.")
    vault_kubernetes_role: str = Field("", description="Kubernetes: the role; the pod's service account vouches.")
    vault_kubernetes_mount: str = Field("kubernetes", description="Kubernetes: where that login is.")
    vault_kubernetes_token_path: str = Field(
        "/var/run/secrets/kubernetes.io/serviceaccount/token",
        description="Kubernetes: the file with the service account's token, read at each login.",
    )

    @field_validator("vault_addr")
    @classmethod
    def _check_address(cls, value: str) -> str:
        if value:
            parts = check_url(value)
            if parts.query or parts.fragment:
                raise ValueError("must have no query or fragment")
            if parts.scheme == "http" and not is_loopback_host(parts.hostname or ""):
                raise ValueError("must be https unless its host is loopback: keys and the token travel there")
        return value.rstrip("/")

    @field_validator("vault_transit_key")
    @classmethod
    def _check_name(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError("must be a name of letters, digits, _ . and -")
        return value

    @field_validator(
        "vault_namespace", "vault_transit_mount", "vault_kv_mount", "vault_approle_mount", "vault_kubernetes_mount"
    )
    @classmethod
    def _check_path(cls, value: str) -> str:
        bare = value.strip("/")
        if bare and not PATH.fullmatch(bare):
            raise ValueError("must be a path such as transit or team/transit")
        return bare

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if bool(self.vault_role_id) != bool(self.vault_secret_id):
            raise ValueError("VAULT_ROLE_ID and VAULT_SECRET_ID must be set together or not at all")
        ways = {
            "VAULT_TOKEN": self.vault_token,
            "VAULT_ROLE_ID": self.vault_role_id,
            "VAULT_KUBERNETES_ROLE": self.vault_kubernetes_role,
        }
        found = [name for name, value in ways.items() if value]
        if len(found) > 1:
            raise ValueError(f"{' and '.join(found)} are set; one way to sign in is to be chosen")
        return self

    @property
    def signs_in(self) -> bool:
        """Whether a way to sign in is set."""
        return bool(self.vault_token or self.vault_role_id or self.vault_kubernetes_role)
