"""The plugin's variables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from latchpin.sdk.settings import Settings, Words
from latchpin.sdk.urls import is_loopback_host
from pydantic import Field, SecretStr, field_validator

__all__ = ["MAIN", "EdgeSettings", "Listen", "parse_listen"]

MAIN = "main"
_SECRET = re.compile(r"[A-Za-z0-9._~+/=-]{16,256}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_GATEWAY = re.compile(r"[0-9a-f]{32}")
_FOLDER = re.compile(r"/[A-Za-z0-9._/-]+")
_UNIX = "unix:"
_KEPT_HERE = frozenset({"authorization", "cookie", "host", "connection", "content-length", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Listen:
    """Where the question is answered.

    Attributes:
        path: a unix socket, ``""`` if it is an address.
        host, port: an address, ``""`` and 0 if it is a unix socket.
    """

    path: str = ""
    host: str = ""
    port: int = 0


class EdgeSettings(Settings):
    """What a deployer may set about the data plane."""

    edge_secret: SecretStr | None = Field(
        None, description="What the data plane shows when it asks, 16 characters or more; empty: nobody may ask."
    )
    edge_listen: str = Field(
        "127.0.0.1:4445",
        description="Where it asks: an address on loopback, unix:/path of a socket, or main: where all else is served.",
    )
    edge_cache_seconds: int = Field(
        20, ge=0, le=300, description="How long it may go by an answer, seconds; 0: it asks for each call."
    )
    edge_gateways: Words = Field(
        (), description="Ids of the gateways that it serves; the proxy serves the others. Empty: all that it can."
    )
    edge_headers: Words = Field(
        (), description="Names of further header fields that it passes on from callers to MCP servers."
    )
    edge_folder: str | None = Field(
        None, description="Folder for what it keeps, in memory (tmpfs); empty: one below XDG_RUNTIME_DIR or /dev/shm."
    )

    @field_validator("edge_secret")
    @classmethod
    def _check_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _SECRET.fullmatch(value.get_secret_value()):
            raise ValueError("must have 16 to 256 letters, digits or any of . _ ~ + / = -")
        return value

    @field_validator("edge_listen")
    @classmethod
    def _check_listen(cls, value: str) -> str:
        parse_listen(value)
        return value

    @field_validator("edge_gateways")
    @classmethod
    def _check_gateways(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [each for each in value if not _GATEWAY.fullmatch(each)]:
            raise ValueError(f"must be gateways' ids of 32 hexadecimal digits, and {wrong[0][:64]!r} is none")
        return value

    @field_validator("edge_headers")
    @classmethod
    def _check_headers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if not _HEADER.fullmatch(each) or each.lower() in _KEPT_HERE:
                raise ValueError(f"must be names of header fields that may pass, and {each[:64]!r} is none")
        return tuple(each.lower() for each in value)

    @field_validator("edge_folder")
    @classmethod
    def _check_folder(cls, value: str | None) -> str | None:
        if value is not None and not _FOLDER.fullmatch(value):
            raise ValueError("must be an absolute path of letters, digits and . _ / -")
        return value


def parse_listen(text: str) -> Listen | None:
    """Take EDGE_LISTEN apart; None where all else is served.

    Raises:
        ValueError: it is none of the three.
    """
    if text == MAIN:
        return None
    if text.startswith(_UNIX):
        path = text.removeprefix(_UNIX)
        if not _FOLDER.fullmatch(path):
            raise ValueError("must name a unix socket by an absolute path of letters, digits and . _ / -")
        return Listen(path=path)
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port or not is_loopback_host(host):
        raise ValueError("must be an address on loopback such as 127.0.0.1:4445, unix:/path/of/a.sock, or main")
    return Listen(host=host, port=port)
