"""How a page looks: its contrast, width, the size of targets and axe's findings, measured; and pictures of it.

    python -m tests.browser.appearance [FOLDER]

makes those in docs/images again.
"""

from __future__ import annotations

import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.conftest import FLAGS, RunningDemo, connect, press, running_demo, sign_in
from tests.servers.programs import find_chromium

__all__ = [
    "Colour",
    "contrast",
    "faults",
    "focus_contrast",
    "grave_findings",
    "low_contrasts",
    "small_targets",
    "tab_to",
    "too_wide",
]

# What eyes and fingers need of a page, measured: contrast, visible focus, width, size of what can be pressed.


_TEXTS = """() => [...document.querySelectorAll("body *")].filter(element =>
    element.checkVisibility() && element.getClientRects().length &&
    [...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim())
  ).map(element => {
    const style = getComputedStyle(element), grounds = [];
    for (let each = element; each; each = each.parentElement) grounds.push(getComputedStyle(each).backgroundColor);
    return {text: element.innerText.trim().slice(0, 40), colour: style.color, grounds,
            pixels: parseFloat(style.fontSize), weight: Number(style.fontWeight)};
  })"""

_FOCUS = """() => {
  const element = document.activeElement, style = getComputedStyle(element), grounds = [];
  for (let each = element.parentElement; each; each = each.parentElement)
    grounds.push(getComputedStyle(each).backgroundColor);
  const box = element.getBoundingClientRect();
  return {name: element.getAttribute("aria-label") ?? element.innerText ?? "", grounds,
          label: element.labels?.[0]?.innerText ?? "", outline: style.outlineColor, style: style.outlineStyle,
          pixels: parseFloat(style.outlineWidth), seen: box.right > 0 && box.bottom > 0 && box.width > 0};
}"""

_TOO_WIDE = """() => document.documentElement.scrollWidth > document.documentElement.clientWidth
  ? [...document.querySelectorAll("body *")].filter(
      element => element.getBoundingClientRect().right > document.documentElement.clientWidth + 1
    ).map(element => element.outerHTML.slice(0, 100)) : []"""

_SMALL = """least => [...document.querySelectorAll("button, .button, summary, nav a, input:not([type=hidden])")].filter(
  element => element.checkVisibility() && element.getBoundingClientRect().height < least
).map(element => element.outerHTML.slice(0, 100))"""

LARGE_PIXELS = 24.0
LARGE_BOLD_PIXELS = 18.66
BOLD = 700


@dataclass(frozen=True)
class Colour:
    """sRGB, each 0 to 255, and opacity 0 to 1."""

    red: float
    green: float
    blue: float
    opacity: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Colour:
        """Read what `getComputedStyle` gives."""
        assert text.startswith(("rgb(", "rgba(")), text
        return cls(*(float(number) for number in re.findall(r"[\d.]+", text)))

    def over(self, ground: Colour) -> Colour:
        """This one laid on an opaque ``ground``."""
        mixed = (
            own * self.opacity + below * (1 - self.opacity)
            for own, below in ((self.red, ground.red), (self.green, ground.green), (self.blue, ground.blue))
        )
        return Colour(*mixed)

    @property
    def luminance(self) -> float:
        """The relative luminance of WCAG 2.2."""
        red, green, blue = (
            value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
            for value in (self.red / 255, self.green / 255, self.blue / 255)
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    """The contrast ratio of WCAG 2.2, 1 to 21."""
    darker, lighter = sorted((one.luminance, other.luminance))
    return (lighter + 0.05) / (darker + 0.05)


def low_contrasts(page: Page) -> tuple[int, list[str]]:
    """How many texts the page shows, and those whose contrast is below WCAG's level AA."""
    texts: list[dict[str, Any]] = page.evaluate(_TEXTS)
    low = []
    for text in texts:
        ground = _ground(text["grounds"])
        found = contrast(Colour.parse(text["colour"]).over(ground), ground)
        large = text["pixels"] >= (LARGE_BOLD_PIXELS if text["weight"] >= BOLD else LARGE_PIXELS)
        if found < (3 if large else 4.5):
            low.append(f"{found:.2f} {text['text']!r}")
    return len(texts), low


def _ground(layers: list[str]) -> Colour:
    """What lies behind an element: its own and its ancestors' backgrounds, innermost first, on white."""
    ground = Colour(255, 255, 255)
    for layer in reversed(layers):
        ground = Colour.parse(layer).over(ground)
    return ground


def tab_to(page: Page, name: str, *, most: int = 30) -> dict[str, Any]:
    """Press Tab until the element of that name or label has the focus; how it looks then."""
    met = []
    for _ in range(most):
        page.keyboard.press("Tab")
        focus: dict[str, Any] = page.evaluate(_FOCUS)
        met.append(focus["name"].strip() or focus["label"])
        if met[-1] == name:
            return focus
    raise AssertionError(f"Tab does not lead to {name!r}, only to {met}")


def focus_contrast(focus: dict[str, Any]) -> float:
    """How well the focus is seen: the outline against what is behind it; 1 is not at all."""
    if focus["style"] == "none" or focus["pixels"] < 2 or not focus["seen"]:
        return 1.0
    ground = _ground(focus["grounds"])
    return contrast(Colour.parse(focus["outline"]).over(ground), ground)


def too_wide(page: Page) -> list[str]:
    """The elements that make the page scroll sideways."""
    found: list[str] = page.evaluate(_TOO_WIDE)
    return found


def small_targets(page: Page, *, least: int = 24) -> list[str]:
    """What can be pressed and is lower than WCAG 2.2's 24 CSS pixels."""
    found: list[str] = page.evaluate(_SMALL, least)
    return found


# axe-core over a page: what people who cannot see well, or use no mouse, would stumble over.


_GRAVE = {"serious", "critical"}


def grave_findings(page: Page) -> list[str]:
    """Each serious or critical finding, with the elements it is about."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['help']}: {[node['html'][:120] for node in each['nodes'][:3]]}"
        for each in found
        if each["impact"] in _GRAVE
    ]


# A page as it is for everybody: loaded once, and shown in turn as each of them sees it.


ON_A_DESK, ON_A_PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


def faults(page: Page) -> list[str]:
    """What somebody would stumble over: wide or on a phone, in light or dark. The page keeps its size, and goes back to
    the system's colours.

    axe sees it twice, wide in light and narrow in dark: each width and each set of colours once.
    """
    size, found = page.viewport_size or ON_A_DESK, []
    for viewport, scheme in ((ON_A_DESK, "light"), (ON_A_DESK, "dark"), (ON_A_PHONE, "light"), (ON_A_PHONE, "dark")):
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=scheme)
        seen = [*low_contrasts(page)[1], *too_wide(page), *small_targets(page)]
        if (viewport is ON_A_DESK) == (scheme == "light"):
            seen += grave_findings(page)
        found += [f"{viewport['width']} {scheme}: {each}" for each in seen]
    page.set_viewport_size(size)
    page.emulate_media(color_scheme="null")
    return found


# The pictures in docs/images, made again from a demo of its own: ``python -m tests.browser.appearance``.


IMAGES = Path(__file__).parents[2] / "docs" / "images"
WIDTH = 760
WIDE = 1040
PHONE = 375
SCALE = 2
MARGIN = 24
LARGEST = 260_000


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
