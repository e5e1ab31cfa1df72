"""What the log says of a flow: the guide's own lines, one for each cause, each exactly when its cause holds."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from latchpin.contracts import Backend, StateStore
from latchpin.errors import LatchpinError
from latchpin.errors.causes.missing import STATE_OTHER_MACHINE, STATE_OTHER_WORKER
from latchpin.model.flow_steps import Consumed, Failed, StepFacts, Stored, TokensSealed

__all__ = ["FlowLog", "FlowNames"]

_log = logging.getLogger("latchpin.flow")

_SHARED_BY_NOBODY = frozenset({STATE_OTHER_WORKER.slug, STATE_OTHER_MACHINE.slug})
"""The gateway is set up so that authorizations fail by chance: it has to be mended, whoever starts again."""


@dataclass(frozen=True, slots=True)
class FlowNames:
    """Which flow it is, once that is proven; until then each is ``""``."""

    flow_id: str = ""
    gateway_id: str = ""
    app_user_email: str = ""


class FlowLog:
    """Writes the lines of steps.

    A failed callback is three: the cause with its facts, then the guide's two, what was refused and the public text.
    Other failures are logged where they are answered.

    Args:
        backend: the state store's, None where there is none.
    """

    def __init__(self, backend: Backend[Any, StateStore] | None) -> None:
        self._store = backend.label if backend is not None else "nothing"

    def write(self, names: FlowNames, step: StepFacts, error: LatchpinError | None) -> None:
        """Write the step's line, if it has one."""
        extra = {"flow_id": names.flow_id}
        match step:
            case Stored(store=store):
                _log.debug("Stored OAuth state in %s for gateway %s", store, names.gateway_id, extra=extra)
            case Consumed(store=store, fits=True):
                text = "Successfully validated OAuth state from %s for gateway %s"
                _log.debug(text, store, names.gateway_id, extra=extra)
            case TokensSealed():
                text = "Completed OAuth flow for gateway %s, user %s"
                _log.info(text, names.gateway_id, names.app_user_email, extra=extra)
            case Failed(during="callback") if error is not None:
                self._write_failure(names, error)

    def _write_failure(self, names: FlowNames, error: LatchpinError) -> None:
        error.logged = True
        extra = {"flow_id": names.flow_id or None, "cause": error.code}
        _log.log(
            logging.ERROR if error.code in _SHARED_BY_NOBODY else logging.WARNING,
            "Flow %s failed: cause=%s, fault of %s: %s; what to do: %s",
            names.flow_id or "(unproven)",
            error.code,
            error.cause.fault,
            error.detail or error.cause.title,
            error.remedy,
            extra=extra,
        )
        _log.warning("%s", self._warning(error, names.gateway_id or "(unproven)"), extra=extra)
        _log.error("OAuth callback failed: %s", error.public, extra=extra)

    def _warning(self, exc: LatchpinError, gateway: str) -> str:
        """The guide's line where it has one, which stands alone; else the public text with the facts."""
        match exc.cause.general or exc.code:
            case "state-not-found":
                return f"State not found in {self._store} for gateway {gateway}"
            case "state-expired":
                return f"State has expired for gateway {gateway}"
            case "state-used":
                return f"State was already used for gateway {gateway} - possible replay attack ({exc.detail})"
            case _:
                facts = "; ".join(text for text in (exc.detail, exc.hint) if text)
                said = exc.public.rstrip(".")
                return f"{said}: {facts} (gateway {gateway})" if facts else f"{said} (gateway {gateway})"
