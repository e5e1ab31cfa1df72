"""What Latchpin finds: the pages, and the links to them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

import latchpin
from latchpin.contracts import NavigationEntry

__all__ = ["has_doctor", "latchpin_navigation", "latchpin_routes"]

_DOCTOR = NavigationEntry(
    "Doctor",
    "/admin/doctor",
    "What is wrong with this gateway, or soon will be, and how to mend it.",
    admin_only=True,
    rank=60,
)


def has_doctor() -> bool:
    """Whether ``latchpin-doctor`` is installed, which has pages here then."""
    return find_spec("latchpin_doctor") is not None


@latchpin.hookimpl
def latchpin_routes() -> Sequence[str]:
    """Offer the pages."""
    return ["latchpin_admin_ui.routes:routers"]


@latchpin.hookimpl
def latchpin_navigation() -> Sequence[NavigationEntry]:
    """Link to them."""
    return (
        NavigationEntry(
            "My connections",
            "/admin/my-connections",
            "What your account is connected to.",
            group="connections",
            rank=20,
        ),
        NavigationEntry(
            "All connections",
            "/admin/connections",
            "Who is connected to which gateway, and how well. Disconnect one, or all of somebody who leaves.",
            group="connections",
            admin_only=True,
            rank=30,
        ),
        NavigationEntry(
            "Own OAuth clients",
            "/admin/clients",
            "What this gateway is at authorization servers: the OAuth clients that they registered for it.",
            group="connections",
            admin_only=True,
            rank=40,
        ),
        *((_DOCTOR,) if has_doctor() else ()),
        NavigationEntry(
            "Settings", "/admin/settings", "Every setting as it is read now, without secrets.", admin_only=True, rank=70
        ),
        NavigationEntry(
            "Plugins", "/admin/plugins", "What is installed, what is selected, and why.", admin_only=True, rank=80
        ),
        NavigationEntry("Add a gateway", "/admin/gateways/new", place="gateways", admin_only=True),
        NavigationEntry("Open", "/admin/gateways/{gateway_id}", place="gateway"),
    )
