"""Where the endpoint's URL is shown: on pages, from the plugin's entry, and by `latchpin gateways show`."""

import json

import latchpin_sql_store  # noqa: F401  the command needs records that outlive it
from latchpin.gateways.endpoint import mcp_endpoint
from latchpin_proxy.plugin import latchpin_navigation
from latchpin_proxy.routes import make_router

from tests.servers import run_latchpin

BASE = "https://gateway.example.com/tools"


def test_the_entry_names_the_route_that_is_served():
    [entry] = latchpin_navigation()
    assert entry.place == "endpoint"
    assert entry.path in {route.path for route in make_router().routes}
    assert mcp_endpoint([entry], BASE, "abc") == f"{BASE}/gateways/abc/mcp"
    assert mcp_endpoint([], BASE, "abc") is None


def test_gateways_show_names_it(tmp_path):
    env = {
        "CACHE_TYPE": "database",
        "DATABASE_URL": "sqlite:///./x.db",
        "BASE_URL": BASE,
        "AUTH_ENCRYPTION_SECRET": "s" * 40,
    }
    made = run_latchpin(
        "gateways", "add", "https://mcp.example.com/mcp", "--auth", "none", "--json", env=env, cwd=tmp_path
    )
    assert made.returncode == 0, made.stderr
    gateway_id = json.loads(made.stdout)["id"]
    shown = run_latchpin("gateways", "show", gateway_id, "--json", env=env, cwd=tmp_path)
    assert json.loads(shown.stdout)["mcp_endpoint"] == f"{BASE}/gateways/{gateway_id}/mcp"
