"""Where Redis is: the settings, and which REDIS_URL holds."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import latchpin
from pydantic import Field, SecretStr, field_validator

from latchpin_redis_store.cluster import CLUSTER_SCHEMES, parse_cluster
from latchpin_redis_store.sentinel import SCHEMES, parse_sentinels

__all__ = ["RedisSettings"]

_FORM = (
    "must look like redis://localhost:6379/0, rediss://user:password@host:6380/0 or unix:///run/redis.sock?db=0; "
    "characters such as / # ? @ in a password are percent-encoded"
)
_CLUSTER_FORM = (
    "must look like redis+cluster://user:password@one:6379,two:6379, with rediss+cluster for TLS and no number of a "
    "database; characters such as / # ? @ in a password are percent-encoded"
)
_SENTINEL_FORM = (
    "must look like redis+sentinel://user:password@one:26379,two:26379/name/0, with rediss+sentinel for TLS; "
    "characters such as / # ? @ in a password are percent-encoded"
)


class RedisSettings(latchpin.Settings):
    """Where Redis is, and how long its absence at start is waited for."""

    redis_url: str = Field(
        "redis://localhost:6379/0",
        repr=False,
        description="redis:// or rediss:// (TLS), unix://, redis+sentinel:// or redis+cluster://.",
    )
    redis_sentinel_password: SecretStr | None = Field(None, description="The password of the Sentinels themselves.")
    redis_wait_replicas: int = Field(
        0, ge=0, le=10, description="Replicas that must have a write before it counts; 0: a failover may forget it."
    )
    redis_max_retries: int = Field(3, ge=0, le=1000, description="Tries to reach Redis at start.")
    redis_retry_interval_ms: int = Field(2000, ge=0, le=600_000, description="Pause between these tries, milliseconds.")

    @field_validator("redis_url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        scheme = value.partition("://")[0]
        if scheme in SCHEMES:
            return _check_several(value, parse_sentinels, _SENTINEL_FORM)
        if scheme in CLUSTER_SCHEMES:
            return _check_several(value, parse_cluster, _CLUSTER_FORM)
        try:
            parts = urlsplit(value)
            place = parts.path if parts.scheme == "unix" else parts.hostname
            known = parts.scheme in {"redis", "rediss", "unix"} and (parts.port or True)
        except ValueError:
            # Its text may quote a piece of the password.
            raise ValueError(_FORM) from None
        # An @ behind the host is the end of a password that / or ? cut in two.
        if not known or not place or parts.fragment or "@" in f"{parts.path}?{parts.query}":
            raise ValueError(_FORM)
        if parts.scheme != "unix" and not parts.path.removeprefix("/").isdigit() and parts.path not in {"", "/"}:
            raise ValueError("must end in the number of a database, as in redis://localhost:6379/0")
        if "password" in parse_qs(parts.query):
            raise ValueError("must carry its password before the @, as in redis://:password@host:6379/0")
        return value


def _check_several(value: str, parse: Callable[[str], object], form: str) -> str:
    """Insist on a URL of Sentinels or of a cluster; what is said does not quote it."""
    try:
        found = parse(value)
    except ValueError:
        found = None
    place, _, query = value.partition("?")
    if found is None or "#" in value or "@" in place.partition("://")[2].partition("/")[2] + query:
        raise ValueError(form)
    if "password" in parse_qs(query):
        raise ValueError(f"must carry its password before the @, as in {form.partition(',')[0].split()[-1]}")
    return value
