"""Rules and groups are entered by administrators alone: by the API, by commands; and what decides is explained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from latchpin_audit.log import AuditLog

from tests.policy.conftest import Recorded, group, rules
from tests.servers import run_latchpin
from tests.support.gateway_in_process import ADMIN, ALICE, BASE, SECRET, InnerGateway

WRITES = [("POST", "/rules"), ("PUT", "/rules/0a0b0c0d"), ("DELETE", "/rules/0a0b0c0d"), ("PUT", "/groups/staff")]
READS = [("GET", "/rules"), ("GET", "/rules/0a0b0c0d"), ("GET", "/groups"), ("GET", "/groups/staff")]
PAGES = [("GET", "/admin/rules"), ("GET", "/admin/rules/new"), ("GET", "/admin/groups"), ("GET", "/admin/groups/new")]
EXPLAIN = ("GET", f"/access/explain?email={ALICE}&tool=x")


async def client_of(gateway: InnerGateway, email: str = ADMIN) -> httpx.AsyncClient:
    return gateway.client(None, **await gateway.bearer(email, admin=email == ADMIN))


@pytest.mark.parametrize(("method", "path"), [*WRITES, *READS, *PAGES, EXPLAIN, ("DELETE", "/groups/staff")])
async def test_nobody_else_sees_or_changes_them(gateway: InnerGateway, method: str, path: str):
    async with await client_of(gateway, ALICE) as alice:
        assert (await alice.request(method, BASE + path, json={})).status_code == 403
    async with gateway.client(None, Accept="application/json") as nobody:
        assert (await nobody.request(method, BASE + path, json={})).status_code == 401


async def test_a_rule_is_made_changed_and_removed(gateway: InnerGateway):
    audit = AuditLog.of(gateway.application.services.context).records
    async with await client_of(gateway) as admin:
        made = await admin.post(f"{BASE}/rules", json={"effect": "deny", "tools": "a b", "who": "group:staff"})
        assert made.status_code == 201, made.text
        url, rule = made.headers["location"], made.json()
        assert (rule["tools"], rule["who"], rule["gateway"], rule["when"]) == (
            ["a", "b"],
            ["group:staff"],
            "",
            "always",
        )
        assert (await admin.get(url)).json() == rule
        assert (await admin.get(f"{BASE}/rules")).json() == {"rules": [rule], "total": 1}
        changed = await admin.put(url, json={"effect": "allow", "note": "why", "revision": rule["revision"]})
        assert (changed.json()["effect"], changed.json()["tools"]) == ("allow", ["a", "b"])
        entry = await audit.last()
        assert entry is not None
        assert (entry.event, entry.facts["changed"]) == ("rule.changed", "('effect', 'note')")
        late = await admin.put(url, json={"effect": "deny", "revision": rule["revision"]})
        assert late.status_code == 409
        wrong = await admin.put(url, json={"tools": []})
        assert (wrong.status_code, "names tools" in wrong.text) == (400, True)
        assert (await admin.delete(url)).json()["success"] is True
        assert (await admin.delete(url)).status_code == 404
        assert (await admin.put(url, json={})).status_code == 404
        assert (await admin.post(f"{BASE}/rules", content=b"{")).status_code == 400


async def test_a_group_is_made_changed_and_removed(gateway: InnerGateway):
    async with await client_of(gateway) as admin:
        url = f"{BASE}/groups/The%2520staff"
        made = await admin.put(url, json={"members": ["Ann@example.com", "*@example.org"]})
        assert made.status_code == 200, made.text
        assert (made.json()["name"], made.json()["members"]) == ("The%20staff", ["ann@example.com", "*@example.org"])
        late = await admin.put(url, json={"members": [], "revision": made.json()["revision"] + 1})
        assert late.status_code == 409
        assert (await admin.get(f"{BASE}/groups")).json()["total"] == 1
        assert (await admin.put(f"{BASE}/groups/x", json={"members": ["group:y"]})).status_code == 400
        assert (await admin.delete(url)).status_code == 200
        assert (await admin.get(url)).status_code == 404


async def test_what_decides_is_explained(gateway: InnerGateway, server: Recorded):
    notes = await gateway.add(server.url, name="Notes", auth_type="none", allowed_users="group:staff")
    await gateway.add("https://mcp.example.com/mcp", name="Other", allowed_users="bob@example.com")
    await group(gateway, "staff", "*@example.com")
    denied, reading, ceiling = await rules(
        gateway,
        {"effect": "deny", "tools": "delete_*", "who": "group:staff"},
        {"effect": "allow", "tools": "*", "when": "read-only", "gateway": notes},
        {"effect": "scopes", "scopes": "read write"},
    )

    async def explain(tool: str, **more: str) -> dict[str, Any]:
        async with await client_of(gateway) as admin:
            answer = await admin.get(f"{BASE}/access/explain", params={"email": ALICE, "tool": tool, **more})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    told = await explain("delete_note")
    here, there = told["gateways"]
    assert (told["allowed"], told["groups"]) == (False, {"staff": ["policy"]})
    assert (here["entry"], here["allowed"], here["rule"]) == ("group:staff", False, denied.name)
    assert here["scope_ceiling"] == ["read", "write"]
    assert (there["may_use_gateway"], there["allowed"], there["rule"]) == (False, False, "")
    unknown = (await explain("get_note", gateway=notes))["gateways"][0]
    assert (unknown["allowed"], "not known here" in unknown["rule"]) == (False, True)
    await gateway.application.services.tools.replace(notes, ALICE, {"get_note": server.tools[0]})
    known = await explain("get_note", gateway=notes)
    assert (known["allowed"], known["gateways"][0]["rule"]) == (True, reading.name)
    assert ceiling.name.endswith("(scopes read write)")
    async with await client_of(gateway) as admin:
        for query in ({"email": "x", "tool": "y"}, {"email": ALICE, "tool": ""}):
            assert (await admin.get(f"{BASE}/access/explain", params=query)).status_code == 400
        missing = {"email": ALICE, "tool": "x", "gateway": "0" * 32}
        assert (await admin.get(f"{BASE}/access/explain", params=missing)).status_code == 404


@pytest.mark.needs("latchpin_sql_store", "latchpin_admin_cli")
def test_commands_do_the_same_beside_a_gateway_that_serves(tmp_path: Path):
    settings = {
        "CACHE_TYPE": "database",
        "RECORD_STORE": "database",
        "DATABASE_URL": f"sqlite:///{tmp_path}/x.db",
        "AUTH_ENCRYPTION_SECRET": SECRET,
    }

    def latchpin(*arguments: str, code: int = 0) -> str:
        done = run_latchpin(*arguments, env=settings, cwd=tmp_path)
        assert done.returncode == code, done.stderr
        return done.stdout.strip()

    latchpin("db", "upgrade")
    latchpin("gateways", "add", "https://mcp.example.com/mcp", "--name", "Notes", "--no-discover", "--allow", "group:a")
    latchpin("groups", "add", "a", "ann@example.com", "*@example.org")
    latchpin("groups", "drop", "a", "*@example.org")
    assert latchpin("groups", "show", "a") == "ann@example.com"
    made = latchpin("rules", "add", "deny", "--tool", "delete_*", "--who", "group:a", "--gateway", "Notes")
    assert json.loads(latchpin("rules", "list", "--json"))[0]["id"] == made
    asked = ("access", "explain", "--email", "ann@example.com", "--gateway", "Notes", "--tool")
    assert made in latchpin(*asked, "Delete_It", code=1)
    assert json.loads(latchpin(*asked, "get_it", "--json"))["allowed"] is True
    assert "no entry" in latchpin("access", "explain", "--email", "eve@example.org", "--tool", "get_it", code=1)
    latchpin("rules", "remove", made, "--yes")
    assert json.loads(latchpin("rules", "list", "--json")) == []
    latchpin("groups", "remove", "a", "--yes")
    latchpin("rules", "add", "deny", code=1)
