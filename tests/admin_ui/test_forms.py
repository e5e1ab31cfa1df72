"""What is entered about a gateway: there and back without loss, and never a secret on the way back."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from latchpin.errors import InvalidRequest
from latchpin.gateways.body import OAuthConfigBody, parse_gateway_body
from latchpin.model import ApiKeyConfig, OAuthConfig
from latchpin.model.gateway import OAUTH_SECRETS
from latchpin_admin_ui.forms import SECRETS, has_advanced, parse_form, show_gateway, show_submitted
from latchpin_testing import MovedClock, samples

NOW = MovedClock()()
EVERYTHING = OAuthConfig(
    grant_type="client_credentials",
    client_id="one",
    client_secret="sealed-and-not-to-be-shown",
    issuer="https://as.example.com",
    authorization_url="https://as.example.com/a",
    token_url="https://as.example.com/t",
    redirect_uri="https://gateway.example.com/oauth/callback",
    scopes=("a", "b"),
    resource="https://mcp.example.com",
    omit_resource=True,
    audience="them",
    token_endpoint_auth_method="private_key_jwt",
    extra_authorize_params={"access_type": "offline", "x": "a=b"},
    scope_separator=",",
    assume_pkce=True,
    dpop=True,
    provider="none",
    assertion="sealed-and-not-to-be-shown",
    assertion_file="token",
    identity_provider="https://idp.example.com",
    identity_provider_token_url="https://idp.example.com/t",
    identity_provider_client_id="two",
    identity_provider_client_secret="sealed-and-not-to-be-shown",
)


def gateway_with(oauth):
    return samples.gateway(NOW, auth_type="oauth", oauth=oauth)


def test_every_key_of_the_entry_has_a_field():
    document = parse_form(show_gateway(gateway_with(EVERYTHING)))
    written = {name for name, field in OAuthConfigBody.model_fields.items() if field.description != "Only read."}
    assert written - set(document["oauth_config"]) == {secret.key for secret in SECRETS} == set(OAUTH_SECRETS)


@pytest.mark.parametrize("config", [EVERYTHING, OAuthConfig()])
def test_there_and_back(config):
    gateway = gateway_with(config)
    body = parse_gateway_body(parse_form(show_gateway(gateway)))
    assert body.oauth_config is not None
    for name, value in body.oauth_config.given().items():
        meant = getattr(OAuthConfig(), name) if value is None else value
        assert (tuple(meant) if isinstance(meant, list) else meant) == getattr(config, name), name
    assert (body.name, body.url, body.revision) == (gateway.name, gateway.url, gateway.revision)
    assert "pinned_issuer" not in body.model_fields_set


def test_a_secret_goes_in_and_never_comes_out():
    gateway = gateway_with(EVERYTHING)
    shown = show_gateway(gateway)
    assert not set(shown) & set(OAUTH_SECRETS)
    assert "sealed-and-not-to-be-shown" not in str(shown)
    for key in OAUTH_SECRETS:
        submitted = {**shown, key: "new one"}
        assert "new one" not in str(show_submitted(submitted, gateway))
        assert parse_form(submitted)["oauth_config"][key] == "new one"


@pytest.mark.parametrize("key", OAUTH_SECRETS)
def test_an_empty_secret_keeps_and_the_box_clears(key):
    shown = show_gateway(gateway_with(EVERYTHING))
    assert key not in parse_form({**shown, key: ""})["oauth_config"]
    for entered in ("", "new one"):
        cleared = parse_form({**shown, key: entered, f"clear_{key}": "on"})
        assert cleared["oauth_config"][key] is None


def test_without_oauth_its_fields_count_for_nothing():
    shown = show_gateway(gateway_with(EVERYTHING))
    assert "oauth_config" not in parse_form({**shown, "auth_type": "none"})


@pytest.mark.parametrize(
    "place", [("Authorization", "Bearer "), ("Authorization", ""), ("X-API-Key", ""), ("X-Key", "Key ")]
)
def test_where_a_key_goes_there_and_back(place):
    gateway = samples.gateway(NOW, auth_type="api_key", oauth=None, api_key=ApiKeyConfig(*place))
    document = parse_form(show_gateway(gateway))
    assert "oauth_config" not in document
    assert document["api_key"] == {"header": place[0], "prefix": place[1]}
    assert "api_key" not in parse_form({**show_gateway(gateway), "auth_type": "oauth"})
    assert parse_form({"auth_type": "api_key", "api_key_header": ""})["api_key"] == {"header": None, "prefix": None}


def test_the_pin_is_forgotten_on_request_only():
    shown = show_gateway(gateway_with(EVERYTHING))
    assert "pinned_issuer" not in parse_form(shown)
    assert parse_form({**shown, "forget_issuer": "on"})["pinned_issuer"] is None


@pytest.mark.parametrize("line", ["offline", "=offline", " = x"])
def test_a_parameter_is_a_name_and_a_value(line):
    shown = show_gateway(gateway_with(EVERYTHING))
    with pytest.raises(InvalidRequest, match="name=value"):
        parse_form({**shown, "extra_authorize_params": f"a=b\n{line}"})


@pytest.mark.parametrize("revision", ["²", "9" * 5000, "-1", "x"])
def test_a_revision_that_is_no_number_counts_as_none(revision):
    assert "revision" not in parse_form({**show_gateway(gateway_with(EVERYTHING)), "revision": revision})


@given(st.dictionaries(st.sampled_from(sorted(show_gateway(gateway_with(EVERYTHING)))), st.text(max_size=40)))
def test_whatever_is_entered_is_told_or_understood(form):
    with contextlib.suppress(InvalidRequest):
        parse_gateway_body(parse_form(form))


@pytest.mark.parametrize(
    ("config", "are_set", "unfolded"),
    [
        ({}, set(), False),
        ({"issuer": "https://as.example.com", "client_id": "x", "scopes": ("a",)}, {"client_secret"}, False),
        ({"redirect_uri": "https://gateway.example.com/oauth/callback"}, set(), True),
        ({"dpop": False}, set(), True),
        ({"provider": "entra"}, set(), True),
        ({}, {"assertion"}, True),
    ],
)
def test_the_form_is_unfolded_where_something_is_entered_in_its_folded_part(config, are_set, unfolded):
    row = samples.gateway(NOW, oauth=OAuthConfig(**config))
    assert has_advanced(show_gateway(row), are_set) is unfolded


async def test_the_form_is_folded_until_something_is_entered(admin, gateway):
    gateway_id = await gateway.add("https://mcp.example.com/mcp", name="Plain")
    await admin.open(f"/admin/gateways/{gateway_id}/edit")
    assert '<details class="card advanced">' in admin.page
    answer = await admin.send(
        f"/admin/gateways/{gateway_id}/edit",
        name="Plain",
        url="https://mcp.example.com/mcp",
        grant_type="",
        token_url="x y",
    )
    assert answer.status_code == 400
    assert '<details class="card advanced" open>' in admin.page
