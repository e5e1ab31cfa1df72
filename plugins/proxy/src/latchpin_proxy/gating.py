"""Where rules about tools take hold: every exchange with a server passes here, whatever endpoint it is part of."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi.responses import JSONResponse, Response
from latchpin.contracts import ToolGate, Verdict
from latchpin.sdk.gateway import Application
from latchpin_mcp.message import Refused

from latchpin_proxy.call import Call
from latchpin_proxy.definitions import Definitions
from latchpin_proxy.facts import TOOL_REFUSED
from latchpin_proxy.held_back import ToolCall, ToolSieve, read_call, unknown_tool
from latchpin_proxy.relay import Relay

__all__ = ["Gating", "answer_refused"]

_log = logging.getLogger("latchpin.proxy")

_NOT_LISTED = Verdict(allowed=False, rule="the server lists no such tool, and a rule goes by its definition")


class Gating:
    """Judges calls, and has lists sifted."""

    def __init__(self, application: Application, relay: Relay) -> None:
        self._application = application
        self._definitions = Definitions(relay, application.services.clock)

    async def judge(self, call: Call, gate: ToolGate, *, all_tools: bool) -> Call:
        """The call as it may go on, where a gate holds.

        Args:
            call: as it was read; with its body, if that can be held.
            gate: between its caller and its server.
            all_tools: who asked for it sifts lists itself.

        Raises:
            Refused: it calls a tool that is held back, or cannot be judged.
            LatchpinError: the definition that decides cannot be had.
        """
        request = call.request
        asked = read_call(request.method, request.body, request.headers)
        if asked is not None:
            await self._judge_call(call, asked, gate)
        note = partial(self._definitions.note, request.gateway, request.caller)
        return replace(call, terms=replace(call.terms, tools=ToolSieve(gate, note, hides=not all_tools)))

    async def _judge_call(self, call: Call, asked: ToolCall, gate: ToolGate) -> None:
        verdict = gate.judge(asked.name, None)
        if verdict is None:
            definition = await self._definitions.find(call.request, asked.message, asked.name)
            verdict = _NOT_LISTED if definition is None else gate.judge(asked.name, definition) or _NOT_LISTED
        if verdict.allowed:
            return
        gateway, caller = call.request.gateway, call.request.caller
        shown, who = ascii(asked.name[:200]), caller.email
        _log.info("Held back tool %s of gateway %s from user %s: %s", shown, gateway.id, who, verdict.rule)
        tell = self._application.services.activity.tell
        details: dict[str, Any] = {"tool": asked.name[:200], "rule": verdict.rule}
        await tell(TOOL_REFUSED, actor=who, subject=who, gateway_id=gateway.id, **details)
        raise unknown_tool(asked.message, asked.name)


def answer_refused(exc: Refused, headers: dict[str, str]) -> Response:
    """The answer to what is refused, in the words of JSON-RPC."""
    error: dict[str, Any] = {"code": exc.code, "message": exc.text}
    if exc.data is not None:
        error["data"] = dict(exc.data)
    return JSONResponse({"jsonrpc": "2.0", "id": exc.id, "error": error}, status_code=exc.status, headers=headers)
