"""Between values and the JSON that lies in Redis. What the scripts compare is written first."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from latchpin.errors import BackendUnavailable
from latchpin.model import PendingAuthorization, Sealed, StateKey
from pydantic import TypeAdapter

__all__ = ["GRACE", "RecordCodec", "begins", "dump_state", "foreign", "life_ms", "load_state", "text_of"]

RecordT = TypeVar("RecordT")

_encode = json.JSONEncoder(separators=(",", ":")).encode  # json.dumps would make one each time

GRACE = timedelta(seconds=60)
"""How much longer Redis keeps a thing than its ``expires_at``, so that a late caller is told "expired"."""


def text_of(moment: datetime) -> str:
    """A time as text of fixed width, so that text and time sort alike."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def life_ms(expires_at: datetime, now: datetime) -> int:
    """How long Redis shall keep what ends at ``expires_at``, in milliseconds."""
    return max(1, round((expires_at - now + GRACE) / timedelta(milliseconds=1)))


def to_json(value: object) -> str:
    """Compact JSON, ASCII only."""
    return _encode(value)


def foreign(key: str, exc: Exception | None = None) -> BackendUnavailable:
    """The error for a key that holds what Latchpin did not write."""
    error = BackendUnavailable(
        f"the Redis key {key} holds something that Latchpin did not write",
        remedy="Give Latchpin a Redis database of its own, or remove that key.",
    )
    error.__cause__ = exc
    error.passing = False
    return error


# -- states -------------------------------------------------------------------------------------------


def dump_state(pending: PendingAuthorization) -> str:
    """A pending authorization; the state itself is in the key."""
    return to_json(
        {
            "used": False,
            "expires_at": text_of(pending.expires_at),
            "id": pending.id,
            "gateway_id": pending.key.gateway_id,
            "code_verifier": pending.code_verifier,
            "app_user_email": pending.app_user_email,
            "redirect_uri": pending.redirect_uri,
            "issuer": pending.issuer,
            "iss_expected": pending.iss_expected,
            "token_url": pending.token_url,
            "client_id": pending.client_id,
            "resource": pending.resource,
            "scopes": pending.scopes,
            "created_at": text_of(pending.created_at),
        }
    )


def load_state(held: dict[str, Any], state: str) -> PendingAuthorization:
    """The reverse of ``dump_state``. Raises KeyError, TypeError or ValueError if it is something else."""
    return PendingAuthorization(
        id=held["id"],
        key=StateKey(held["gateway_id"], state),
        code_verifier=Sealed(held["code_verifier"]),
        app_user_email=held["app_user_email"],
        redirect_uri=held["redirect_uri"],
        issuer=held["issuer"],
        iss_expected=held["iss_expected"],
        token_url=held["token_url"],
        client_id=held["client_id"],
        resource=held["resource"],
        scopes=tuple(held["scopes"]),
        created_at=datetime.fromisoformat(held["created_at"]),
        expires_at=datetime.fromisoformat(held["expires_at"]),
    )


# -- records ------------------------------------------------------------------------------------------


def begins(id_: str, revision: int) -> str:
    """How the text of a record with this id and revision begins, up to and with the comma."""
    return f'{{"id":{to_json(id_)},"revision":{revision},'


class RecordCodec(Generic[RecordT]):
    """One kind of record: ``{"id": ..., "revision": ..., "record": {...}}``."""

    def __init__(self, kind: type[RecordT]) -> None:
        self._adapter = TypeAdapter(kind)
        self._kind = kind

    def dump(self, record: RecordT, id_: str, revision: int) -> str:
        """Write ``record``."""
        return f'{begins(id_, revision)}"record":{to_json(self._adapter.dump_python(record, mode="json"))}}}'

    def load(self, text: bytes) -> RecordT:
        """Read what ``dump`` wrote.

        Raises:
            BackendUnavailable: it is something else.
        """
        try:
            return self._adapter.validate_python(json.loads(text)["record"])
        except (ValueError, TypeError, KeyError) as exc:
            raise foreign(f"of a {self._kind.__name__}", exc) from exc
