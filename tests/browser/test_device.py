"""The page where people type a device's code (RFC 8628), from the device's request to its token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.appearance import faults, focus_contrast, tab_to
from tests.browser.conftest import RunningDemo, allow, arrive_at, press

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass
class Device:
    """A program without a browser that shows a code."""

    demo: RunningDemo
    client_id: str
    shown: dict[str, Any]

    def poll(self) -> dict[str, Any]:
        form = {"grant_type": DEVICE_CODE, "device_code": self.shown["device_code"], "client_id": self.client_id}
        found: dict[str, Any] = httpx.post(f"{self.demo.origin}/oauth2/token", data=form, trust_env=False).json()
        return found


@pytest.fixture
def device(demo: RunningDemo) -> Device:
    said = {
        "client_name": "Kitchen television",
        "grant_types": [DEVICE_CODE, "refresh_token"],
        "token_endpoint_auth_method": "none",
    }
    with httpx.Client(base_url=demo.origin, trust_env=False, headers={"user-agent": "television/7"}) as http:
        client_id = http.post("/oauth2/register", json=said).raise_for_status().json()["client_id"]
        form = {"client_id": client_id, "resource": f"{demo.origin}/gateways/{demo.gateway_id}/mcp"}
        shown = http.post("/oauth2/device_authorization", data=form).raise_for_status().json()
    return Device(demo, client_id, shown)


def type_code(page, device: Device) -> None:
    page.goto(device.shown["verification_uri"])
    page.get_by_label("Code").fill(device.shown["user_code"])
    press(page, "Go on")
    expect(page).to_have_title("Allow Kitchen television?")


def test_a_person_lets_a_device_in(visit, demo, device):
    page = visit("device@example.com")
    type_code(page, device)
    facts = page.locator("article")
    for told in ("Kitchen television", "127.0.0.1", "television/7", f"{demo.origin}/gateways/{demo.gateway_id}/mcp"):
        expect(facts).to_contain_text(told)
    expect(page.locator(".lead")).to_contain_text("device@example.com")
    press(page, "Allow")
    arrive_at(page, demo.issuer)
    allow(page)
    expect(page).to_have_title("Done")
    assert device.poll()["token_type"] == "Bearer"


def test_by_keyboard_alone_a_person_refuses_one(visit, demo, device):
    page = visit("keyboard-device@example.com")
    page.goto(device.shown["verification_uri"])
    expect(page.get_by_label("Code")).to_be_focused()
    page.keyboard.type(device.shown["user_code"].lower())
    page.keyboard.press("Enter")
    expect(page).to_have_title("Allow Kitchen television?")
    focus = tab_to(page, "Do not allow")
    assert focus_contrast(focus) >= 3, focus
    page.keyboard.press("Enter")
    expect(page).to_have_title("Not allowed")
    assert device.poll()["error"] == "access_denied"


def test_a_wrong_code_is_said_beside_the_field(visit, demo):
    page = visit("wrong-code@example.com")
    page.goto(f"{demo.origin}/device")
    page.get_by_label("Code").fill("BBBB-BBBB")
    press(page, "Go on")
    expect(page.get_by_role("alert")).to_contain_text("No device waits with this code")
    expect(page.get_by_label("Code")).to_have_attribute("aria-describedby", "wrong")


def test_how_the_pages_look(visit, demo, device):
    page = visit("device-looks@example.com")
    page.goto(f"{demo.origin}/device")
    assert faults(page) == []
    type_code(page, device)
    assert faults(page) == []
    press(page, "Do not allow")
    expect(page).to_have_title("Not allowed")
    assert faults(page) == []
