"""An authorization completed: the callback judged, its code exchanged, the tokens kept.

It decides nothing by itself: decisions are in ``oauth/`` (pure), and this file fetches what they need and
carries out what they say. The order of the callback's checks is the contract's: signature, browser and user,
age, the store's atomic consume, gateway, issuer, the provider's error, then the token request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Literal, NoReturn

from latchpin.activity.recorder import FlowRecorder, FlowSpan
from latchpin.authorization.diagnosis import Diagnosis
from latchpin.authorization.one_at_a_time import Turn, Turns
from latchpin.authorization.patient import Patient, leading_on, unused, used_up
from latchpin.authorization.pending import PendingAuthorizations
from latchpin.authorization.redemption import Redemption
from latchpin.errors import (
    CallbackMalformed,
    LatchpinError,
    SharedConnectionMissing,
    StateRefused,
    Unsealable,
    VerifierLost,
)
from latchpin.gateways.registry import GatewayRegistry
from latchpin.model import COMPANY, Caller, Gateway, PendingAuthorization, StateKey
from latchpin.model.flow_steps import Consumed, Returned, Verified
from latchpin.oauth.callback import CallbackParameters, ValidatedCallback, parse_callback, validate
from latchpin.oauth.state import StatePayload, check_age, check_browser, parse_state
from latchpin.services import Services
from latchpin.tokens.accounts import tell_account
from latchpin.tokens.sealing import place_of
from latchpin.workers.shared_tasks import SharedTasks

__all__ = ["Completed", "AuthorizationCallback"]


@dataclass(frozen=True, slots=True)
class Completed:
    """A finished authorization: whose account was connected to which gateway.

    Attributes:
        app_user_email: who authorized.
        shared: the account is the company's.
        account: the label of the account, of several that the person has there; ``""``: it has none.
        return_to: the path of ours that the browser goes on to; ``""`` for the page about it.
    """

    gateway: Gateway
    app_user_email: str
    flow_id: str
    return_to: str = ""
    shared: bool = False
    account: str = ""


class AuthorizationCallback:
    """Completes authorizations for people."""

    def __init__(
        self,
        services: Services,
        gateways: GatewayRegistry,
        redemption: Redemption,
        *,
        pending_authorizations: PendingAuthorizations,
        recorder: FlowRecorder,
    ) -> None:
        self._services = services
        self._gateways = gateways
        self._redemption = redemption
        self._turns = Turns(services)
        self._pending_authorizations = pending_authorizations
        self._diagnosis = Diagnosis(services, pending_authorizations)
        self._recorder = recorder
        self._exchanging: SharedTasks[str, Completed] = SharedTasks()

    async def complete(
        self,
        query: str,
        *,
        path_gateway: str | None,
        browser: str | None,
        caller: Callable[[], Awaitable[Caller | None]],
    ) -> Completed:
        """Judge a callback and, if it holds, exchange the code and keep the tokens.

        Args:
            query: the callback's query, as it came.
            path_gateway: the gateway in the callback's path, if there was one.
            browser: the browser's cookie.
            caller: tells who is signed in, if anybody; asked once signature and browser are proven, because it
                may need the store.

        Raises:
            CallbackError, UpstreamError, BackendUnavailable, StateStorageDisabled.
            SharedConnectionMissing: who is signed in is no administrator any more, and the account is the company's.
        """
        with self._recorder.open("callback") as span:
            patient = Patient(self._services, self._pending_authorizations.states())
            parameters = parse_callback(query)
            payload = parse_state(parameters.state, self._services.signer)
            self._note_return(span, parameters, payload)
            check_browser(payload, cookie=browser, signed_in=None)
            with leading_on(payload.return_to), ExitStack() as leaving:
                with unused():
                    signed_in = await patient.ask(caller)
                    check_browser(payload, cookie=browser, signed_in=signed_in.email if signed_in else None)
                    if payload.company and signed_in is not None and not signed_in.is_admin:
                        raise SharedConnectionMissing("only an administrator may connect it")
                    verified = Verified(key_id=payload.key_id, signed_in=signed_in is not None)
                    pending, turn = await self._take(span, patient, parameters, payload, verified, leaving=leaving)
                with used_up():
                    validated = self._validate(span, parameters, payload, pending, path_gateway)
                    # The code is spent by it: whoever stops waiting, and a gateway that stops, does not stop it.
                    exchange = partial(self._exchange, span, validated, patient, turn, leaving.pop_all())
                    return await self._exchanging.run(payload.flow_id, exchange)

    async def close(self) -> None:
        """Let exchanges that are under way end, before the stores are closed."""
        await self._exchanging.close()
        await self._turns.close()

    def refuse(self, error: CallbackMalformed) -> NoReturn:
        """Raise ``error`` for an answer in which there is nothing to judge, and record that a callback failed."""
        with self._recorder.open("callback"):
            raise error

    async def _take(
        self,
        span: FlowSpan,
        patient: Patient,
        parameters: CallbackParameters,
        payload: StatePayload,
        verified: Verified,
        *,
        leaving: ExitStack,
    ) -> tuple[PendingAuthorization, Turn]:
        """The authorization, and its turn, which is begun beside it and ends as ``leaving`` does."""
        try:
            check_age(payload, now=self._services.clock(), lifetime=self._pending_authorizations.lifetime)
            span.step(verified)
            if parameters.error is None:
                await patient.ask(lambda: self._look(payload.gateway_id))
            place = payload.gateway_id, payload.owner, payload.account
            turn = self._turns.begin(*place, email=payload.app_user_email)
            leaving.callback(turn.end)
            pending = await patient.consume(StateKey(payload.gateway_id, parameters.state))
        except StateRefused as exc:
            await self._diagnosis.narrow(exc, payload)
            raise
        self._pending_authorizations.admission.release(payload.flow_id)
        return pending, turn

    async def _look(self, gateway_id: str) -> None:
        """Check the pause. Gateway and client come along in the same trip: they are needed in a moment."""
        if self._gateways.recall(gateway_id) is not None:
            await self._redemption.check_pause(gateway_id)
            return
        looking = self._redemption.look(gateway_id), self._gateways.get_recent(gateway_id)
        paused, *_ = await asyncio.gather(self._redemption.check_pause(gateway_id), *looking, return_exceptions=True)
        if isinstance(paused, BaseException):
            raise paused

    def _note_return(self, span: FlowSpan, parameters: CallbackParameters, payload: StatePayload) -> None:
        span.name(payload.flow_id, payload.gateway_id, payload.app_user_email, issued_by=payload.instance)
        away = (self._services.clock() - payload.issued_at).total_seconds()
        answer: Literal["code", "error"] = "error" if parameters.error is not None else "code"
        span.step(Returned(answer=answer, away_seconds=round(away, 3), issued_by=payload.instance))

    def _validate(
        self,
        span: FlowSpan,
        parameters: CallbackParameters,
        payload: StatePayload,
        pending: PendingAuthorization,
        path_gateway: str | None,
    ) -> ValidatedCallback:
        try:
            validated = validate(parameters, payload, pending, path_gateway=path_gateway)
        except LatchpinError:
            span.step(Consumed(self._pending_authorizations.label, fits=False))
            raise
        span.step(Consumed(self._pending_authorizations.label, fits=True))
        return validated

    async def _exchange(
        self, span: FlowSpan, validated: ValidatedCallback, patient: Patient, turn: Turn, leaving: ExitStack
    ) -> Completed:
        with leaving:
            return await self._complete(span, validated, patient, turn)

    async def _complete(self, span: FlowSpan, validated: ValidatedCallback, patient: Patient, turn: Turn) -> Completed:
        pending, payload = validated.pending, validated.payload
        gateway = await patient.ask(lambda: self._gateways.get_recent(payload.gateway_id))
        place = place_of(payload.gateway_id, pending.app_user_email, pending.issuer, "code_verifier")
        if not pending.code_verifier:
            raise VerifierLost("the store kept the authorization without its verifier")
        try:
            verifier = self._services.cipher.unseal(pending.code_verifier, associated_data=place)
        except Unsealable as exc:
            raise VerifierLost(exc.detail) from exc
        await self._redemption.redeem(gateway, validated, verifier, span, turn)
        email, flow_id = pending.app_user_email, payload.flow_id
        facts = {"flow_id": flow_id, **tell_account(payload.account)}
        await self._services.activity.tell(
            "authorization.completed", actor=email, gateway_id=gateway.id, subject=payload.owner, **facts
        )
        shared = payload.owner == COMPANY
        return Completed(gateway, email, flow_id, payload.return_to, shared=shared, account=payload.account)
