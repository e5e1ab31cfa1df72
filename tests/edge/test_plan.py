"""What a data plane is told, without one: ways and addresses, the folder, and what stands in a configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from latchpin.errors import SettingsError
from latchpin.sdk.settings import CoreSettings
from latchpin_edge import folder, running
from latchpin_edge.commands import parse_front
from latchpin_edge.envoy import render_envoy
from latchpin_edge.folder import is_in_memory, make_folder
from latchpin_edge.kinds import Kind
from latchpin_edge.nginx import render_nginx
from latchpin_edge.plan import Front, Limits, Plan
from latchpin_edge.running import check, reload_nginx
from latchpin_edge.settings import EdgeSettings
from latchpin_edge.units import render_unit
from latchpin_edge.watching import keep_addresses
from latchpin_edge.ways import Detour, Way, find_ways
from latchpin_testing import samples

from tests.edge.conftest import wheel

ID = "0123456789abcdef0123456789abcdef"
WAY = Way(ID, "https://mcp.example.com/mcp", True, "mcp.example.com", 443, "/mcp", ("192.88.98.1",))
PLAN = Plan(
    front=Front(),
    base_url="https://latchpin.example.com",
    base_path="",
    origin="https://latchpin.example.com",
    gateway="127.0.0.1:4444",
    asked=("127.0.0.1:4445",),
    secret="a-secret-of-the-tests",
    cache_seconds=20,
    headers=("x-tenant",),
    user_header="x-user-of-the-proxy",
    proxies=("10.0.0.0/8", "192.0.2.1"),
    limits=Limits(600, 20, 1_000_000, 200),
    folder=Path("/dev/shm/latchpin-edge-plan"),
    roots="/etc/ssl/certs/ca-certificates.crt",
    ways=(WAY,),
    detours=(),
)


async def find(
    url: str, addresses: Sequence[str], *, private: bool = False, dpop: bool = False, proxy: str = "", **settings
) -> Way | Detour:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        if not addresses:
            raise OSError
        return addresses

    gateway = samples.gateway(datetime(2030, 1, 1, tzinfo=UTC), id=ID, url=url)
    assert gateway.oauth is not None
    gateway = replace(gateway, oauth=replace(gateway.oauth, dpop=dpop))
    core = CoreSettings(_env_file=None, oauth_allow_private_networks=private, outbound_proxy=proxy)
    [found] = await find_ways([gateway], EdgeSettings(**settings), core, resolve=resolve)
    return found


@pytest.mark.parametrize(
    ("url", "addresses", "reason"),
    [
        ("http://mcp.example.com/mcp", ["192.88.98.1"], "not https"),
        ("https://mcp.example.com/mcp", ["10.0.0.1"], "no public address"),
        ("https://mcp.example.com/mcp", ["169.254.169.254", "::1"], "no public address"),
        ("https://mcp.example.com/mcp", [], "no address"),
        ("https://mcp.example.com/$uri", ["192.88.98.1"], "a character"),
        ('https://mcp.example.com/";return', ["192.88.98.1"], "a character"),
    ],
)
async def test_what_must_not_be_connected_to_is_the_proxys(url: str, addresses: Sequence[str], reason: str):
    found = await find(url, addresses)
    assert isinstance(found, Detour)
    assert reason in found.reason


async def test_of_several_addresses_the_public_ones_are_taken():
    found = await find("https://mcp.example.com:8443/mcp?a=1", ["10.0.0.1", "192.88.98.1", "2600::1", "192.88.98.1"])
    assert isinstance(found, Way)
    assert found.addresses == ("192.88.98.1", "2600::1")
    assert (found.authority, found.target, found.secure) == ("mcp.example.com:8443", "/mcp?a=1", True)


async def test_private_addresses_and_http_are_taken_where_the_setting_allows_them():
    found = await find("http://127.0.0.1:9/mcp", ["127.0.0.1"], private=True)
    assert isinstance(found, Way)
    assert not found.secure


async def test_a_gateway_that_is_not_named_is_the_proxys():
    assert isinstance(await find("https://mcp.example.com/", ["192.88.98.1"], edge_gateways=("f" * 32,)), Detour)
    assert isinstance(await find("https://mcp.example.com/", ["192.88.98.1"], edge_gateways=(ID,)), Way)


async def test_a_gateway_whose_tokens_are_bound_to_a_key_is_the_proxys():
    found = await find("https://mcp.example.com/", ["192.88.98.1"], dpop=True)
    assert isinstance(found, Detour)
    assert "proof" in found.reason


async def test_where_requests_leave_through_a_proxy_the_data_plane_takes_none():
    found = await find("https://mcp.example.com/", ["192.88.98.1"], proxy="http://proxy.example.com:3128")
    assert isinstance(found, Detour)
    assert "OUTBOUND_PROXY" in found.reason


def test_addresses_stay_while_most_of_them_are_the_hosts():
    written = replace(PLAN, ways=(replace(WAY, addresses=("a", "b")),))
    for now, then in (("ab", "ab"), ("ba", "ab"), ("bc", "ab"), ("cd", "cd"), ("", "")):
        plan = replace(PLAN, ways=(replace(WAY, addresses=tuple(now)),))
        assert keep_addresses(plan, written).ways[0].addresses == tuple(then)
    moved = replace(PLAN, ways=(replace(WAY, url="https://mcp.example.com/other", addresses=("b",)),))
    assert keep_addresses(moved, written) == moved


@pytest.mark.parametrize("change", [{}, {"ways": ()}, {"cache_seconds": 0}, {"user_header": None, "proxies": ()}])
@pytest.mark.parametrize("kind", Kind)
def test_the_programs_take_it_over_tls_and_unix_sockets(kind: Kind, change: dict, tmp_path: Path):
    plan = replace(PLAN, folder=tmp_path, asked=("/run/a.sock.1", "/run/a.sock.2"), **change)
    text = render_envoy(plan) if kind is Kind.ENVOY else render_nginx(plan)
    assert check(kind, wheel(kind), text) is None


@pytest.mark.parametrize("kind", Kind)
def test_the_programs_refuse_what_is_wrong(kind: Kind, tmp_path: Path):
    plan = replace(PLAN, folder=tmp_path)
    text = render_envoy(plan) if kind is Kind.ENVOY else render_nginx(plan)
    assert check(kind, wheel(kind), text.replace("keepalive 64", "keepalive x").replace('"STATIC"', '"NONE"'))


@pytest.mark.parametrize("kind", Kind)
def test_servers_are_verified_and_connected_to_by_address(kind: Kind):
    if kind is Kind.NGINX:
        text = render_nginx(PLAN)
        for line in ("server 192.88.98.1:443;", "proxy_ssl_verify on;", 'proxy_ssl_name "mcp.example.com";'):
            assert line in text
        assert "resolver" not in text
        return
    clusters = {each["name"]: each for each in json.loads(render_envoy(PLAN))["static_resources"]["clusters"]}
    assert {each["type"] for each in clusters.values()} == {"STATIC"}
    tls = clusters[f"edge_{PLAN.ways[0].place}"]["transport_socket"]["typed_config"]
    assert tls["sni"] == "mcp.example.com"
    context = tls["common_tls_context"]["validation_context"]
    assert context["trusted_ca"] == {"filename": PLAN.roots}
    assert context["match_typed_subject_alt_names"] == [{"san_type": "DNS", "matcher": {"exact": "mcp.example.com"}}]


def test_a_text_that_would_mean_something_is_not_written():
    for secret in ("a-secret-with-a-$variable", "a-secret-with-a\n-line"):
        with pytest.raises(ValueError, match="cannot be written"):
            render_nginx(replace(PLAN, secret=secret))
    with pytest.raises(ValueError, match="cannot be written"):
        render_envoy(replace(PLAN, secret="a-secret-with-a\n-line"))


def test_what_is_kept_is_kept_in_memory(tmp_path: Path):
    mounts = "/dev/sda / ext4 rw 0 0\ntmpfs /run tmpfs rw 0 0\n/dev/sdb /run/disk ext4 rw 0 0\n"
    assert is_in_memory(Path("/run/latchpin"), mounts)
    assert not is_in_memory(Path("/run/disk/latchpin"), mounts)
    assert not is_in_memory(Path("/var/lib"), mounts)


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the machine says of its file systems: all is in memory, as far as a test says nothing else."""
    mounts = tmp_path / "mounts"
    mounts.write_text("tmpfs / tmpfs rw 0 0\n")
    monkeypatch.setattr(folder, "_MOUNTS", mounts)
    return mounts


@pytest.mark.parametrize("why", ["is on a disk", "is another user's", "is open to others, and not empty"])
def test_a_folder_that_is_refused_stays_as_it_was(tmp_path: Path, listed: Path, why: str):
    """An administrator who names ``/etc`` or ``/run`` would close it to all users of the machine."""
    standing = tmp_path / "standing"
    standing.mkdir(mode=0o755)
    (standing / "hosts").touch()
    named = standing
    if why == "is on a disk":
        listed.write_text("/dev/sda / ext4 rw 0 0\n")
    elif why == "is another user's":
        named = tmp_path / "link"
        named.symlink_to(standing)
    before = standing.stat()
    with pytest.raises(SettingsError, match=why):
        make_folder(named, owner=(before.st_uid, before.st_gid))
    after = standing.stat()
    assert (after.st_mode, after.st_uid, after.st_ctime_ns) == (before.st_mode, before.st_uid, before.st_ctime_ns)


def test_no_folder_is_made_on_a_disk(tmp_path: Path, listed: Path):
    listed.write_text("/dev/sda / ext4 rw 0 0\n")
    with pytest.raises(SettingsError, match="is on a disk"):
        make_folder(tmp_path / "parent" / "new")
    assert not (tmp_path / "parent").exists()


@pytest.mark.usefixtures("listed")
def test_an_empty_folder_is_closed_to_others_and_taken_again(tmp_path: Path):
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o755)
    make_folder(kept)
    assert kept.stat().st_mode & 0o777 == 0o700
    (kept / "nginx.conf").touch()
    make_folder(kept)


@pytest.mark.parametrize("listen", ["8080", "127.0.0.1:", "127.0.0.1:99999", ":80"])
def test_an_address_that_is_none_is_refused(listen: str):
    with pytest.raises(SettingsError, match="--listen"):
        parse_front(listen, None, None)


def test_the_units_name_the_file():
    text = render_unit(Kind.NGINX, output=Path("/etc/latchpin/nginx.conf"), listen="0.0.0.0:443")
    assert "--output /etc/latchpin/nginx.conf --listen 0.0.0.0:443" in text
    assert "nginx -c /etc/latchpin/nginx.conf" in text


@pytest.mark.parametrize(
    ("version", "sees_all"), [("1.18.0", False), ("1.22.1", False), ("1.23.0", True), ("1.31.3", True), ("2.0.1", True)]
)
def test_an_nginx_that_sees_one_of_two_headers_names_nobody(version: str, sees_all: bool):
    """Before 1.23 it sees the first: a caller's own, where a trusted proxy adds its header behind it."""
    pattern, variable = re.findall(r'"~(.*)" (\$http_x_user_of_the_proxy);', render_nginx(PLAN))[0]
    assert variable == "$http_x_user_of_the_proxy"
    assert bool(re.search(pattern, f"1 {version}")) == sees_all
    assert not re.search(pattern, f"0 {version}")


@pytest.mark.parametrize(("written", "told"), [("4711\n", [4711]), ("1", []), ("0", []), ("-1", []), ("x", [])])
def test_one_nginx_is_told_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: str, told: list[int]
):
    seen: list[int] = []
    monkeypatch.setattr(running.os, "kill", lambda number, _signal: seen.append(number))
    (tmp_path / "nginx.pid").write_text(written)
    assert reload_nginx(tmp_path / "nginx.pid") == bool(told)
    assert seen == told
