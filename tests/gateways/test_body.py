"""What may stand in a gateway's body, and how the rest is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from latchpin.errors import InvalidRequest
from latchpin.gateways.registry import parse_gateway_body

URL = "https://mcp.example.com/mcp"


def oauth(**config):
    return {"url": URL, "oauth_config": config}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": URL},
        {"url": "http://127.0.0.1:8000/mcp?tenant=1"},
        {"url": "https://[::1]:8443/"},
        {"url": f" {URL} "},
        {"name": None, "url": None, "auth_type": None, "allowed_users": None, "oauth_config": None},
        {"id": "x", "created_at": "2030", "updated_at": "2030", "revision": 3, "pinned_issuer": None},
        oauth(),
        oauth(scopes="a b", extra_authorize_params={"access_type": "offline"}, scope_separator=","),
        oauth(resource="api://1234/scope", audience="https://api.example", client_secret="-----BEGIN\nKEY"),
        oauth(issuer="https://as.example/tenant", token_url="https://as.example/token?x=1", omit_resource=True),
    ],
)
def test_what_holds(body):
    parsed = parse_gateway_body(body)
    assert parsed.model_fields_set == set(body)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "the body must be a JSON object"),
        (None, "the body must be a JSON object"),
        ("{}", "the body must be a JSON object"),
        ({"ulr": URL}, "ulr is not a key; did you mean url?"),
        ({"client_id": "c"}, "client_id is not a key here; it belongs into oauth_config"),
        (oauth(allowed_users=[]), "oauth_config.allowed_users is not a key here; it belongs beside oauth_config"),
        (oauth(scops=["a"]), "oauth_config.scops is not a key; did you mean scopes?"),
        ({"zzz": 1}, "zzz is not a key; known are name, url, auth_type,"),
        ({"a\nb\x1b": 1}, r"'a\nb\x1b' is not a key"),
        ({"x" * 500: 1}, "x" * 80 + " is not a key"),
        ({"url": 5}, "url holds 5: Input should be a valid string"),
        ({"url": ""}, "url holds '': String should have at least 1 character"),
        ({"url": "mcp.example.com"}, "url holds 'mcp.example.com': must be an absolute http or https URL"),
        ({"url": "javascript:alert(1)"}, "must be an absolute http or https URL"),
        ({"url": "file:///etc/passwd"}, "must be an absolute http or https URL"),
        ({"url": "https:///mcp"}, "must be an absolute http or https URL"),
        ({"url": "https://ann:pass@x.example/"}, "url holds 'https://ann:***@x.example/': must not contain a user"),
        ({"url": "https://x.example/#"}, "must not contain a fragment"),
        ({"url": "https://x.example/a b"}, "without blanks"),
        ({"url": "https://x.example\\@y.example/"}, "without blanks or control"),
        ({"url": "https://ü.example/"}, "must be a URL in ASCII"),
        ({"url": "https://x.example/\n"}, None),
        ({"url": "https://x.example:99999/"}, "valid host and port"),
        ({"url": "https://x.example:0/"}, "must be an absolute"),
        ({"url": "https://[::1/"}, "valid host and port"),
        ({"url": "https://x.example/" + "a" * 3000}, "at most 2048 characters"),
        ({"name": "  "}, "name holds '  ': must have a visible character"),
        ({"name": "a\x00b"}, "no control characters"),
        ({"name": "n" * 201}, "at most 200"),
        ({"auth_type": "API key"}, "auth_type holds 'API key': String should match pattern"),
        ({"allowed_users": ["ann"]}, "allowed_users.0 holds 'ann': must be an address"),
        ({"allowed_users": ["*"]}, "must be an address"),
        ({"allowed_users": ["a*b@x", "*@"]}, "allowed_users.1 holds '*@'"),
        ({"allowed_users": ["jose\N{COMBINING ACUTE ACCENT}@x"]}, "writes a letter and its accent"),
        ({"allowed_users": ["*@jose\N{COMBINING ACUTE ACCENT}.example"]}, "writes a letter and its accent"),
        ({"allowed_users": ["ann\u200b@x"]}, "a space or a control character"),
        ({"allowed_users": [f"u{n}@x" for n in range(1001)]}, "at most 1000 items"),
        ({"allowed_users": 5}, "allowed_users holds 5"),
        ({"oauth_config": []}, "oauth_config holds []: must be a JSON object"),
        ({"revision": 0}, "revision holds 0"),
        ({"revision": "1"}, "revision holds '1'"),
        (oauth(client_id=""), "oauth_config.client_id holds ''"),
        (oauth(client_id="a\nb"), "oauth_config.client_id holds"),
        (oauth(client_secret=7), "oauth_config.client_secret holds **********"),
        (oauth(client_secret=""), "oauth_config.client_secret holds **********"),
        (oauth(client_secret="hush" * 5000), "oauth_config.client_secret holds **********"),
        (oauth(issuer="https://as.example?x"), "must not contain a query"),
        (oauth(scopes=["a b"]), "oauth_config.scopes.0 holds 'a b': must be a scope"),
        (oauth(scopes='a "b"'), "oauth_config.scopes.1"),
        (oauth(scopes=[f"s{n}" for n in range(201)]), "at most 200"),
        (oauth(resource="https://x/#f"), "must be an absolute URI without fragment"),
        (oauth(resource="no-scheme"), "must be an absolute URI"),
        (oauth(omit_resource="yes"), "oauth_config.omit_resource holds 'yes'"),
        (oauth(scope_separator="x"), "oauth_config.scope_separator"),
        (oauth(extra_authorize_params={"a": 1}), "oauth_config.extra_authorize_params.a holds 1"),
        (oauth(extra_authorize_params={"state": "x", "scope": "y"}), "must not contain scope, state: the gateway"),
        (oauth(extra_authorize_params={f"p{n}": "" for n in range(51)}), "at most 50"),
        (oauth(redirect_uri="/oauth/callback"), "must be an absolute"),
    ],
)
def test_what_does_not_hold_is_named(body, said):
    if said is None:
        assert parse_gateway_body(body).url == "https://x.example/"
        return
    with pytest.raises(InvalidRequest) as caught:
        parse_gateway_body(body)
    assert said in caught.value.detail
    assert caught.value.detail.isprintable()
    assert "hush" not in caught.value.detail


RESERVED = [
    "response_type",
    "client_id",
    "redirect_uri",
    "state",
    "code_challenge",
    "code_challenge_method",
    "scope",
    "resource",
    "audience",
    "request",
    "request_uri",
]


@pytest.mark.parametrize("name", RESERVED)
def test_extra_parameters_cannot_override_ours(name):
    with pytest.raises(InvalidRequest, match=f"must not contain {name}"):
        parse_gateway_body(oauth(extra_authorize_params={name: "x"}))


def test_every_fault_is_named_at_once_and_not_without_end():
    with pytest.raises(InvalidRequest, match=r"url holds.*auth_type holds"):
        parse_gateway_body({"url": "x", "auth_type": "y!"})
    with pytest.raises(InvalidRequest) as caught:
        parse_gateway_body({f"k{n}": n for n in range(1000)})
    assert len(caught.value.detail) < 4000


def test_a_secret_is_not_in_the_body_as_text():
    parsed = parse_gateway_body(oauth(client_secret="hush-hush"))
    assert "hush" not in repr(parsed) + str(parsed) + parsed.model_dump_json()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["url", "name", "auth_type", "allowed_users", "oauth_config", "revision", "pinned_issuer"])
INNER = st.sampled_from(["client_id", "client_secret", "scopes", "resource", "extra_authorize_params", "issuer"])


@given(st.dictionaries(KEYS, JSON | st.dictionaries(INNER, JSON)))
def test_no_body_makes_it_fail_otherwise(body):
    try:
        parse_gateway_body(body)
    except InvalidRequest as exc:
        assert exc.detail.isprintable()  # noqa: PT017  either outcome is right
