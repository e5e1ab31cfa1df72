"""The admin UI in a real browser: the guide's walk, authorizing in a window, live pages, and all without scripts."""

import itertools
import json
import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    SUCCESS,
    allow,
    card_of,
    open_gateways,
    press,
    press_to_close,
    sign_in_at_provider,
    slow_server,
)

ADMIN = "boss@example.com"
SOMEBODY = "walker@example.com"
MINE = "/admin/my-connections"
NAME = "Demo tools"
FAILED = "The authorization did not succeed; its window says why."
LEAVERS = itertools.count(1)


def begin_in_a_window(page: Page, watch) -> Page:
    page.wait_for_load_state()  # until its script has run, Authorize is a link
    with page.context.expect_page() as opening:
        press(page, f"Authorize {NAME}")
    window = opening.value
    expect(window).to_have_title(re.compile("Demo Accounts"))
    watch.attach_page(window)
    return window


def disconnect(page: Page) -> None:
    button = page.get_by_role("button", name=f"Disconnect {NAME}")
    if button.is_visible():
        button.click()
        expect(page.locator(".said")).to_contain_text("Disconnected.")


# -- rules ------------------------------------------------------------------------------------------------


def test_a_rule_made_and_explained(visit, demo):
    page = visit(ADMIN, admin=True)
    open_gateways(page, demo.origin)
    press(page, "Groups")
    expect(page.get_by_text("There is no group yet.")).to_be_visible()
    press(page, "Make a group")
    page.get_by_label("Name").fill("testers")
    page.get_by_label("Members").fill("ann@example.com\n*@example.org")
    press(page, "Make it")
    expect(page.get_by_role("heading", name="testers")).to_be_visible()
    press(page, "Rules")
    expect(page.get_by_text("There is no rule yet.")).to_be_visible()
    press(page, "Make a rule")
    page.get_by_label("People").fill("group:testers")
    page.get_by_label("Gateway", exact=True).select_option(NAME)
    press(page, "Make it")
    expect(page.get_by_role("alert")).to_contain_text("names tools")
    expect(page.get_by_label("People")).to_have_value("group:testers")
    page.get_by_label("Tools").fill("delete_* drop_*")
    page.get_by_label("Why").fill("Nobody deletes while testing")
    press(page, "Make it")
    expect(page.get_by_role("heading", name="Deny")).to_contain_text("delete_*, drop_*")
    page.get_by_label("Person", exact=True).fill("bob@example.org")
    page.get_by_label("Tool", exact=True).fill("delete_note")
    page.get_by_role("button", name="Explain").click()
    told = page.locator("#told")
    expect(told.get_by_role("listitem").filter(has_text=NAME)).to_contain_text("(deny delete_* drop_*)")
    expect(page.locator("#groups-of")).to_contain_text("testers (policy)")
    page.get_by_label("Tool, person, group or gateway").fill("nothing like it")
    press(page, "Search")
    expect(page.get_by_text("No rule matches.")).to_be_visible()
    press(page, "Show all")
    page.get_by_role("link", name="Remove rule").click()
    press(page, "Remove the rule")
    expect(page.get_by_text("There is no rule yet.")).to_be_visible()
    press(page, "Groups")
    press(page, "Remove testers")
    press(page, "Remove testers")
    expect(page.get_by_text("There is no group yet.")).to_be_visible()


# -- sets -------------------------------------------------------------------------------------------------


def test_a_set_made(visit, demo):
    page = visit(ADMIN, admin=True)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_gateways(page, demo.origin)
    press(page, "Sets")
    expect(page.get_by_text("There is no set yet.")).to_be_visible()
    press(page, "Make a set")
    page.get_by_label("Name").fill("Everyday tools")
    page.get_by_label("Slug").fill("Every Day")
    page.get_by_label(NAME).check()
    press(page, "Make it")
    expect(page.get_by_role("alert")).to_contain_text("slug: must have lower-case letters")
    expect(page.get_by_label(NAME)).to_be_checked()
    page.get_by_label("Slug").fill("everyday")
    press(page, "Make it")
    entry, url = page.locator("#set-everyday"), f"{demo.origin}/mcp/everyday"
    expect(entry).to_contain_text(NAME)
    press(page, "Copy the URL of Everyday tools")
    assert page.evaluate("navigator.clipboard.readText()") == url
    press(page, "Change Everyday tools")
    page.get_by_label("Who may use it").fill("*@elsewhere.example")
    press(page, "Save")
    expect(entry).to_contain_text("*@elsewhere.example")
    press(page, "Connect a client to Everyday tools")
    expect(page.locator(".endpoint code")).to_have_text(url)
    expect(page.get_by_role("link", name="Everyday tools")).to_have_attribute("aria-current", "page")
    page.goto(f"{demo.origin}/admin/sets?q=nothing")
    expect(page.get_by_text("No set matches.")).to_be_visible()
    press(page, "Show all")
    press(page, "Remove Everyday tools")
    press(page, "Remove Everyday tools")
    expect(page.get_by_text("There is no set yet.")).to_be_visible()


# -- the guide's walk ---------------------------------------------------------------------------------


def test_the_guides_walk_step_by_step(visit, demo, watch):
    page = visit(SOMEBODY)
    open_gateways(page, demo.origin)  # 1. Admin Panel, Gateways
    entry = page.locator("li.card", has_text=NAME)
    expect(entry).to_contain_text("auth_type = oauth")  # 2. find the gateway
    press(page, NAME)  # its own page
    expect(page.get_by_text("Not connected")).to_be_visible()
    expect(page.get_by_text("Authorize first, then fetch the tools.")).to_be_visible()
    window = begin_in_a_window(page, watch)  # 3. and 4. Authorize, and on to the provider
    assert window.url.startswith(demo.issuer)
    allow(window)  # 5. authenticate
    expect(window).to_have_title(SUCCESS)  # 6. the success page
    expect(page.locator(".status").first).to_have_text("Connected")
    press(page, f"Fetch Tools of {NAME}")  # 7. Fetch Tools
    expect(page.locator(".lead")).to_have_text("Successfully fetched and created 3 tools")
    press(page, "Show the tools")
    page.locator("summary", has_text="add").click()
    expect(page.get_by_role("table", name="Arguments of add").get_by_role("row")).to_have_count(3)


# -- a window of its own ------------------------------------------------------------------------------


def test_the_window_tells_its_own_origin_alone_and_offers_to_close(visit, demo, watch):
    page = visit("window@example.com")
    page.goto(demo.origin + MINE)
    page.evaluate("""() => {
      window.heard = [];
      new BroadcastChannel("latchpin-authorization").addEventListener("message", event => heard.push(
        {origin: event.origin, data: event.data}));
    }""")
    window = begin_in_a_window(page, watch)
    assert window.evaluate("window.opener") is None  # nothing that another page could be reached by
    allow(window)
    expect(window).to_have_title(SUCCESS)
    expect(card_of(page, NAME).locator(".status")).to_have_text("Connected")
    message = {"outcome": "connected", "gateway": demo.gateway_id}
    assert page.evaluate("heard") == [{"origin": demo.origin, "data": message}]
    expect(page.get_by_role("status")).to_have_text(f"{NAME}: Connected")
    press_to_close(window)


def test_a_failure_in_the_window_is_shown_there_and_told(visit, demo, watch):
    page = visit("refusing@example.com")
    page.goto(demo.origin + MINE)
    window = begin_in_a_window(page, watch)
    sign_in_at_provider(window)
    press(window, "Deny")
    expect(window.get_by_role("heading", level=1)).to_contain_text("refused")
    expect(page.get_by_role("status")).to_have_text(FAILED)
    entry = card_of(page, NAME)
    expect(entry.locator(".failed")).to_have_text(FAILED)  # where the person left it, and to be seen
    expect(entry.get_by_role("link", name=f"Authorize again: {NAME}")).to_have_text("Authorize again")
    expect(entry.locator(".status")).to_have_text("Not connected")
    expect(window.get_by_role("button", name="Close this window")).to_be_visible()


def test_authorizing_again_from_the_failure_mends_both_windows(visit, demo, watch):
    page = visit("again@example.com")
    page.goto(demo.origin + MINE)
    window = begin_in_a_window(page, watch)
    sign_in_at_provider(window)
    press(window, "Deny")
    expect(page.locator(".failed")).to_have_count(1)
    press(window, "Authorize again")
    expect(window).to_have_title(re.compile("Demo Accounts"))
    press(window, "Deny")
    expect(window.get_by_role("heading", level=1)).to_contain_text("refused")
    expect(page.get_by_role("link", name=f"Authorize again: {NAME}")).to_have_count(1)
    expect(page.locator(".failed")).to_have_count(1)
    press(window, "Authorize again")
    press(window, "Allow")
    expect(window).to_have_title(SUCCESS)
    expect(card_of(page, NAME).locator(".status")).to_have_text("Connected")
    expect(page.locator(".failed")).to_have_count(0)
    expect(page.get_by_role("link", name=f"Reconnect {NAME}")).to_have_text("Reconnect")


def test_what_fails_before_the_provider_is_told_to_the_page_behind_too(visit, demo, watch):
    token = demo.run("token", "create", "--email", "early@example.com", "--admin").strip()
    page = visit("early@example.com")
    body = {"url": "http://127.0.0.1:9/mcp", "name": "Dead"}
    made = page.request.post(f"{demo.origin}/gateways", data=body, headers={"Authorization": f"Bearer {token}"})
    assert made.status == 201, made.text()
    dead = made.json()["id"]
    page.goto(demo.origin + MINE)
    page.wait_for_load_state()
    with page.context.expect_page() as opening:
        press(page, "Authorize Dead")
    window = opening.value
    watch.attach_page(window)
    expect(window.get_by_role("link", name="Authorize again")).to_be_visible()
    expect(page.locator(f"#mine-{dead} .failed")).to_have_text(FAILED)
    expect(window.get_by_role("button", name="Close this window")).to_be_visible()
    page.request.delete(f"{demo.origin}/gateways/{dead}", headers={"Authorization": f"Bearer {token}"})


def test_a_failure_of_nobody_knows_which_gateway_stands_above_everything(visit, demo):
    page = visit("unknown@example.com")
    page.goto(demo.origin + MINE)
    page.wait_for_load_state()
    window = page.context.new_page()
    window.goto(f"{demo.origin}/oauth/callback?code=x&state=y")
    expect(window.get_by_role("link", name="Authorize again")).to_have_count(0)
    expect(page.locator("main > .failed")).to_have_text(FAILED)


def test_what_a_message_says_is_not_believed(visit, demo):
    page = visit("believing@example.com")
    page.goto(demo.origin + MINE)
    with page.expect_response(f"**{MINE}/{demo.gateway_id}"):
        page.evaluate(
            """gateway => {
              const channel = new BroadcastChannel("latchpin-authorization");
              for (const data of [null, "x", {gateway: "../../x"}, {gateway: {}}, {outcome: "connected", gateway}])
                channel.postMessage(data);
            }""",
            demo.gateway_id,
        )
    expect(card_of(page, NAME).locator(".status")).to_have_text("Not connected")


def test_the_pages_around_an_authorization_keep_their_opener_policy(visit, demo):
    page = visit(SOMEBODY)
    for path in (MINE, "/oauth/callback?code=x&state=y", f"/admin/gateways/{demo.gateway_id}"):
        answer = page.goto(demo.origin + path)
        assert answer is not None
        assert answer.headers["cross-origin-opener-policy"] == "same-origin", path


def test_a_link_that_opens_no_window(visit, demo):
    """With a modifier key, or where windows are not allowed, Authorize does what links do."""
    page = visit("windowless@example.com")
    page.goto(demo.origin + MINE)
    page.evaluate("window.open = () => null")
    press(page, f"Authorize {NAME}")
    expect(page).to_have_title(re.compile("Demo Accounts"))
    assert page.context.pages == [page]


# -- adding -------------------------------------------------------------------------------------------


def test_a_gateway_from_its_url(visit, demo):
    [known] = [each for each in json.loads(demo.run("gateways", "list", "--json")) if each["name"] == NAME]
    page = visit(ADMIN, admin=True)
    page.goto(f"{demo.origin}/admin/gateways")
    press(page, "Add a gateway")
    page.get_by_label("URL of the MCP server").fill(known["url"])
    press(page, "Look at it")
    expect(page.locator(".steps .step")).to_have_count(3)
    expect(page.locator(".note")).to_contain_text(f"Tokens from {demo.issuer} will be sent to {known['url']}")
    page.get_by_label("Name", exact=True).fill("Added here")
    page.get_by_label("Who may use it").fill(ADMIN)
    press(page, "Add the gateway")
    expect(page.get_by_role("heading", level=1)).to_have_text("Added here")
    press(page, "Test")
    expect(page.locator("#outcome")).to_have_text("Nothing is wrong.")
    press(page, "Back to Added here")
    press(page, "Edit")
    page.get_by_label("Name", exact=True).fill("Changed here")
    page.get_by_text("Advanced", exact=True).click()
    expect(page.get_by_label("Redirect URI")).to_be_visible()
    page.get_by_label("Issuer", exact=True).fill("no url")
    press(page, "Save")
    expect(page.get_by_role("alert")).to_contain_text("issuer holds")
    page.get_by_label("Issuer", exact=True).fill("")
    press(page, "Save")
    expect(page.get_by_role("heading", level=1)).to_have_text("Changed here")
    press(page, "Remove")
    press(page, "Remove Changed here")
    expect(page.locator(".lead")).to_have_text("Changed here is not there any more.")


@pytest.mark.parametrize("scripts", [True, False])
def test_each_step_is_seen_while_the_next_is_awaited(visit, demo, scripts):
    with slow_server() as server:
        page = visit(ADMIN, admin=True, java_script_enabled=scripts)
        page.goto(f"{demo.origin}/admin/gateways/new")
        page.get_by_label("URL of the MCP server").fill(server.url)
        page.get_by_role("button", name="Look at it").click(no_wait_after=True)
        expect(page.locator(".step").first).to_contain_text("HTTP 401 with a challenge")
        assert page.get_by_role("button", name="Add the gateway").count() == 0
        server.released.set()
        expect(page.get_by_role("button", name="Add the gateway")).to_be_visible()
        expect(page.locator(".problem")).to_contain_text("What to do")


# -- everybody's connections --------------------------------------------------------------------------


@pytest.fixture
def leaving(visit, demo, watch):
    """Somebody who is connected, and about to leave: another one each time, whose sessions may be ended."""
    somebody = f"{next(LEAVERS)}-leaver@example.com"
    page = visit(somebody)
    page.goto(demo.origin + MINE)
    window = begin_in_a_window(page, watch)
    allow(window)
    expect(window).to_have_title(SUCCESS)
    return somebody


def test_finding_and_ending_the_connections_of_somebody_who_leaves(visit, demo, leaving):
    page = visit(ADMIN, admin=True)
    page.goto(f"{demo.origin}/admin/connections")
    rows = page.get_by_role("table", name="Connections").get_by_role("row")
    page.get_by_label("User").press_sequentially(leaving[:8])
    expect(rows).to_have_count(2)  # the heading's, and one
    expect(page).to_have_url(re.compile(f"user={leaving[:8]}"))
    page.get_by_label("Gateway").select_option("Demo library")
    expect(page.get_by_text("No connection matches that.")).to_be_visible()
    page.get_by_label("Gateway").select_option("All")
    expect(rows).to_have_count(2)
    page.get_by_label("User").fill(leaving)
    expect(page.get_by_role("link", name=f"Disconnect everything of {leaving}")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    press(page, f"Disconnect everything of {leaving}")
    expect(page.locator(".lead")).to_contain_text("This ends 1 connection")
    assert "/admin/connections" not in asked  # leaving the field filters nothing anew, under what is being pressed
    press(page, f"Disconnect everything of {leaving}")
    expect(page.locator(".step")).to_contain_text(["revoked the token", "The sessions and"])
    expect(page.locator("#outcome")).to_have_text(f"{leaving} is disconnected from 1 gateway.")


def test_ending_one_in_its_row(visit, demo, leaving):
    page = visit(ADMIN, admin=True)
    page.goto(f"{demo.origin}/admin/connections?user={leaving}")
    press(page, f"Disconnect {leaving} from {NAME}")
    ended = page.locator("tr.ended p")
    expect(ended).to_contain_text(f"{leaving} is disconnected from {NAME}.")
    expect(ended).to_be_focused()
    assert page.url.endswith(f"user={leaving}")


def test_what_htmx_was_refused_is_said(visit, demo, leaving, watch):
    page = visit(ADMIN, admin=True)
    page.goto(f"{demo.origin}/admin/connections?user={leaving}")
    demo_page = visit(leaving)
    demo_page.goto(demo.origin + MINE)
    disconnect(demo_page)
    press(page, f"Disconnect {leaving} from {NAME}")
    expect(page.get_by_role("alert")).to_contain_text(f"{leaving} has no token for this gateway")
    [told] = watch.complaints  # htmx names it on the console too
    assert "Response Status Error Code 404" in told
    watch.complaints.clear()


# -- without scripts ----------------------------------------------------------------------------------


def test_without_javascript(visit, demo):
    page = visit("scriptless@example.com", admin=True, java_script_enabled=False)
    page.goto(demo.origin + MINE)
    press(page, f"Authorize {NAME}")
    allow(page)
    expect(page).to_have_title(SUCCESS)
    page.goto(demo.origin + MINE)
    press(page, f"Fetch Tools of {NAME}")
    expect(page.locator(".lead")).to_contain_text("Successfully fetched")
    page.goto(f"{demo.origin}/admin/connections")
    page.get_by_label("User").fill("scriptless")
    press(page, "Filter")
    expect(page.get_by_role("row")).to_have_count(2)
    press(page, f"Disconnect scriptless@example.com from {NAME}")
    expect(page.locator(".lead")).to_contain_text("is disconnected")
    page.goto(f"{demo.origin}/admin/doctor")
    press(page, "Run the checks")
    expect(page.locator("#outcome")).to_be_visible()
