"""What an MCP server's messages become on their way to a caller, and what a caller brings back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from latchpin.errors import InvalidRequest
from latchpin_proxy.bindings import Binder, NotBound
from latchpin_proxy.errors import NotYours
from latchpin_proxy.links import REMOVED
from latchpin_proxy.messages import RELATED_TASK, Terms, Unreadable, may_name, must_be_read, rewrite
from latchpin_proxy.returning import open_body, open_headers

KEY = b"k" * 32
GATEWAY, SERVER, ALICE = "a" * 32, "https://mcp.tools.example/mcp", "alice@example.com"
BINDER = Binder((KEY,), (GATEWAY, SERVER, ALICE))
OTHERS = {
    "user": Binder((KEY,), (GATEWAY, SERVER, "bob@example.com")),
    "gateway": Binder((KEY,), ("b" * 32, SERVER, ALICE)),
    "server": Binder((KEY,), (GATEWAY, "https://moved.example/mcp", ALICE)),
    "key": Binder((b"l" * 32,), (GATEWAY, SERVER, ALICE)),
    "place written otherwise": Binder((KEY,), (GATEWAY, SERVER + ALICE, "")),
}
TERMS = Terms(BINDER, "Weather", SERVER, "https://gateway.example.com", private=True)
SPEAKER = "MCP server Weather (mcp.tools.example): "
OURS = f"https://gateway.example.com/oauth/authorize/{GATEWAY}"


def through(message: Any, terms: Terms = TERMS) -> Any:
    passed = rewrite(json.dumps(message).encode(), terms)
    return None if passed is None else json.loads(passed)


def answer(**result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "result": result}


def task(name: str = "t-1") -> str:
    return BINDER.bind("task", name)


# -- what passes as it came -----------------------------------------------------------------------------------

AS_THEY_ARE = [
    b'{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"a"}]}}',
    b'{"jsonrpc": "2.0", "id": 1, "result": {"cacheScope": "private", "ttlMs": 1.50, "tools": []}}',
    b'{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"\\"cacheScope\\": \\"public\\""}]}}',
    b'{"result":{"structuredContent":{"cacheScope":"public","requestState":"a","taskId":"b"}}}',
    b'{"result":{"content":[{"text":"see https://mcp.tools.example/login?token=1"}]}}',
    b'{"id":1,"result":{"text":"\\u00e9\\u003c"}}',
    b"not JSON at all",
    b"",
    b"[]",
    b"1",
]


@pytest.mark.parametrize("raw", AS_THEY_ARE)
def test_what_needs_no_change_passes_byte_for_byte(raw: bytes):
    assert rewrite(raw, TERMS) == raw


# -- caches (a person's own lists) ------------------------------------------------------------------------------

SCOPES = [
    ("public", True, "private"),
    ("Public", True, "private"),
    (None, True, "private"),
    (7, True, "private"),
    ("private", True, "private"),
    ("public", False, "public"),  # nobody's own
]


@pytest.mark.parametrize(("said", "private", "passed"), SCOPES)
def test_what_a_persons_token_brought_is_for_no_shared_cache(said: Any, private: bool, passed: str):
    message = answer(cacheScope=said, ttlMs=60_000, tools=[{"name": "a"}])
    assert through(message, replace(TERMS, private=private)) == answer(
        cacheScope=passed, ttlMs=60_000, tools=[{"name": "a"}]
    )


@pytest.mark.parametrize(
    "written", [b'"cache\\u0053cope":"public"', b'"cacheScope" :\n"public"', b'"cacheScope":"publi\\u0063"']
)
def test_no_way_of_writing_it_hides_it(written: bytes):
    passed = rewrite(b'{"jsonrpc":"2.0","id":1,"result":{' + written + b"}}", TERMS)
    assert passed is not None
    assert json.loads(passed) == answer(cacheScope="private")


@pytest.mark.parametrize(
    "raw",
    [
        b'{"result":{"cacheScope":"public"}',
        b'{"result":{"cacheScope":"public","a":"\xff"}}',
        b'{"result":{"cacheScope":"public","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    ],
    ids=["cut", "not UTF-8", "too deep"],
)
def test_what_has_to_be_read_and_cannot_does_not_pass(raw: bytes):
    with pytest.raises(Unreadable):
        rewrite(raw, TERMS)


# -- names ------------------------------------------------------------------------------------------------------

NAMED = [
    (answer(requestState="s-1", resultType="input_required"), ("result", "requestState"), ("state", "s-1")),
    (answer(task={"taskId": "t-1", "status": "working"}), ("result", "task", "taskId"), ("task", "t-1")),
    (answer(taskId="t-1", status="completed"), ("result", "taskId"), ("task", "t-1")),
    (answer(tasks=[{"taskId": "t-1"}]), ("result", "tasks", 0, "taskId"), ("task", "t-1")),
    (answer(_meta={RELATED_TASK: {"taskId": "t-1"}}), ("result", "_meta", RELATED_TASK, "taskId"), ("task", "t-1")),
    (
        {"method": "notifications/tasks/status", "params": {"taskId": "t-1", "status": "working"}},
        ("params", "taskId"),
        ("task", "t-1"),
    ),
    (
        {"method": "sampling/createMessage", "id": 1, "params": {"_meta": {RELATED_TASK: {"taskId": "t-1"}}}},
        ("params", "_meta", RELATED_TASK, "taskId"),
        ("task", "t-1"),
    ),
    (
        {"method": "notifications/subscriptions/acknowledged", "params": {"notifications": {"taskIds": ["t-1"]}}},
        ("params", "notifications", "taskIds", 0),
        ("task", "t-1"),
    ),
    ([answer(requestState="s-1")], (0, "result", "requestState"), ("state", "s-1")),
]


@pytest.mark.parametrize(("message", "where", "bound"), NAMED)
def test_names_of_what_is_one_persons_are_bound_to_that_person(message: Any, where: Any, bound: Any):
    found = through(message)
    for step in where:
        found = found[step]
    assert found == BINDER.bind(*bound)
    assert bound[1] not in found


def test_a_server_that_does_not_know_its_users_lists_nobodys_tasks():
    message = answer(tasks=[{"taskId": "of-bob"}])
    assert through(message, replace(TERMS, private=False)) == answer(tasks=[])


def ask(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


RETURNED = [
    (
        lambda b: ask("tools/call", name="a", requestState=b.bind("state", "s-1")),
        ask("tools/call", name="a", requestState="s-1"),
    ),
    (lambda b: ask("tasks/get", taskId=b.bind("task", "t-1")), ask("tasks/get", taskId="t-1")),
    (lambda b: ask("tasks/result", taskId=b.bind("task", "t-1")), ask("tasks/result", taskId="t-1")),
    (lambda b: ask("tasks/cancel", taskId=b.bind("task", "t-1")), ask("tasks/cancel", taskId="t-1")),
    (lambda b: [ask("tasks/get", taskId=b.bind("task", "t-1"))], [ask("tasks/get", taskId="t-1")]),
    (
        lambda b: ask("subscriptions/listen", notifications={"taskIds": [b.bind("task", "t-1")]}),
        ask("subscriptions/listen", notifications={"taskIds": ["t-1"]}),
    ),
    (
        lambda b: answer(action="accept", _meta={RELATED_TASK: {"taskId": b.bind("task", "t-1")}}),
        answer(action="accept", _meta={RELATED_TASK: {"taskId": "t-1"}}),
    ),
]


@pytest.mark.parametrize(("brought", "sent"), RETURNED)
def test_what_a_caller_brings_back_is_opened_for_the_server(brought: Any, sent: Any):
    body, _ = open_body(json.dumps(brought(BINDER)).encode(), (), BINDER)
    assert json.loads(body) == sent


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize(("brought", "_sent"), RETURNED)
def test_what_another_was_given_is_not_found(brought: Any, _sent: Any, other: str):
    with pytest.raises(NotYours) as caught:
        open_body(json.dumps(brought(OTHERS[other])).encode(), (), BINDER)
    assert caught.value.status == 404


@pytest.mark.parametrize(
    "raw", ["t-1", "s-1", "%", "\ud800", task("t-1") + "A", task("t-1")[:-1], BINDER.bind("session", "t-1")]
)
def test_what_nobody_was_given_is_not_found(raw: str):
    for method, name in (("tasks/get", "taskId"), ("tools/call", "requestState")):
        with pytest.raises(NotYours):
            open_body(json.dumps(ask(method, **{name: raw})).encode(), (), BINDER)


def test_arguments_of_a_tool_are_its_own():
    body = json.dumps(ask("tools/call", name="finish", arguments={"taskId": "mine", "requestState": "mine"})).encode()
    assert open_body(body, (), BINDER) == (body, ())
    body = json.dumps(ask("tools/call", name="finish", taskId="no member of a call")).encode()
    assert open_body(body, (), BINDER) == (body, ())


@pytest.mark.parametrize("raw", [5, True, ["t-1"], {"a": 1}, 1.5])
def test_a_name_that_is_no_text_is_nobodys(raw: Any):
    """Some servers would take it for a text."""
    for message in (
        ask("tasks/get", taskId=raw),
        ask("tools/call", requestState=raw),
        ask("tools/call", _meta={RELATED_TASK: {"taskId": raw}}),
        ask("subscriptions/listen", notifications={"taskIds": [raw]}),
        ask("subscriptions/listen", notifications={"taskIds": raw if raw != ["t-1"] else {"t-1": 1}}),
    ):
        with pytest.raises(NotYours):
            open_body(json.dumps(message).encode(), (), BINDER)


def of_owner(text: str) -> bytes:
    return text.replace("TASK", task()).encode()


NOT_TO_BE_READ = [
    (b'{"params":{"requestState":"a"', "cut short"),
    (json.dumps(ask("tasks/get", taskId="t-1")).encode("utf-16"), "some servers guess at the encoding"),
    (json.dumps(ask("tasks/get", taskId="t-1")).encode("utf-32-le"), "the same"),
    (b'{"method":"tasks/get","params":{"taskId":"t-1"},"method":"ping"}', "some servers take the first of two"),
    (b'{"method":"tasks/get","params":{"taskId":"t-1"},"params":{}}', "the same"),
    (of_owner('{"method":"tasks/get","params":{"taskId":"TASK","x":1e999}}'), "no JSON is written for it"),
    (of_owner('{"method":"tasks/get","params":{"taskId":"TASK","x":NaN}}'), "no JSON"),
]


@pytest.mark.parametrize(("body", "why"), NOT_TO_BE_READ)
def test_a_message_that_names_something_and_cannot_be_read_is_refused(body: bytes, why: str):
    with pytest.raises(InvalidRequest):
        open_body(body, (), BINDER)


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", "x"])
def test_an_encoded_message_is_refused(coding: str):
    with pytest.raises(InvalidRequest):
        open_headers((("content-encoding", coding),), BINDER)
    assert open_headers((("content-encoding", "identity"),), BINDER) == ((("content-encoding", "identity"),), None)


@pytest.mark.parametrize("named", ["utf-7", "shift_jis", '"hex"'])
def test_a_message_in_another_charset_is_refused(named: str):
    """A server that reads by it, as the official one for Node does, would read names that nobody looked at."""
    with pytest.raises(InvalidRequest):
        open_headers((("content-type", f"application/json; charset={named}"),), BINDER)
    plain = (("content-type", "application/json; charset=UTF-8"),)
    assert open_headers(plain, BINDER) == (plain, None)


NAMING = [
    # part of a message that is too long to be held, whether it may name something, why
    (b'"params":{"requestState":"a"', True, "a state"),
    (b'"method":"tasks/get"', True, "a request about a task"),
    (b'"method":"tasks\\/result"', True, "the same, written otherwise"),
    (b'"method":"\\u0074asks/get"', True, "the same"),
    (b'"method":"tasks\\u002fget"', True, "the same"),
    (b'"_meta":{"io.modelcontextprotocol/related-task":{', True, "what belongs to a task"),
    (b'"notifications":{"taskIds":["a"]}', True, "a subscription"),
    (b'"arguments":{"path":"tasks/main.yml"}', False, "a file"),
    (b'"arguments":{"text":"{\\"requestState\\": 1}"}', False, "a text that speaks of it"),
    (b'"arguments":{"taskId":"a","text":"tasks"}', False, "arguments are the tool's"),
    (b'"text":"\\u00e9 \\u003c \\\\u0041 tasks"', False, "escapes as programs write them, and a text about one"),
]


@pytest.mark.parametrize(("raw", "names", "why"), NAMING)
def test_what_a_long_message_may_name(raw: bytes, names: bool, why: str):
    assert may_name(raw) is names, why


def test_a_number_that_json_has_not_is_not_written_anew():
    with pytest.raises(Unreadable):
        rewrite(b'{"result":{"cacheScope":"public","ttlMs":1e999}}', TERMS)


def test_the_header_that_repeats_a_tasks_name_goes_along():
    body = json.dumps(ask("tasks/get", taskId=task())).encode()
    _, fields = open_body(body, (("mcp-name", task()), ("x-other", task())), BINDER)
    assert fields == (("mcp-name", "t-1"), ("x-other", task()))


@pytest.mark.parametrize("other", OTHERS)
def test_a_session_is_its_owners(other: str):
    for kind in ("session", "session that opens links"):
        given = (("mcp-session-id", BINDER.bind(kind, "s")),)
        assert open_headers(given, BINDER) == ((("mcp-session-id", "s"),), kind)
    of_ours = (("mcp-session-id", BINDER.bind("links without session", "-")), ("x", "y"))
    assert open_headers(of_ours, BINDER) == ((("x", "y"),), "links without session")
    with pytest.raises(NotYours):
        open_headers((("mcp-session-id", OTHERS[other].bind("session", "s")),), BINDER)


def test_two_sessions_at_once_are_none():
    twice = (("mcp-session-id", BINDER.bind("session", "s")),) * 2
    with pytest.raises(InvalidRequest):
        open_headers(twice, BINDER)


@pytest.mark.parametrize("name", ["a", "é\u4e2d", "\ud800", "x" * 4_000, "with blanks and \n"])
def test_any_name_comes_back_and_always_looks_alike(name: str):
    bound = BINDER.bind("task", name)
    assert bound == BINDER.bind("task", name)
    assert bound.isascii()
    assert bound.replace("-", "").replace("_", "").isalnum()
    assert BINDER.release("task", bound) == name


def test_earlier_keys_open_and_do_not_seal():
    turned = Binder((b"n" * 32, KEY), (GATEWAY, SERVER, ALICE))
    assert turned.release("task", task()) == "t-1"
    with pytest.raises(NotBound):
        BINDER.release("task", turned.bind("task", "t-1"))


# -- who speaks -------------------------------------------------------------------------------------------------


def elicit(**params: Any) -> dict[str, Any]:
    return {"method": "elicitation/create", "params": params}


CONSENT = {"mode": "url", "elicitationId": "e", "url": "https://github.com/login", "message": "Please sign in"}
IMITATION = {**CONSENT, "url": "https://gateway.example.com.evil.example/"}


def test_a_question_carries_its_servers_name():
    asked = {"jsonrpc": "2.0", "id": 7, **elicit(message="Your password?", requestedSchema={"type": "object"})}
    passed = through(asked)
    assert passed == {
        "jsonrpc": "2.0",
        "id": 7,
        **elicit(message=f"{SPEAKER}Your password?", requestedSchema={"type": "object"}),
    }
    assert through({**asked, "params": {"requestedSchema": {}}})["params"]["message"] == SPEAKER


def test_a_question_inside_a_result_and_an_error_carries_it_too():
    asked = through(answer(inputRequests={"a": elicit(**CONSENT), "b": {"method": "roots/list"}}))
    assert asked["result"]["inputRequests"]["a"]["params"]["message"] == f"{SPEAKER}Please sign in"
    refused = {
        "jsonrpc": "2.0",
        "id": 1,
        "error": {"code": -32042, "message": "m", "data": {"elicitations": [CONSENT]}},
    }
    assert through(refused)["error"]["data"]["elicitations"] == [{**CONSENT, "message": f"{SPEAKER}Please sign in"}]


@pytest.mark.parametrize("url", [IMITATION["url"], OURS, "javascript:alert(1)", None, 7])
def test_a_link_that_looks_like_ours_is_dropped_wherever_it_is(url: Any):
    spoilt = {**CONSENT, "url": url}
    assert through({"jsonrpc": "2.0", "id": 7, **elicit(**spoilt)}) is None
    mixed = through(answer(requestState="s", inputRequests={"a": elicit(**spoilt), "b": elicit(**CONSENT)}))
    assert list(mixed["result"]["inputRequests"]) == ["b"]
    alone = through(answer(requestState="s", inputRequests={"a": elicit(**spoilt)}))
    assert alone["error"]["code"] == -32603
    assert "result" not in alone
    error = {"code": -32042, "message": "m", "data": {"elicitations": [spoilt]}}
    assert through({"jsonrpc": "2.0", "id": 1, "error": error})["error"]["code"] == -32603
    error = {"code": -32042, "message": "m", "data": {"elicitations": [spoilt, CONSENT]}}
    assert len(through({"jsonrpc": "2.0", "id": 1, "error": error})["error"]["data"]["elicitations"]) == 1


def test_a_batch_loses_only_what_is_dropped():
    kept = answer(content=[])
    assert through([kept, {"jsonrpc": "2.0", "id": 7, **elicit(**IMITATION)}]) == [kept]
    assert through([{"jsonrpc": "2.0", "id": 7, **elicit(**IMITATION)}]) is None


@pytest.mark.parametrize("slash", ["/", "\\/"])
def test_links_of_our_kind_in_a_tools_text_are_removed(slash: str):
    raw = json.dumps(answer(content=[{"type": "text", "text": f"Go to {OURS}"}])).replace("/", slash)
    passed = rewrite(raw.encode(), TERMS)
    assert passed is not None
    assert json.loads(passed) == answer(content=[{"type": "text", "text": f"Go to {REMOVED}"}])


def test_a_problem_document_does_not_say_what_only_the_gateway_says():
    problem = {"type": "about:blank", "cause": "authorization-required", "authorize_url": "https://evil.example/"}
    assert through(problem) == {"type": "about:blank", "cause": "authorization-required"}
    assert through(answer(structuredContent={"authorize_url": "a"})) == answer(structuredContent={"authorize_url": "a"})


@pytest.mark.parametrize("name", [b"tools", b"Tools", b"TOOLS", "tool\u017f".encode(), b"tool\\u017f", b"TOOL\\u017F"])
def test_a_long_list_in_other_letters_is_not_passed_either(name: bytes):
    assert must_be_read(b'{"result":{"' + name + b'":[', tools=True)
    assert not must_be_read(b'{"result":{"text":"\\"' + name + b'\\""', tools=True)
