"""Files are applied whole or not at all, and again without effect, on every backend."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from latchpin.errors import BackendUnavailable, Conflict
from latchpin.sdk.gateway import open_configured_secret, parse_gateway_body
from latchpin_aggregator.sets.directory import open_sets
from latchpin_authorization_server.server import open_server
from latchpin_config import applying
from latchpin_config.applying import NotApplied
from latchpin_config.gateways import GatewayEntries
from latchpin_config.marks import Marks
from latchpin_config.planning import Step
from latchpin_config.showing import show_plan
from latchpin_policy.book import book_of

from tests.config.conftest import ALL, CLIENT_SECRET, OPERATOR, Filed, actions, lines
from tests.support.gateway_in_process import BASE, open_gateway

ONE = "gateways: {one: {url: 'https://mcp.example.com/one'}}\n"
TWO = "gateways: {one: {url: 'https://mcp.example.com/one'}, two: {url: 'https://mcp.example.com/two'}}\n"


async def names(filed: Filed) -> list[str]:
    return [each.name for each in await filed.application.gateways.list(OPERATOR)]


async def test_everything_is_made_once_and_then_nothing_changes(filed: Filed):
    plan = await filed.apply(ALL)
    assert plan.problems == []
    assert plan.count("add") == 9
    services = filed.application.services
    by_name = {each.name: each for each in await filed.application.gateways.list(OPERATOR)}
    github = by_name["github"]
    assert open_configured_secret(github, services.cipher) == "the-gateways-secret"
    assert github.oauth is not None
    assert github.oauth.redirect_uri == f"{BASE}/oauth/callback/{github.id}"
    made = await (await open_sets(filed.application)).get("dev", OPERATOR)
    assert made.gateways == (by_name["files"].id, github.id)
    book = await book_of(filed.application)
    assert (await book.rule("no-deletes")).gateway == github.id
    assert (await book.group("staff")).members == ("ann@example.com", "*@example.org")
    service = await (await open_server(services.context)).find_service("report")
    assert service is not None
    assert service.has_secret(CLIENT_SECRET)
    again = await filed.apply(ALL)
    assert (actions(again), again.count("same"), again.problems) == ([], 9, [])
    assert actions(await filed.plan(ALL)) == []
    assert {each.revision for each in await filed.application.gateways.list(OPERATOR)} == {1}


async def test_an_export_is_a_file_that_changes_nothing(filed: Filed):
    await filed.apply(ALL)
    exported = await filed.export()
    assert exported.left_out == []
    for secret in ("the-gateways-secret", CLIENT_SECRET):
        assert secret not in exported.text
    assert exported.text.count("client_secret: kept\n") == 2
    assert {each.id for each in await filed.application.gateways.list(OPERATOR)}.isdisjoint(exported.text.split())
    plan = await filed.apply(exported.text)
    assert (actions(plan), plan.problems, plan.count("same")) == ([], [], 9)


async def test_what_changes_is_said_member_by_member_and_without_secrets(filed: Filed, secrets: pytest.MonkeyPatch):
    await filed.apply(ALL)
    secrets.setenv("TEST_GATEWAY_SECRET", "another-hunter2")
    changed = (
        ALL.replace("scopes: [a, b]\n", "scopes: [a, c]\n")
        .replace("/files,", "/moved,")
        .replace("bot@", "robot@")
        .replace(", note: Everybody", "")
    )
    said = list(show_plan(await filed.plan(changed)))
    assert said == [
        "~ gateways.github",
        '    oauth_config.scopes: - "b"',
        '    oauth_config.scopes: + "c"',
        "    oauth_config.client_secret: (secret) -> (another secret)",
        "~ gateways.files",
        '    url: "https://mcp.example.com/files" -> "https://mcp.example.com/moved"',
        "    ! everybody's tokens and keys for it go: they were given for another place",
        "~ groups.staff",
        '    note: "Everybody" -> (default)',
        "~ oauth_clients.report",
        '    acts_as: "bot@example.com" -> "robot@example.com"',
        "    ! tokens that it has for the earlier address end",
    ]
    await filed.apply(changed)
    github = next(each for each in await filed.application.gateways.list(OPERATOR) if each.name == "github")
    assert open_configured_secret(github, filed.application.services.cipher) == "another-hunter2"
    assert actions(await filed.plan(changed)) == []


@pytest.mark.backends("sqlite", "memory")
async def test_a_secret_stays_where_nothing_is_said_and_goes_with_null(filed: Filed):
    await filed.apply(ALL)
    silent = ALL.replace("      client_secret: env:TEST_GATEWAY_SECRET\n", "")
    assert actions(await filed.plan(silent)) == []
    cleared = ALL.replace("env:TEST_GATEWAY_SECRET", "null")
    (step,) = (await filed.apply(cleared)).writes
    assert [(each.key, each.after) for each in step.changes] == [("oauth_config.client_secret", None)]
    assert actions(await filed.plan(cleared)) == []
    kept = ALL.replace("env:TEST_GATEWAY_SECRET", "kept")
    (problem,) = (await filed.plan(kept)).problems
    assert "no secret is kept there yet" in problem.text


WRONG = [
    (("gateways: [files, github]", "gateways: [files, githib]"), "did you mean github?"),
    (("gateway: github", "gateway: nowhere"), "rules.no-deletes: gateway: none of the gateways is called nowhere"),
    (("  no-deletes:", "  No_Deletes:"), "a rule's name"),
    (("  dev:", "  Dev_x:"), "slug: must have"),
    (("effect: deny,", ""), "effect is missing"),
    (("env:TEST_CLIENT_SECRET", "env:TEST_NOWHERE"), "the variable TEST_NOWHERE is not set"),
    (("env:TEST_CLIENT_SECRET", "env:TEST_GATEWAY_SECRET"), "a secret has at least 32 characters"),
    (("env:TEST_CLIENT_SECRET", "vaul:x"), "no secret is read from vaul: here; known are"),
    (("env:TEST_CLIENT_SECRET", "env:AUTH_ENCRYPTION_SECRET"), "is a setting of Latchpin itself"),
    (("env:TEST_CLIENT_SECRET", "env:TEST_ROOT"), "holds a secret of Latchpin itself"),
    (("env:TEST_CLIENT_SECRET", "file:/proc/self/environ"), "reads nothing that is in /proc"),
    (("env:TEST_CLIENT_SECRET", "file:relative"), "needs the whole path"),
    ((", client_secret: env:TEST_CLIENT_SECRET", ""), "client_secret is missing"),
    (("acts_as: bot@example.com,", "acts_as: bot,"), "oauth_clients.report"),
    (("      client_id: abc\n", ""), "without a client_id"),
    (("redirect_uri: http://localhost:4444/", "redirect_uri: http://evil.example/"), "must be http"),
    (("auth_type: api_key", "auth_type: none, api_key: {header: X}"), "api_key is given"),
]
"""What is written in the place of what, and what is said of it."""


@pytest.mark.backends("sqlite", "memory")
async def test_what_does_not_hold_changes_nothing(filed: Filed, secrets: pytest.MonkeyPatch):
    secrets.setenv("TEST_ROOT", "a-secret-of-the-tests-with-48-characters-in-all!")
    for change, said in WRONG:
        assert change[0] in ALL
        plan = await filed.apply(ALL.replace(*change))
        (problem,) = lines(plan.problems, filed.folder)
        assert said in problem
        assert problem.startswith("latchpin.yaml:")
        assert not any(secret in problem for secret in ("the-gateways-secret", CLIENT_SECRET))
    assert await names(filed) == []
    assert await Marks.of(filed.application.services.context).all() == {}


@pytest.mark.backends("sqlite")
async def test_references_are_bounded(filed: Filed, secrets: pytest.MonkeyPatch, tmp_path: Path):
    secrets.setenv("CONFIG_REFERENCES", f"env:TEST_GATEWAY_* file:{tmp_path}/good/*")
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "a").write_text(f"{CLIENT_SECRET}\n")
    (tmp_path / "b").write_text(CLIENT_SECRET)
    for reference in ("env:TEST_CLIENT_SECRET", f"file:{tmp_path}/b", f"file:{tmp_path}/good/../b"):
        (problem,) = (await filed.plan(ALL.replace("env:TEST_CLIENT_SECRET", reference))).problems
        assert "is outside CONFIG_REFERENCES" in problem.text
    assert (await filed.plan(ALL.replace("env:TEST_CLIENT_SECRET", f"file:{tmp_path}/good/a"))).problems == []


async def test_a_write_that_fails_puts_everything_back(filed: Filed, monkeypatch: pytest.MonkeyPatch):
    await filed.apply(ALL)
    before = (await filed.export()).text
    marks = await Marks.of(filed.application.services.context).all()
    put = GatewayEntries.put

    async def fail(self: GatewayEntries, name: str, *more: Any) -> str:
        if name == "zzz":
            raise BackendUnavailable("the store is away")
        return await put(self, name, *more)

    monkeypatch.setattr(GatewayEntries, "put", fail)
    changed = ALL.replace("scopes: [a, b]\n", "scopes: [c]\n").replace(
        "  open:", "  new: {url: 'https://new.example.com'}\n  zzz: {url: 'https://zzz.example.com'}\n  open:"
    )
    with pytest.raises(NotApplied, match=r"gateways\.zzz could not be written.*Everything is as it was"):
        await filed.apply(changed)
    assert (await filed.export()).text == before
    assert await Marks.of(filed.application.services.context).all() == marks
    github = next(each for each in await filed.application.gateways.list(OPERATOR) if each.name == "github")
    assert open_configured_secret(github, filed.application.services.cipher) == "the-gateways-secret"


@pytest.mark.backends("memory")
@pytest.mark.parametrize("kind", ["gateways", "groups", "sets", "rules", "oauth_clients"])
async def test_each_kind_is_put_back_from_change_addition_and_removal(
    filed: Filed, monkeypatch: pytest.MonkeyPatch, kind: str
):
    await filed.apply(ALL)
    before = (await filed.export()).text
    changes = {
        "gateways": ALL.replace("scopes: [a, b]\n", "scopes: [c]\n")
        .replace("  files: {", "  filed: {", 1)
        .replace("[files, github]", "[filed, github]"),
        "groups": ALL.replace("ann@", "bob@").replace("  staff:", "  more: {members: []}\n  staff:"),
        "sets": ALL.replace("Development", "Other").replace("  dev:", "  more: {}\n  dev:"),
        "rules": ALL.replace("delete_*", "drop_*").replace("  few-scopes:", "  fewer-scopes:"),
        "oauth_clients": ALL.replace("name: Report", "name: Other").replace("  app:", "  app2:"),
    }

    async def fail(*_: object) -> None:
        raise BackendUnavailable("the store is away")

    monkeypatch.setattr(Marks, "put_all", fail)  # after everything else
    assert kind in {each[1] for each in actions(await filed.plan(changes[kind], prune=True))}
    with pytest.raises(NotApplied, match="Everything is as it was"):
        await filed.apply(changes[kind], prune=True)
    assert (await filed.export()).text == before


@pytest.mark.backends("sqlite", "memory")
async def test_who_stops_it_finds_everything_as_it_was(filed: Filed):
    def stop(number: int, _total: int, _step: Step) -> None:
        if number == 2:
            task.cancel()

    task = asyncio.ensure_future(filed.apply(ALL, tell=stop))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await names(filed) == []
    assert await Marks.of(filed.application.services.context).unfinished() is None
    assert (await filed.apply(ALL)).count("add") == 9


@pytest.mark.backends("memory")
async def test_a_write_that_is_under_way_when_it_is_stopped_is_put_back_too(
    filed: Filed, monkeypatch: pytest.MonkeyPatch
):
    """A store may end what it was told to write after its caller was stopped."""
    put, begun, may_write = GatewayEntries.put, asyncio.Event(), asyncio.Event()
    writes: list[asyncio.Future[str]] = []

    async def write(self: GatewayEntries, *more: Any) -> str:
        await may_write.wait()
        return await put(self, *more)

    async def handed_over(self: GatewayEntries, *more: Any) -> str:
        writes.append(asyncio.ensure_future(write(self, *more)))
        begun.set()
        return await asyncio.shield(writes[-1])

    monkeypatch.setattr(GatewayEntries, "put", handed_over)
    task = asyncio.ensure_future(filed.apply(ALL))
    await begun.wait()
    task.cancel()
    await asyncio.wait({task}, timeout=0.2)
    may_write.set()
    await asyncio.gather(*writes)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await names(filed) == []


@pytest.mark.backends("sqlite", "memory")
async def test_an_edit_in_between_stops_it(filed: Filed):
    await filed.apply(ALL)
    github = next(each for each in await filed.application.gateways.list(OPERATOR) if each.name == "github")

    changed: list[asyncio.Future[Any]] = []

    class Later(GatewayEntries):
        async def put(self, *arguments: Any) -> str:
            body = parse_gateway_body({"allowed_users": ["eve@example.com"]})
            changed.append(await filed.application.gateways.change(github.id, body, OPERATOR))  # type: ignore[arg-type]
            return await super().put(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("latchpin_config.gateways.GatewayEntries", Later)
        with pytest.raises(NotApplied, match=r"gateways\.github could not be written"):
            await filed.apply(ALL.replace("scopes: [a, b]\n", "scopes: [c]\n"))
    assert changed
    (there,) = [each for each in await filed.application.gateways.list(OPERATOR) if each.id == github.id]
    assert there.allowed_users == ("eve@example.com",), "the edit stays"


@pytest.mark.backends("sqlite", "postgres", "redis", "memory")
async def test_of_two_applies_one_writes_at_a_time(filed: Filed, monkeypatch: pytest.MonkeyPatch):
    inside = most = 0
    put = GatewayEntries.put

    async def watched(self: GatewayEntries, *arguments: Any) -> str:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0)
        try:
            return await put(self, *arguments)
        finally:
            inside -= 1

    monkeypatch.setattr(GatewayEntries, "put", watched)
    plans = await asyncio.gather(*(filed.apply(TWO) for _ in range(4)))
    assert most == 1
    assert sorted(plan.count("add") for plan in plans) == [0, 0, 0, 2]
    assert await names(filed) == ["one", "two"]


@pytest.mark.backends("memory")
async def test_who_waits_too_long_is_told_and_has_done_nothing(filed: Filed, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(applying, "WAIT", applying.WAIT * 0)
    leases = filed.application.services.leases
    async with leases.hold("configuration", (), life=applying.LIFE):
        with pytest.raises(Conflict, match="another apply is under way"):
            await filed.apply(ONE)
    assert await names(filed) == []


@pytest.mark.backends("sqlite", "memory")
async def test_prune_removes_what_its_own_source_applied_and_nothing_else(filed: Filed):
    await filed.gateway.add("https://mcp.example.com/by-hand", name="by hand")
    await filed.apply(TWO, source="a")
    await filed.apply("gateways: {three: {url: 'https://mcp.example.com/three'}}", source="b")
    plan = await filed.apply(ONE, source="a")
    assert [each.name for each in plan.left] == ["two"]
    assert "gone from it; --prune removes it" in next(show_plan(plan))
    plan = await filed.apply(ONE, source="a", prune=True)
    assert actions(plan) == [("remove", "gateways", "two")]
    assert await names(filed) == ["by hand", "one", "three"]
    assert actions(await filed.plan(ONE, source="c", prune=True)) == []
    (problem,) = (await filed.plan(ONE, source="b")).problems
    assert "the source a rules it" in problem.text
    taken = await filed.apply(ONE, source="b", prune=True, take_over=True)
    assert actions(taken) == [("remove", "gateways", "three")]
    assert actions(await filed.plan("groups: {}", source="a", prune=True)) == []


@pytest.mark.backends("memory")
async def test_nothing_refers_to_what_is_pruned(filed: Filed):
    both = TWO + "sets: {dev: {gateways: [two]}}\n"
    await filed.apply(both)
    (problem,) = (await filed.apply(ONE + "sets: {dev: {gateways: [two]}}\n", prune=True)).problems
    assert "none of the gateways is called two" in problem.text
    assert await names(filed) == ["one", "two"]


@pytest.mark.backends("memory")
async def test_two_gateways_of_one_name_are_in_no_file(filed: Filed):
    for _ in range(2):
        await filed.gateway.add("https://mcp.example.com/one", name="one")
    exported = await filed.export()
    assert exported.left_out == ["several of the gateways are called one: no file can say which"]
    (problem,) = (await filed.plan(ONE)).problems
    assert "2 of the gateways are called one" in problem.text


@pytest.mark.backends("memory")
async def test_a_mark_of_what_is_gone_goes(filed: Filed):
    await filed.apply(TWO)
    marks = Marks.of(filed.application.services.context)
    (two,) = [each for each in await marks.of_kind("gateways") if each.name == "two"]
    await filed.application.gateways.remove(two.entry, OPERATOR)
    await filed.apply(ONE)
    assert [each.name for each in (await marks.all()).values()] == ["one"]


@pytest.mark.backends("sqlite")
async def test_a_secret_that_no_key_opens_any_more_is_entered_anew(filed: Filed, secrets: pytest.MonkeyPatch):
    await filed.apply(ALL)
    secrets.setenv("AUTH_ENCRYPTION_SECRET", "another-secret-of-the-tests-with-many-characters")
    async with open_gateway() as opened:
        later = Filed(opened, filed.folder)
        assert actions(await later.plan(ALL)) == [("change", "gateways", "github")]
        await later.apply(ALL)
        assert actions(await later.plan(ALL)) == []
