"""The plugin's variables."""

from __future__ import annotations

from typing import Literal, Self

from latchpin.sdk.settings import Settings
from latchpin.sdk.urls import check_host, is_loopback_host
from pydantic import Field, SecretStr, field_validator, model_validator

from latchpin_mail.address import is_deliverable

__all__ = ["TRY_WITHIN", "MailSettings", "Security"]

TRY_WITHIN = 30.0
"""Seconds for one whole conversation with the mail server."""
Security = Literal["starttls", "tls", "none"]
_PORTS: dict[Security, int] = {"starttls": 587, "tls": 465, "none": 25}


class MailSettings(Settings):
    """How mail is sent, and how much of it."""

    mail_smtp_host: str = Field(
        "", description="The mail server that mail is handed to; empty: nobody is told by mail."
    )
    mail_smtp_port: int = Field(
        0, ge=0, le=65_535, description="Its port; 0: 587 with starttls, 465 with tls, else 25."
    )
    mail_smtp_security: Security = Field(
        "starttls",
        description="starttls: TLS is begun on a plain connection, and nothing is sent where that fails; tls: from the "
        "first byte on; none: everybody on the way reads the mail.",
    )
    mail_smtp_user: str = Field("", description="Who signs in there; empty: nobody does.")
    mail_smtp_password: SecretStr = Field(SecretStr(""), description="The password of MAIL_SMTP_USER.")
    mail_from: str = Field("", description="The address that mail comes from, such as latchpin@example.com.")
    mail_pause_hours: int = Field(
        24,
        ge=1,
        le=720,
        description="A person gets at most one mail in so many hours; what comes in between is in the next.",
    )
    mail_reminder_days: int = Field(
        7, ge=1, le=365, description="Days until a person is reminded of what still needs them."
    )
    mail_reminders: int = Field(2, ge=0, le=10, description="How often a person is reminded of the same; 0: never.")

    @field_validator("mail_smtp_host")
    @classmethod
    def _check_host(cls, value: str) -> str:
        if value:
            check_host(value)
        return value

    @field_validator("mail_from")
    @classmethod
    def _check_from(cls, value: str) -> str:
        if value and not is_deliverable(value):
            raise ValueError("must be one address of ASCII, such as latchpin@example.com, without a name")
        return value

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.mail_smtp_host and not self.mail_from:
            raise ValueError("MAIL_SMTP_HOST is set without MAIL_FROM")
        if bool(self.mail_smtp_user) != bool(self.mail_smtp_password.get_secret_value()):
            raise ValueError("MAIL_SMTP_USER and MAIL_SMTP_PASSWORD belong together")
        plain = self.mail_smtp_security == "none" and not is_loopback_host(self.mail_smtp_host)
        if plain and self.mail_smtp_user:
            raise ValueError("MAIL_SMTP_PASSWORD would be sent in plain: MAIL_SMTP_SECURITY must be starttls or tls")
        return self

    @property
    def port(self) -> int:
        """The port, where none is said the usual one."""
        return self.mail_smtp_port or _PORTS[self.mail_smtp_security]
