"""Makes the pictures in docs/images again, from a demo of its own.

    python -m tests.browser.screenshots

Run in an environment that has what tox env `browser` installs. The folder may be named instead: one argument.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.conftest import FLAGS, RunningDemo, connect, press, running_demo, sign_in
from tests.servers.programs import find_chromium

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WIDTH = 760
WIDE = 1040
PHONE = 375
SCALE = 2
MARGIN = 24
LARGEST = 200_000


def main(folder: Path) -> None:
    """Write the pictures of the gateway's own pages and of the admin UI into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, running_demo(Path(place)) as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = browser.new_page(
            viewport={"width": WIDTH, "height": 480}, device_scale_factor=SCALE, color_scheme="light"
        )
        take_all(page, demo, folder)
        take_admin_ui(browser, demo, folder)
        browser.close()


def take_all(page: Page, demo: RunningDemo, folder: Path) -> None:
    """Walk through the demo, and take each picture where it shows itself."""
    callbacks: list[str] = []
    page.on("request", lambda request: callbacks.append(request.url) if "/oauth/callback?" in request.url else None)
    sign_in(page, demo.link)
    connect(page, demo.origin)
    take(page, folder / "success.png")
    press(page, "Fetch Tools")
    expect(page.locator(".tools li")).to_have_count(3)
    page.goto(f"{demo.origin}/admin/gateways")
    page.get_by_text("3 tools").click()
    take(page, folder / "gateways.png")
    page.goto(callbacks[0])  # once more, as a reload would
    take(page, folder / "failure.png")


def take_admin_ui(browser: Browser, demo: RunningDemo, folder: Path) -> None:
    """Go through the pages of the admin UI, with a few people connected."""
    for email in ("ann@example.com", "ben@example.com"):
        visitor = browser.new_page()
        sign_in(visitor, demo.create_link(email))
        connect(visitor, demo.origin)
        visitor.context.close()
    page = browser.new_page(viewport={"width": WIDE, "height": 480}, color_scheme="light")
    sign_in(page, demo.create_link("alice@example.com", admin=True))
    take_gateway(page, demo, folder)
    page.goto(f"{demo.origin}/admin/connections")
    take(page, folder / "admin-connections.png", width=WIDE)
    page.goto(f"{demo.origin}/admin/doctor")
    press(page, "Run the checks")
    expect(page.locator("#outcome")).to_be_visible()
    take(page, folder / "admin-doctor.png", width=WIDE)
    take_phone(browser, demo, folder)


def take_gateway(page: Page, demo: RunningDemo, folder: Path) -> None:
    """One gateway with a tool, and adding another."""
    page.goto(f"{demo.origin}/admin/gateways/{demo.gateway_id}")
    page.locator("summary", has_text="search").click()
    take(page, folder / "admin-gateway.png", width=WIDE)
    url = page.locator(".url code").inner_text()
    page.goto(f"{demo.origin}/admin/gateways/new")
    page.get_by_label("URL of the MCP server").fill(url)
    press(page, "Look at it")
    expect(page.get_by_role("button", name="Add the gateway")).to_be_visible()
    take(page, folder / "admin-add.png", width=WIDE)


def take_phone(browser: Browser, demo: RunningDemo, folder: Path) -> None:
    """The same on a phone that is set to dark."""
    page = browser.new_page(
        viewport={"width": PHONE, "height": 480}, device_scale_factor=SCALE, color_scheme="dark", is_mobile=True
    )
    sign_in(page, demo.create_link("ann@example.com"))
    page.goto(f"{demo.origin}/admin/my-connections")
    take(page, folder / "admin-phone.png", width=PHONE)


def take(page: Page, path: Path, *, width: int = WIDTH) -> None:
    """Photograph the page down to the end of what is on it, without a focus ring or a hover."""
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    page.mouse.move(0, 0)
    end = page.locator("main > *").last.bounding_box()
    assert end is not None
    height = end["y"] + end["height"] + MARGIN
    page.set_viewport_size({"width": width, "height": round(height)})
    picture = page.screenshot(path=path)
    assert len(picture) < LARGEST, f"{path} has {len(picture)} bytes"


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
