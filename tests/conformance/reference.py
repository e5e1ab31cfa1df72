"""The MCP server that the official suite's ``server`` scenarios ask for: its tools, resources and prompts.

What each has to do is said by the suite itself. ``python -m tests.conformance.reference PORT`` serves it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import mcp_types as types
import uvicorn
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata

__all__ = ["build_reference"]

Result = types.CallToolResult | types.InputRequiredResult
Tool = Callable[[ServerRequestContext[Any], types.CallToolRequestParams], Awaitable[Result]]

_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
_WAV = base64.b64encode(b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\0\0\0\0").decode()
_STATES: set[str] = set()
"""The states that were given out: what was changed on its way is none of them."""


# -- tools -----------------------------------------------------------------------------------------------------


def _text(text: str, **more: Any) -> types.CallToolResult:
    return types.CallToolResult.model_validate({"content": [{"type": "text", "text": text}], **more})


def _content(*content: Mapping[str, Any]) -> Tool:
    async def tool(_ctx: Any, _params: Any) -> Result:
        return types.CallToolResult.model_validate({"content": list(content)})

    return tool


async def _logs(ctx: ServerRequestContext[Any], _params: Any) -> Result:
    for text in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        params = types.LoggingMessageNotificationParams(level="info", data=text)
        await ctx.session.send_notification(types.LoggingMessageNotification(params=params), ctx.request_id)
        await asyncio.sleep(0.05)  # as the suite asks
    return _text("done")


async def _progresses(ctx: ServerRequestContext[Any], params: types.CallToolRequestParams) -> Result:
    token = (params.model_dump(by_alias=True).get("_meta") or {}).get("progressToken")
    for progress in (0, 50, 100):
        if token is not None:
            told = types.ProgressNotificationParams(progress_token=token, progress=progress, total=100)
            await ctx.session.send_notification(types.ProgressNotification(params=told), ctx.request_id)
        await asyncio.sleep(0.05)
    return _text("done")


async def _samples(ctx: ServerRequestContext[Any], params: types.CallToolRequestParams) -> Result:
    asked = {"method": "sampling/createMessage", "params": _sampling(str((params.arguments or {}).get("prompt")), 100)}
    request = types.CreateMessageRequest.model_validate(asked)
    within = ServerMessageMetadata(related_request_id=ctx.request_id)
    answer = await ctx.session.send_request(request, types.CreateMessageResult, metadata=within)
    return _text(f"LLM response: {getattr(answer.content, 'text', answer.content)}")


def _elicits(properties: Mapping[str, Any], *required: str, says: str) -> Tool:
    async def tool(ctx: ServerRequestContext[Any], params: types.CallToolRequestParams) -> Result:
        message = str((params.arguments or {}).get("message", "Please answer"))
        schema = {"type": "object", "properties": dict(properties), "required": list(required)}
        answer = await ctx.session.elicit_form(message, schema, ctx.request_id)
        return _text(f"{says}: action={answer.action}, content={json.dumps(answer.content)}")

    return tool


def _strings(*names: str) -> dict[str, Any]:
    return {name: {"type": "string", "description": name} for name in names}


_DEFAULTS = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "default": True},
}
_OPTIONS, _TITLED = (
    ["option1", "option2", "option3"],
    [{"const": f"value{number}", "title": f"{word} Option"} for number, word in enumerate(("First", "Second"), 1)],
)
_ENUMS = {
    "untitledSingle": {"type": "string", "enum": _OPTIONS},
    "titledSingle": {"type": "string", "oneOf": _TITLED},
    "legacyEnum": {"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]},
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": _OPTIONS}},
    "titledMulti": {"type": "array", "items": {"anyOf": _TITLED}},
}

# -- tools that ask within the request (2026-07-28) --------------------------------------------------------------


def _sampling(text: str, most: int) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": {"type": "text", "text": text}}], "maxTokens": most}


def _question(message: str, **properties: str) -> dict[str, Any]:
    schema = {name: {"type": kind} for name, kind in properties.items()}
    form = {"type": "object", "properties": schema, "required": list(schema)}
    return {"method": "elicitation/create", "params": {"message": message, "requestedSchema": form}}


_NAME = {"user_name": _question("What is your name?", name="string")}
_GREETING = {"greeting": {"method": "sampling/createMessage", "params": _sampling("Generate a greeting", 50)}}
_CAPITAL = {
    "capital_question": {
        "method": "sampling/createMessage",
        "params": _sampling("What is the capital of France?", 100),
    }
}
_ROOTS = {"client_roots": {"method": "roots/list", "params": {}}}
_OK = {"confirm": _question("Please confirm", ok="boolean")}
_STEPS = [{"step1": _question("Step 1: name?", name="string")}, {"step2": _question("Step 2: color?", color="string")}]


def _ask(requests: Mapping[str, Any], *, state: bool) -> types.InputRequiredResult:
    asked: dict[str, Any] = {"resultType": "input_required", "inputRequests": dict(requests)}
    if state:
        _STATES.add(given := secrets.token_hex(16))
        asked["requestState"] = given
    return types.InputRequiredResult.model_validate(asked)


def _answers(params: Any) -> dict[str, Any]:
    found = params.model_dump(by_alias=True, mode="json").get("inputResponses")
    return dict(found or {})


def _check_state(params: Any) -> None:
    state = params.model_dump(by_alias=True).get("requestState")
    if state is not None and state not in _STATES:
        raise MCPError(code=types.INVALID_PARAMS, message="the state was changed on its way")


def _asks(*rounds: Mapping[str, Any], state: bool = False, says: str = "") -> Tool:
    """Asks round by round, and again for what was not answered."""

    async def tool(_ctx: Any, params: types.CallToolRequestParams) -> Result:
        _check_state(params)
        answers = _answers(params)
        for number, requests in enumerate(rounds):
            later = any(name in answers for each in rounds[number + 1 :] for name in each)
            if not later and not _fits(requests, answers):
                return _ask(requests, state=state)
        return _text(f"{says} {json.dumps(answers)}", resultType="complete")

    return tool


def _declared(params: Any) -> dict[str, Any]:
    meta = params.model_dump(by_alias=True, mode="json").get("_meta") or {}
    return dict(meta.get("io.modelcontextprotocol/clientCapabilities") or {})


async def _wants_sampling(_ctx: Any, params: types.CallToolRequestParams) -> Result:
    if "sampling" not in _declared(params):
        required = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(code=-32021, message="this needs sampling", data=required)
    return _text("done", resultType="complete")


async def _asks_what_is_declared(ctx: Any, params: types.CallToolRequestParams) -> Result:
    declared = _declared(params)
    offered = {"sampling": _CAPITAL, "elicitation": _NAME, "roots": _ROOTS}
    return await _asks({**{k: v for name in offered if name in declared for k, v in offered[name].items()}})(
        ctx, params
    )


async def _region(_ctx: Any, params: types.CallToolRequestParams) -> Result:
    return _text(str((params.arguments or {}).get("region")), resultType="complete")


def _fits(requests: Mapping[str, Any], answers: Mapping[str, Any]) -> bool:
    return all(isinstance(answers.get(name), dict) for name in requests)


_TOOLS: dict[str, Tool] = {
    "test_simple_text": _content({"type": "text", "text": "This is a simple text response for testing."}),
    "test_image_content": _content({"type": "image", "data": _PNG, "mimeType": "image/png"}),
    "test_audio_content": _content({"type": "audio", "data": _WAV, "mimeType": "audio/wav"}),
    "test_embedded_resource": _content(
        {
            "type": "resource",
            "resource": {
                "uri": "test://embedded-resource",
                "mimeType": "text/plain",
                "text": "This is an embedded resource content.",
            },
        }
    ),
    "test_multiple_content_types": _content(
        {"type": "text", "text": "Multiple content types test:"},
        {"type": "image", "data": _PNG, "mimeType": "image/png"},
        {
            "type": "resource",
            "resource": {
                "uri": "test://mixed-content-resource",
                "mimeType": "application/json",
                "text": '{"test":"data","value":123}',
            },
        },
    ),
    "test_tool_with_logging": _logs,
    "test_tool_with_progress": _progresses,
    "test_sampling": _samples,
    "test_elicitation": _elicits(_strings("username", "email"), "username", "email", says="User response"),
    "test_elicitation_sep1034_defaults": _elicits(_DEFAULTS, says="Elicitation completed"),
    "test_elicitation_sep1330_enums": _elicits(_ENUMS, says="Elicitation completed"),
    "test_input_required_result_elicitation": _asks(_NAME, says="Hello,"),
    "test_input_required_result_sampling": _asks(_CAPITAL),
    "test_input_required_result_list_roots": _asks(_ROOTS),
    "test_input_required_result_request_state": _asks(_OK, state=True, says="state-ok"),
    "test_input_required_result_multiple_inputs": _asks({**_NAME, **_GREETING, **_ROOTS}, state=True),
    "test_input_required_result_multi_round": _asks(*_STEPS, state=True),
    "test_input_required_result_tampered_state": _asks(_OK, state=True),
    "test_input_required_result_capabilities": _asks_what_is_declared,
    "test_missing_capability": _wants_sampling,
    "test_streaming_elicitation": _asks(_NAME),
    "test_logging_tool": _content({"type": "text", "text": "nobody asked for a log"}),
    "test_custom_header": _region,
}
_ERROR = "This tool intentionally returns an error for testing"
_SCHEMA_2020 = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


_REGION = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}
_SCHEMAS: dict[str, dict[str, Any]] = {
    **{name: {"type": "object"} for name in (*_TOOLS, "test_error_handling")},
    "json_schema_2020_12_tool": _SCHEMA_2020,
    "test_custom_header": _REGION,
}


async def _list_tools(_ctx: Any, _params: Any) -> types.ListToolsResult:
    tools = [{"name": name, "description": name, "inputSchema": schema} for name, schema in _SCHEMAS.items()]
    return types.ListToolsResult.model_validate({"tools": tools})


async def _call_tool(ctx: ServerRequestContext[Any], params: types.CallToolRequestParams) -> Result:
    if params.name == "test_error_handling":
        return _text(_ERROR, isError=True)
    tool = _TOOLS.get(params.name)
    if tool is None:
        raise MCPError(code=types.INVALID_PARAMS, message=f"there is no tool {params.name}")
    return await tool(ctx, params)


# -- resources and prompts -----------------------------------------------------------------------------------------


_RESOURCES: dict[str, dict[str, Any]] = {
    "test://static-text": {"mimeType": "text/plain", "text": "This is the content of the static text resource."},
    "test://static-binary": {"mimeType": "image/png", "blob": _PNG},
    "test://watched-resource": {"mimeType": "text/plain", "text": "watched"},
}


async def _list_resources(_ctx: Any, _params: Any) -> types.ListResourcesResult:
    listed = [
        {"uri": uri, "name": uri, "description": uri, "mimeType": held["mimeType"]} for uri, held in _RESOURCES.items()
    ]
    return types.ListResourcesResult.model_validate({"resources": listed})


async def _list_templates(_ctx: Any, _params: Any) -> types.ListResourceTemplatesResult:
    template = {"uriTemplate": "test://template/{id}/data", "name": "template", "description": "by id"}
    return types.ListResourceTemplatesResult.model_validate({"resourceTemplates": [template]})


async def _read_resource(_ctx: Any, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
    uri = str(params.uri)
    held = _RESOURCES.get(uri)
    if uri.startswith("test://template/"):
        number = uri.split("/")[3]
        said = {"id": number, "templateTest": True, "data": f"Data for ID: {number}"}
        held = {"mimeType": "application/json", "text": json.dumps(said)}
    if held is None:
        raise MCPError(code=types.INVALID_PARAMS, message="there is no such resource", data={"uri": uri})
    return types.ReadResourceResult.model_validate({"contents": [{"uri": uri, **held}]})


async def _done(_ctx: Any, _params: Any) -> types.EmptyResult:
    return types.EmptyResult()


_ARGUMENTS = {
    "test_prompt_with_arguments": ("arg1", "arg2"),
    "test_prompt_with_embedded_resource": ("resourceUri",),
    "test_simple_prompt": (),
    "test_prompt_with_image": (),
    "test_input_required_result_prompt": (),
}


async def _list_prompts(_ctx: Any, _params: Any) -> types.ListPromptsResult:
    listed = [
        {
            "name": name,
            "description": name,
            "arguments": [{"name": each, "description": each, "required": True} for each in arguments],
        }
        for name, arguments in _ARGUMENTS.items()
    ]
    return types.ListPromptsResult.model_validate({"prompts": listed})


async def _get_prompt(
    _ctx: Any, params: types.GetPromptRequestParams
) -> types.GetPromptResult | types.InputRequiredResult:
    given = params.arguments or {}
    text = "This is a simple prompt for testing."
    first: dict[str, Any] = {"type": "text", "text": text}
    if params.name == "test_input_required_result_prompt":
        asked = {"user_context": _question("What context should the prompt use?", context="string")}
        if not _fits(asked, answers := _answers(params)):
            return _ask(asked, state=False)
        first["text"] = json.dumps(answers)
    elif params.name == "test_prompt_with_arguments":
        first["text"] = f"Prompt with arguments: arg1='{given.get('arg1')}', arg2='{given.get('arg2')}'"
    elif params.name == "test_prompt_with_embedded_resource":
        uri = given.get("resourceUri", "test://example-resource")
        held = {"uri": uri, "mimeType": "text/plain", "text": "Embedded resource content for testing."}
        first = {"type": "resource", "resource": held}
    elif params.name == "test_prompt_with_image":
        first = {"type": "image", "data": _PNG, "mimeType": "image/png"}
    messages = [{"role": "user", "content": first}, {"role": "user", "content": {"type": "text", "text": text}}]
    return types.GetPromptResult.model_validate({"messages": messages[: 2 if first.get("type") != "text" else 1]})


async def _complete(_ctx: Any, _params: Any) -> types.CompleteResult:
    return types.CompleteResult.model_validate({"completion": {"values": ["paris", "park"], "total": 2}})


def build_reference() -> Server[Any]:
    """The server."""
    return Server(
        "reference",
        version="1",
        get_tool_input_schema=_SCHEMAS.get,
        on_list_tools=_list_tools,
        on_call_tool=_call_tool,
        on_list_resources=_list_resources,
        on_list_resource_templates=_list_templates,
        on_read_resource=_read_resource,
        on_subscribe_resource=_done,
        on_unsubscribe_resource=_done,
        on_list_prompts=_list_prompts,
        on_get_prompt=_get_prompt,
        on_completion=_complete,
        on_set_logging_level=_done,
    )


if __name__ == "__main__":
    uvicorn.run(build_reference().streamable_http_app(), port=int(sys.argv[1]), log_level="info")
