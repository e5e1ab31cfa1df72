"""The table itself: which server an entry holds for, what comes before what, and what a wrong file is told."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from latchpin.assembly.assembling import assemble
from latchpin.errors import SettingsError
from latchpin.model import OAuthConfig, ServerMetadata
from latchpin.model.server_profile import ServerProfile
from latchpin.oauth.server_profiles import ProviderTable, apply_provider
from latchpin.plugins.host import Plugins
from latchpin.settings.core import CoreSettings
from latchpin_profiles.plugin import latchpin_server_profiles
from latchpin_profiles.profile_file import parse_profiles, read_profiles

from tests.core.test_plugin_faults import install
from tests.servers import run_latchpin

__all__ = ["install"]

ROOT = Path(__file__).parents[2]
BUILT_IN = latchpin_server_profiles()


def at(url: str | None, *, endpoint: str = "https://elsewhere.example/authorize") -> ServerMetadata:
    return ServerMetadata(issuer=url, authorization_endpoint=endpoint, token_endpoint="https://elsewhere.example/token")


@pytest.mark.parametrize(
    ("issuer", "name"),
    [
        ("https://login.microsoftonline.com/11111111-2222/v2.0", "entra"),
        ("https://login.microsoftonline.com/11111111-2222/v2.0/", "entra"),
        ("https://login.microsoftonline.com/11111111-2222", None),  # version 1.0, which wants a resource
        ("https://accounts.google.com", "google"),
        ("https://accounts.google.com.evil.example", None),
        ("https://evil.example/accounts.google.com", None),
        ("https://github.com/login/oauth", "github"),
        ("https://acme.ghe.com/login/oauth", "github"),
        ("https://ghe.com", None),
        ("https://auth.atlassian.com", "atlassian"),
        ("https://mcp.atlassian.com", None),
        ("https://tenant.eu.auth0.com/", "auth0"),
        ("https://acme.my.salesforce.com", "salesforce"),
        ("https://slack.com", None),
        ("https://mcp.linear.app", None),
        ("https://mcp.hubspot.com", "hubspot"),
        ("https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12", "cognito"),
        ("https://cognito-idp.s3.amazonaws.com/eu-west-1_Ab12", None),  # anybody's bucket
        ("not a url", None),
    ],
)
def test_an_issuer_is_known_by_host_and_path(issuer: str, name: str | None):
    found = ProviderTable(BUILT_IN).find(OAuthConfig(), at(issuer))
    assert (found and found.name) == name


def test_without_an_issuer_the_authorization_endpoint_says_it():
    def name_of(endpoint: str, **config: str) -> str | None:
        found = ProviderTable(BUILT_IN).find(OAuthConfig(**config), at(None, endpoint=endpoint))
        return found.name if found else None

    assert name_of("https://slack.com/oauth/v2/authorize") == "slack"
    assert name_of("https://slack.com/oauth/v2_user/authorize") is None
    assert name_of("https://login.microsoftonline.com/t/oauth2/v2.0/authorize") == "entra"
    assert name_of("https://login.microsoftonline.com/t/oauth2/authorize") is None
    assert name_of("https://app.hubspot.com/oauth/authorize") == "hubspot"
    assert name_of("https://github.example/login/oauth/authorize", provider="github") == "github"
    assert name_of("https://github.com/login/oauth/authorize", provider="none") is None


def test_an_endpoint_of_a_known_provider_does_not_make_another_issuer_that_provider():
    server = at("https://evil.example", endpoint="https://accounts.google.com/o/oauth2/v2/auth")
    assert ProviderTable(BUILT_IN).find(OAuthConfig(), server) is None


@pytest.mark.parametrize(
    ("issuer", "name"),
    [
        ("https://as.example", "first"),
        ("https://as.example/t/1", "path"),
        ("https://a.b.wide.example", "domain"),
        ("https://wide.example", None),
        ("https://as-7.example", "anywhere"),
        ("https://both.wide.example", "both"),
    ],
)
def test_of_those_that_hold_the_first_counts_however_it_names_its_servers(issuer: str, name: str | None):
    patterns = {
        "both": "both.wide.example",
        "path": "as.example/t/*",
        "first": "as.example",
        "second": "as.example",
        "domain": "*.wide.example",
        "late": "b?th.wide.example",
        "anywhere": "as-[0-9].*",
    }
    table = ProviderTable([ServerProfile(name, name, (pattern,)) for name, pattern in patterns.items()])
    found = table.find(OAuthConfig(), at(issuer))
    assert (found and found.name) == name


EVERYTHING = ServerProfile(
    "all",
    "All",
    ("as.example",),
    omit_resource=True,
    assume_pkce=True,
    scope_separator=",",
    audience="theirs",
    extra_authorize_params={"prompt": "consent", "access_type": "offline"},
    token_endpoint_auth_method="client_secret_post",
)
OWN = OAuthConfig(
    omit_resource=False,
    assume_pkce=False,
    scope_separator=" ",
    audience="ours",
    extra_authorize_params={"prompt": "login"},
    token_endpoint_auth_method="none",
)


def test_what_the_entry_says_comes_first_and_what_it_leaves_open_is_filled():
    filled = apply_provider(OAuthConfig(), EVERYTHING, resource=None)
    for name in ("omit_resource", "assume_pkce", "scope_separator", "audience", "token_endpoint_auth_method"):
        assert getattr(filled, name) == getattr(EVERYTHING, name)
    assert filled.extra_authorize_params == EVERYTHING.extra_authorize_params
    own = apply_provider(OWN, EVERYTHING, resource=None)
    assert own == replace(OWN, extra_authorize_params={"prompt": "login", "access_type": "offline"})


def test_an_audience_may_be_the_resource():
    provider = replace(EVERYTHING, audience=None, audience_is_resource=True)
    assert apply_provider(OAuthConfig(), provider, resource="https://mcp.example").audience == "https://mcp.example"
    assert apply_provider(OWN, provider, resource="https://mcp.example").audience == "ours"


def test_every_built_in_entry_says_where_it_is_documented():
    assert all(each.documentation.startswith("https://") for each in BUILT_IN)


def test_the_documentation_names_every_entry_and_every_key():
    page = (ROOT / "docs" / "server-profiles.md").read_text()
    assert [each.name for each in BUILT_IN if f"| `{each.name}` |" not in page] == []
    keys = {each.name for each in fields(ServerProfile)} | {"like"}
    assert [key for key in keys if f"`{key}`" not in page] == []


# -- the deployer's file --------------------------------------------------------------------------------


ACME = """
import latchpin

@latchpin.hookimpl
def latchpin_server_profiles():
    return [latchpin.ServerProfile("all", "All", ("as.example",))]
"""


async def test_the_deployers_entries_come_first_then_the_plugins_then_the_tables(
    tmp_path: Path, install: Any, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "mine.toml"
    path.write_text(
        '[[provider]]\nname = "google"\nservers = ["accounts.google.com"]\n'
        '[[provider]]\nname = "works"\nlike = "github"\nservers = ["github.example"]\n'
    )
    plugins = install(ACME)
    async with assemble(plugins, CoreSettings(cache_type="memory", record_store="memory")) as services:
        assert [each.name for each in services.providers[:2]] == ["all", "entra"]
    monkeypatch.setenv("SERVER_PROFILES_FILE", str(path))
    async with assemble(Plugins(), CoreSettings(cache_type="memory", record_store="memory")) as services:
        table = services.providers
    assert [each.name for each in table[:4]] == ["google", "works", "all", "entra"]
    assert [each.name for each in table].count("google") == 1
    assert table[0].extra_authorize_params == {}
    assert table[1].token_lifetime is not None
    changed = {each.name for each in fields(ServerProfile)} - {"name", "label", "servers", "rank"}
    github = next(each for each in BUILT_IN if each.name == "github")
    assert all(getattr(table[1], name) == getattr(github, name) for name in changed)


GOOD = '[[provider]]\nname = "a"\nservers = ["a.example"]\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[provider", "is not TOML:"),
        ("other = 1", "other: Extra inputs are not permitted"),
        ("provider = 1", "provider: Input should be a valid list"),
        ('[[provider]]\nname = "a"', "entry 1 ('a'), servers: Field required"),
        (GOOD + '[[provider]]\nname = "b"\nservers = []', "entry 2 ('b'), servers: List should have at least 1 item"),
        ('[[provider]]\nname = "B c"\nservers = ["b"]', "entry 1 ('B c'), name: String should match"),
        ('[[provider]]\nname = "none"\nservers = ["b"]', "entry 1 ('none'), name: must not be 'none'"),
        ('[[provider]]\nname = "b"\nservers = ["https://b"]', "entry 1 ('b'), servers: String should match"),
        ('[[provider]]\nname = "b"\nservers = ["*.a..b/x"]', "entry 1 ('b'), servers: must have a host of labels"),
        ('[[provider]]\nname = "b"\nservers = ["xn--a"]', "entry 1 ('b'), servers: must have a host whose labels with"),
        (GOOD + "omit_resource = 1", "entry 1 ('a'), omit_resource: Input should be a valid boolean"),
        (GOOD + "omit_recource = true", "entry 1 ('a'), omit_recource: Extra inputs are not permitted"),
        (GOOD + 'scope_separator = "x"', "entry 1 ('a'), scope_separator: Input should be"),
        (GOOD + 'scope_parameter = "state"', "entry 1 ('a'), scope_parameter: String should match"),
        (GOOD + 'add_scopes = ["a b"]', "entry 1 ('a'), add_scopes: must be a scope"),
        (
            GOOD + 'extra_authorize_params = {state = "x"}',
            "entry 1 ('a'), extra_authorize_params: must not contain state",
        ),
        (GOOD + "token_lifetime = 0", "entry 1 ('a'), token_lifetime:"),
        (GOOD + 'like = "nobody"', "entry 'a', like: there is no 'nobody'; there are:"),
        (GOOD + GOOD, "has two entries with the name 'a'"),
    ],
)
def test_a_wrong_file_is_told_where_it_is_wrong(text: str, said: str, tmp_path: Path):
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_profiles(str(path), known=())
    assert said in caught.value.public
    assert caught.value.public.startswith(f"SERVER_PROFILES_FILE {path}")


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"SERVER_PROFILES_FILE \S+ cannot be read: No such file") as caught:
        read_profiles(str(tmp_path / "no.toml"), known=())
    assert caught.value.remedy.startswith("Name a TOML file")


@pytest.mark.slow
def test_a_wrong_file_stops_the_start(tmp_path: Path):
    (tmp_path / "wrong.toml").write_text(GOOD + "omit_resource = 1")
    env = {"CACHE_TYPE": "memory", "RECORD_STORE": "memory", "SERVER_PROFILES_FILE": str(tmp_path / "wrong.toml")}
    done = run_latchpin("serve", env=env, cwd=tmp_path)
    assert done.returncode == 1
    assert "wrong.toml: entry 1 ('a'), omit_resource: Input should be a valid boolean" in done.stderr


def test_a_lifetime_is_in_seconds():
    [entry] = parse_profiles(GOOD + "token_lifetime = 7200", place="here", rank=7)
    assert entry.rank == 7
    assert entry.token_lifetime is not None
    assert entry.token_lifetime.total_seconds() == 7200
