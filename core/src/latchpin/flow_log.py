"""What the log says of a flow: the guide's own lines, one for each cause, each exactly when its cause holds."""

from __future__ import annotations

import logging

from latchpin.errors import LatchpinError, StateNotFound
from latchpin.model import PendingAuthorization
from latchpin.oauth.state import StatePayload
from latchpin.services import Services

__all__ = ["FlowLog"]

_log = logging.getLogger("latchpin.flow")


class FlowLog:
    """Writes a flow's lines; a failure is two, WARNING with the facts and ERROR with the public text."""

    def __init__(self, services: Services) -> None:
        self._events = services.events
        self._instance = services.instance_id
        self._backend = services.state_backend
        self._store = services.state_backend.label if services.state_backend is not None else "nothing"

    def stored(self, pending: PendingAuthorization) -> None:
        """The state is kept."""
        extra = {"flow_id": pending.id}
        _log.debug("Stored OAuth state in %s for gateway %s", self._store, pending.key.gateway_id, extra=extra)
        self._events.tell("authorization.begun", flow_id=pending.id, gateway_id=pending.key.gateway_id)

    def validated(self, payload: StatePayload) -> None:
        """The callback was judged and holds."""
        extra = {"flow_id": payload.flow_id}
        _log.debug(
            "Successfully validated OAuth state from %s for gateway %s", self._store, payload.gateway_id, extra=extra
        )

    def completed(self, payload: StatePayload) -> None:
        """The tokens are kept."""
        extra = {"flow_id": payload.flow_id}
        _log.info(
            "Completed OAuth flow for gateway %s, user %s", payload.gateway_id, payload.app_user_email, extra=extra
        )
        self._events.tell("authorization.completed", flow_id=payload.flow_id, gateway_id=payload.gateway_id)

    def failed(self, exc: LatchpinError, payload: StatePayload | None) -> None:
        """The callback failed; ``payload`` is the state's, if its signature was proven."""
        exc.logged, exc.flow_id = True, payload.flow_id if payload else None
        extra = {"flow_id": exc.flow_id, "cause": exc.code}
        _log.warning("%s", self._warning(exc, payload), extra=extra)
        _log.error("OAuth callback failed: %s", exc.public, extra=extra)
        gateway_id = payload.gateway_id if payload else None
        self._events.tell("authorization.failed", flow_id=exc.flow_id, gateway_id=gateway_id, cause=exc.code)
        if isinstance(exc, StateNotFound) and payload is not None and self._issued_elsewhere(payload):
            _log.error(
                "The state was issued by another process, and CACHE_TYPE=memory is not shared between processes: "
                "run one worker, or set CACHE_TYPE=database or redis",
                extra=extra,
            )

    def _issued_elsewhere(self, payload: StatePayload) -> bool:
        return self._backend is not None and not self._backend.shared and payload.instance != self._instance

    def _warning(self, exc: LatchpinError, payload: StatePayload | None) -> str:
        """The guide's line where it has one, the facts, and the cause."""
        gateway = payload.gateway_id if payload else "(unproven)"
        facts = "; ".join(text for text in (exc.detail, exc.hint) if text)
        said = f": {facts}" if facts else ""
        match exc.cause.general or exc.code:
            case "state-not-found":
                line = f"State not found in {self._store} for gateway {gateway}{said}"
            case "state-expired":
                line = f"State has expired for gateway {gateway}{said}"
            case "state-used":
                line = f"State was already used for gateway {gateway} - possible replay attack ({exc.detail})"
            case _:
                line = f"{exc.public.rstrip('.')}{said} (gateway {gateway})"
        return f"{line} [cause={exc.code}]"
