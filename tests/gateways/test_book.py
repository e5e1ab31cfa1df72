"""Creating, changing, removing gateways, and who may see them."""

import json

import pytest
from latchpin.errors import BackendUnavailable, Conflict, Forbidden, InvalidRequest, NotFound, RecordConflict
from latchpin.gateways.registry import describe_gateway, parse_gateway_body
from latchpin.model import Caller

from tests.gateways.conftest import ADMIN, ANN, BOB

BASE = "https://gw.example/prefix/oauth/callback"
ENTRY = {"client_id": "cid", "client_secret": "hush-hush"}


# -- creating -----------------------------------------------------------------------------------------


async def test_a_url_alone_is_enough(gateways):
    gateway = await gateways.create()
    assert await gateways.registry.get(gateway.id, ANN) == gateway
    shown = describe_gateway(gateway)
    assert len(gateway.id) == 32
    assert shown["name"] == "mcp.example.com/mcp"
    assert (shown["auth_type"], shown["revision"], shown["allowed_users"]) == ("oauth", 1, [])
    assert shown["oauth_config"] == {
        "grant_type": "authorization_code",
        "client_id": None,
        "client_secret_set": False,
        "issuer": None,
        "authorization_url": None,
        "token_url": None,
        "redirect_uri": None,
        "scopes": [],
        "resource": None,
        "omit_resource": None,
        "audience": None,
        "token_endpoint_auth_method": None,
        "extra_authorize_params": {},
        "scope_separator": None,
        "assume_pkce": None,
        "provider": None,
        "dpop": None,
        "assertion_set": False,
        "assertion_file": None,
        "identity_provider": None,
        "identity_provider_token_url": None,
        "identity_provider_client_id": None,
        "identity_provider_client_secret_set": False,
    }


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://x.example", "x.example"),
        ("https://x.example:8443/a/?q=secret", "x.example:8443/a"),
        ("http://[::1]:80/mcp", "[::1]:80/mcp"),
        ("https://x.example/" + "a" * 500, "x.example/" + "a" * 190),
    ],
)
async def test_the_name_is_made_of_the_url(gateways, url, name):
    assert (await gateways.create(url=url)).name == name
    assert (await gateways.create(url=url, name=None)).name == name
    assert (await gateways.create(url=url, name=" Mine ")).name == "Mine"


async def test_secrets_go_in_and_never_come_out(gateways):
    gateway = await gateways.create(oauth_config=ENTRY)
    assert gateways.secret_of(gateway) == "hush-hush"
    shown = json.dumps(describe_gateway(gateway)) + repr(gateway)
    assert "hush" not in shown
    assert describe_gateway(gateway)["oauth_config"]["client_secret_set"] is True


async def test_what_is_read_can_be_written_back(gateways):
    gateway = await gateways.create(name="A", allowed_users="Ann@Example.com", oauth_config={**ENTRY, "scopes": "a b"})
    again = await gateways.change(gateway, **json.loads(json.dumps(describe_gateway(gateway))))
    assert gateways.secret_of(again) == "hush-hush"
    assert describe_gateway(again) | {"revision": 1} == describe_gateway(gateway)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"url": None}, "url is missing"),
        ({"auth_type": "none", "oauth_config": {"client_id": "c"}}, "auth_type is none"),
        ({"oauth_config": {"client_secret": "s"}}, "without a client_id"),
        ({"oauth_config": {"token_endpoint_auth_method": "tls_client_auth"}}, "must be one of client_secret_basic"),
        ({"oauth_config": {"redirect_uri": "https://evil.example/oauth/callback"}}, f"must be {BASE} or"),
        ({"oauth_config": {"redirect_uri": BASE + "/" + "0" * 32}}, f"must be {BASE} or"),
        ({"oauth_config": {"redirect_uri": BASE + "?x=1"}}, f"must be {BASE} or"),
        ({"id": "0" * 32}, "id differs"),
    ],
)
async def test_contradictions_are_refused(gateways, body, said):
    with pytest.raises(InvalidRequest) as caught:
        await gateways.create(**body)
    assert said in caught.value.detail
    assert await gateways.registry.list(ADMIN) == []


async def test_redirect_uris_are_ours_or_this_gateways_own(gateways):
    shared = await gateways.create(oauth_config={"redirect_uri": BASE})
    assert shared.oauth.redirect_uri == BASE
    own = await gateways.create(oauth_config={"redirect_uri": BASE + "/{gateway_id}"})
    assert own.oauth.redirect_uri == f"{BASE}/{own.id}"
    again = await gateways.change(own, oauth_config={"redirect_uri": f"{BASE}/{own.id}"})
    assert again.oauth.redirect_uri == f"{BASE}/{own.id}"


# -- changing -----------------------------------------------------------------------------------------


async def test_what_is_absent_stays_and_null_clears(gateways):
    gateway = await gateways.create(
        name="A", allowed_users=["ann@example.com"], oauth_config={**ENTRY, "scopes": ["a"], "assume_pkce": True}
    )
    renamed = await gateways.change(gateway, name="B")
    assert (renamed.name, renamed.revision, renamed.created_at) == ("B", 2, gateway.created_at)
    assert renamed.oauth == gateway.oauth
    scoped = await gateways.change(gateway, oauth_config={"scopes": None, "audience": "x"})
    assert (scoped.oauth.scopes, scoped.oauth.audience, scoped.oauth.assume_pkce) == ((), "x", True)
    assert gateways.secret_of(scoped) == "hush-hush"
    cleared = await gateways.change(gateway, name=None, allowed_users=None, oauth_config={"client_secret": None})
    assert (cleared.name, cleared.allowed_users) == ("mcp.example.com/mcp", ())
    assert (cleared.oauth.client_id, gateways.secret_of(cleared)) == ("cid", None)
    emptied = await gateways.change(gateway, oauth_config=None)
    assert (emptied.oauth.client_id, emptied.oauth.audience) == (None, None)


ELSEWHERE = [
    {"url": "https://other.example/mcp"},
    {"oauth_config": {"issuer": "https://other.example"}},
    {"oauth_config": {"token_url": "https://other.example/token"}},
    {"oauth_config": {"resource": "https://other.example/mcp"}},
    {"pinned_issuer": "https://other.example"},
    {"pinned_issuer": None},
]


async def connected(gateways):
    """A gateway with a secret and two users' tokens, beside another."""
    entry = {**ENTRY, "issuer": "https://as.example", "resource": "https://mcp.example.com/mcp"}
    gateway = await gateways.registry.pin_issuer(await gateways.create(oauth_config=entry), "https://as.example")
    for one in (gateway, await gateways.create()):
        await gateways.connect(one)
        await gateways.connect(one, BOB)
    return gateway


@pytest.mark.parametrize("change", [*ELSEWHERE, {"oauth_config": None}])
async def test_leading_elsewhere_drops_secret_and_tokens(gateways, change):
    gateway = await connected(gateways)
    moved = await gateways.change(gateway, **change)
    assert gateways.secret_of(moved) is None
    left = await gateways.records.tokens.list()
    assert len(left) == 2
    assert gateway.id not in {token.gateway_id for token in left}


@pytest.mark.parametrize("change", ELSEWHERE)
async def test_a_new_secret_may_come_along(gateways, change):
    gateway = await connected(gateways)
    config = change.get("oauth_config", {}) | {"client_secret": "new-one"}
    moved = await gateways.change(gateway, **(change | {"oauth_config": config}))
    assert gateways.secret_of(moved) == "new-one"
    assert await gateways.records.tokens.list(gateway_id=gateway.id) == []


@pytest.mark.parametrize(
    "change",
    [
        {"name": "B"},
        {"allowed_users": ["bob@elsewhere.example"]},
        {"url": "https://mcp.example.com/mcp"},
        {"auth_type": None},
        {"oauth_config": {"scopes": ["b"], "issuer": "https://as.example"}},
        {"oauth_config": {"client_secret": "new-one"}},
        {"pinned_issuer": "https://as.example"},
    ],
)
async def test_other_changes_keep_the_tokens(gateways, change):
    gateway = await gateways.create(oauth_config={**ENTRY, "issuer": "https://as.example"})
    gateway = await gateways.registry.pin_issuer(gateway, "https://as.example")
    await gateways.connect(gateway)
    changed = await gateways.change(gateway, **change)
    assert len(await gateways.records.tokens.list(gateway_id=gateway.id)) == 1
    assert gateways.secret_of(changed) in {"hush-hush", "new-one"}
    assert changed.pinned_issuer == "https://as.example"


async def test_a_new_url_forgets_the_pinned_issuer_even_if_it_is_sent_along(gateways):
    gateway = await gateways.registry.pin_issuer(await gateways.create(), "https://as.example")
    shown = describe_gateway(gateway) | {"url": "https://other.example/mcp"}
    moved = await gateways.change(gateway, **shown)
    assert moved.pinned_issuer is None
    assert moved.name == "other.example/mcp"  # a name made from the URL follows it
    named = await gateways.change(moved, name="Mine")
    assert (await gateways.change(named, url="https://third.example")).name == "Mine"


async def test_switching_oauth_off_and_on_leaves_nothing_behind(gateways):
    gateway = await gateways.create(oauth_config=ENTRY)
    await gateways.connect(gateway)
    off = await gateways.change(gateway, auth_type="none")
    assert (off.oauth, off.auth_type, describe_gateway(off)["oauth_config"]) == (None, "none", None)
    assert await gateways.records.tokens.list() == []
    still = await gateways.change(off, name="B", oauth_config=None)
    assert still.oauth is None
    on = await gateways.change(off, auth_type="oauth")
    assert (on.oauth.client_id, on.oauth.client_secret) == (None, None)


async def test_a_cleared_client_id_takes_its_secret_along(gateways):
    gateway = await gateways.create(oauth_config=ENTRY)
    assert (await gateways.change(gateway, oauth_config={"client_id": None})).oauth.client_secret is None


async def test_a_redirect_uri_from_before_base_url_changed_does_not_stand_in_the_way(gateways):
    from dataclasses import replace

    gateway = await gateways.create(oauth_config={"redirect_uri": BASE})
    old = replace(gateway, revision=2, oauth=replace(gateway.oauth, redirect_uri="https://old.example/oauth/callback"))
    await gateways.records.gateways.replace(old)
    assert (await gateways.change(gateway, oauth_config={"scopes": "a"})).oauth.scopes == ("a",)


async def test_a_body_with_a_revision_holds_only_for_it(gateways):
    gateway = await gateways.create()
    await gateways.change(gateway, name="B", revision=1)
    with pytest.raises(Conflict, match="revision is 2 now, not 1"):
        await gateways.change(gateway, name="C", revision=1)


async def test_two_changes_at_once_both_hold(gateways):
    gateway = await gateways.create()
    replace, raced = gateways.records.gateways.replace, []

    async def overtaken(changed):
        if not raced:
            raced.append(changed)
            await gateways.change(gateway, allowed_users=["ann@example.com"])
        await replace(changed)

    gateways.records.gateways.replace = overtaken
    await gateways.change(gateway, name="B")
    stored = await gateways.registry.get_any(gateway.id)
    assert (stored.name, stored.allowed_users, stored.revision) == ("B", ("ann@example.com",), 3)


async def test_a_change_that_never_wins_says_so(gateways):
    gateway = await gateways.create()

    async def always_too_late(changed):
        raise RecordConflict

    gateways.records.gateways.replace = always_too_late
    with pytest.raises(Conflict, match="keeps being changed"):
        await gateways.change(gateway, name="B")


async def test_a_token_written_during_the_change_is_dropped_too(gateways):
    gateway = await gateways.create()
    replace = gateways.records.gateways.replace

    async def with_an_authorization(changed):
        await gateways.connect(gateway)
        await replace(changed)

    gateways.records.gateways.replace = with_an_authorization
    await gateways.change(gateway, url="https://other.example")
    assert await gateways.records.tokens.list() == []


async def test_a_crash_after_the_change_leaves_no_token_for_the_new_place(gateways):
    gateway = await gateways.create()
    await gateways.connect(gateway)
    replace = gateways.records.gateways.replace

    async def written_and_then_lost(changed):
        await replace(changed)
        raise BackendUnavailable("the store went away")

    gateways.records.gateways.replace = written_and_then_lost
    with pytest.raises(BackendUnavailable):
        await gateways.change(gateway, url="https://other.example")
    assert (await gateways.registry.get_any(gateway.id)).url == "https://other.example"
    assert await gateways.records.tokens.list() == []


# -- reading ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "sees"),
    [
        ([], True),
        (["ann@example.com"], True),
        (["ANN@Example.COM"], True),
        (["*@EXAMPLE.com"], True),
        ("bob@elsewhere.example, *@example.com", True),
        (["bob@elsewhere.example"], False),
        (["*@example.org"], False),
        (["*@ample.com"], False),
        (["*@elsewhere.example"], False),
    ],
)
async def test_who_sees_a_gateway(gateways, allowed, sees):
    gateway = await gateways.create(allowed_users=allowed)
    for caller in (ANN, Caller("Ann@EXAMPLE.com")):
        assert (await gateways.registry.list(caller) == [gateway]) == sees
        if sees:
            assert await gateways.registry.get(gateway.id, caller) == gateway
        else:
            with pytest.raises(NotFound):
                await gateways.registry.get(gateway.id, caller)
    assert await gateways.registry.list(ADMIN) == [gateway]
    assert await gateways.registry.get(gateway.id, ADMIN) == gateway


async def test_not_allowed_reads_like_not_there(gateways):
    gateway = await gateways.create(allowed_users=["bob@elsewhere.example"])
    texts = []
    for name in (gateway.id, "0" * 32):
        with pytest.raises(NotFound) as caught:
            await gateways.registry.get(name, ANN)
        texts.append((caught.value.public, caught.value.detail.replace(name, "")))
    assert texts[0] == texts[1]
    with pytest.raises(NotFound) as caught:
        await gateways.registry.get("x\n\x1b" * 100, ANN)
    assert caught.value.detail.isprintable()


async def test_other_users_are_shown_to_administrators_only(gateways):
    gateway = await gateways.create(allowed_users=["ann@example.com", "bob@elsewhere.example"])
    assert "allowed_users" not in describe_gateway(gateway, ANN)
    assert describe_gateway(gateway, ADMIN) == describe_gateway(gateway)


async def test_only_administrators_write(gateways):
    gateway, body = await gateways.create(), parse_gateway_body({"url": "https://x.example"})
    for attempt in (
        gateways.registry.create(body, ANN),
        gateways.registry.change(gateway.id, body, ANN),
        gateways.registry.remove(gateway.id, ANN),
    ):
        with pytest.raises(Forbidden):
            await attempt
    assert await gateways.registry.list(ADMIN) == [gateway]


async def test_removing(gateways):
    gateway = await gateways.create()
    await gateways.connect(gateway)
    assert await gateways.registry.remove(gateway.id, ADMIN) == gateway
    assert await gateways.records.tokens.list() == []
    for attempt in (gateways.registry.remove(gateway.id, ADMIN), gateways.registry.get_any(gateway.id)):
        with pytest.raises(NotFound):
            await attempt


async def test_removing_what_another_removes_at_the_same_time(gateways):
    gateway = await gateways.create()
    delete = gateways.records.gateways.delete

    async def overtaken(gateway_id):
        await delete(gateway_id)
        return await delete(gateway_id)

    gateways.records.gateways.delete = overtaken
    with pytest.raises(NotFound, match="somebody else"):
        await gateways.registry.remove(gateway.id, ADMIN)


# -- pinning ------------------------------------------------------------------------------------------


async def test_the_first_issuer_is_pinned_and_stays(gateways):
    gateway = await gateways.create()
    assert (await gateways.registry.pin_issuer(gateway, None)).pinned_issuer is None
    pinned = await gateways.registry.pin_issuer(gateway, "https://as.example")
    assert (pinned.pinned_issuer, pinned.revision) == ("https://as.example", 2)
    assert await gateways.registry.pin_issuer(pinned, "https://evil.example") == pinned
    assert await gateways.registry.pin_issuer(gateway, "https://evil.example") == pinned  # from an old reading
    assert await gateways.registry.get_any(gateway.id) == pinned


async def test_an_issuer_found_for_the_old_url_is_not_pinned_to_the_new_one(gateways):
    gateway = await gateways.create()
    await gateways.change(gateway, url="https://other.example")
    assert (await gateways.registry.pin_issuer(gateway, "https://as.example")).pinned_issuer is None


async def test_pinning_after_a_change_that_does_not_matter(gateways):
    gateway = await gateways.create()
    await gateways.change(gateway, name="B")
    pinned = await gateways.registry.pin_issuer(gateway, "https://as.example")
    assert (pinned.name, pinned.pinned_issuer, pinned.revision) == ("B", "https://as.example", 3)


async def test_a_gateway_without_oauth_pins_nothing(gateways):
    gateway = await gateways.create(auth_type="none")
    assert await gateways.registry.pin_issuer(gateway, "https://as.example") == gateway
