"""What the server answers, and what it means in the gateway's own errors. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from latchpin.errors import (
    ConfigurationError,
    LatchpinError,
    Unsealable,
    UpstreamBusy,
    UpstreamError,
    UpstreamUnreadable,
)
from latchpin.model import Reply

__all__ = ["AWAY", "UNWRAPPING", "NothingThere", "read_reply", "told_away"]

AWAY = "See that VAULT_ADDR is right and that the server runs and is unsealed. Keys at hand serve until a restart."
_TOO_OLD = "Lower min_decryption_version of the Transit key, or restore the store from when that version was in use."
_KEY_GONE = "Name the key in VAULT_TRANSIT_KEY, or restore it in the server: what it wrapped opens with it alone."
_NOTHING = (
    "Correct VAULT_ADDR, VAULT_NAMESPACE and where the engine is (VAULT_TRANSIT_MOUNT, VAULT_KV_MOUNT), or enable it."
)
_OTHER_TYPE = "Make a Transit key of the type aes256-gcm96, the default, and name it in VAULT_TRANSIT_KEY."
_DAMAGED = "Restore the key ring from a backup, or name the Transit key that wrapped it."
_MOVED = "Name the active server, or what leads to it, in VAULT_ADDR: Latchpin follows no redirects."
UNWRAPPING = "unwrapping"
"""The act whose refusal may mean that the wrapped key is damaged."""
_SECONDS_TO_WAIT = 1
_REDIRECTS = range(300, 400)


class NothingThere(ConfigurationError):
    """The engine has nothing at that path; of an engine that is not there, the server says so in words."""


def read_reply(reply: Reply, act: str, *, denied: str) -> Mapping[str, Any]:
    """The object that the server answered with; empty where it has nothing to say.

    Args:
        reply: what came.
        act: what was asked for, for people.
        denied: what helps where the server denies it.

    Raises:
        Unsealable, ConfigurationError, UpstreamBusy, UpstreamUnreadable: as the server says.
    """
    if reply.status not in {200, 204}:
        raise _error(reply, act, denied)
    found = _object(reply) if reply.body else {}
    if found is None:
        raise UpstreamUnreadable(f"the answer to {act} is no JSON object", http_status=reply.status, remedy=AWAY)
    return found


def told_away(error: UpstreamError) -> UpstreamError:
    """The same failure of the way there, said of the key service and with what helps."""
    return type(error)(f"the key service at VAULT_ADDR gave no answer: {error.detail}", remedy=AWAY)


def _said_by(reply: Reply) -> str:
    """The server's own words for what is wrong, in one printable line."""
    errors = (_object(reply) or {}).get("errors")
    words = " ".join(str(each) for each in errors) if isinstance(errors, list) else ""
    return "".join(each if each.isprintable() else " " for each in " ".join(words.split()))[:300]


def _object(reply: Reply) -> Mapping[str, Any] | None:
    try:
        found = json.loads(reply.body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _error(reply: Reply, act: str, denied: str) -> LatchpinError:
    said = _said_by(reply)
    told = f"{act} was refused ({reply.status}{': ' if said else ''}{said})"
    match reply.status:
        case 400 if said:
            return _refusal(told, said, act)
        case 403:
            return ConfigurationError(told, remedy=denied)
        case 404:
            return (ConfigurationError if said else NothingThere)(told, remedy=_NOTHING)
        case 429:
            return UpstreamBusy(told, retry_after=_seconds(reply), http_status=reply.status)
    failed = f"{act} failed ({reply.status}{': ' if said else ''}{said})"
    return UpstreamUnreadable(failed, http_status=reply.status, remedy=_MOVED if reply.status in _REDIRECTS else AWAY)


def _refusal(told: str, said: str, act: str) -> LatchpinError:
    """A 400: the words alone tell a damaged key from a setting that does not hold."""
    if "too old" in said:
        return ConfigurationError(told, remedy=_TOO_OLD)
    if "not found" in said or "deleted" in said:
        return ConfigurationError(told, remedy=_KEY_GONE)
    if "non-AEAD" in said:
        return ConfigurationError(told, remedy=_OTHER_TYPE)
    if act == UNWRAPPING:
        return Unsealable(told, remedy=_DAMAGED)
    return ConfigurationError(told, remedy=_NOTHING)


def _seconds(reply: Reply) -> int:
    asked = reply.headers.get("retry-after", "")
    return int(asked) if asked.isdecimal() else _SECONDS_TO_WAIT
