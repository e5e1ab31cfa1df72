"""A stranger's listener hears what the documentation says, and so does everybody of the fact that it tells."""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint, entry_points

import latchpin
import pytest
from latchpin.model import Caller
from latchpin.plugins.host import Plugins
from latchpin_testing import EventListenerContract, MovedClock, check_plugin, running_gateway

from tests.contracts import acme_notes

__all__ = ["running_gateway"]

pytestmark = pytest.mark.needs("latchpin_memory_store")

POINT = EntryPoint("acme_notes", "tests.contracts.acme_notes", "latchpin")
ANN = Caller("ann@example.com", via="session")


def test_the_plugin_is_sound():
    check_plugin(acme_notes)


class TestEnds(EventListenerContract):
    @pytest.fixture
    def offer(self):
        return acme_notes.latchpin_event_listeners()

    @pytest.fixture
    def settings(self):
        return latchpin.Settings()


async def test_a_gateway_has_it_hear_what_happened(running_gateway, caplog):
    gateway = await running_gateway(plugins=Plugins([*entry_points(group="latchpin"), POINT]), clock=MovedClock())
    caplog.set_level(logging.INFO)
    await acme_notes.tell_of_note(gateway.services.context, ANN, "Ask first")
    assert "ann@example.com wrote a note" in caplog.text
    await gateway.services.activity.tell("token.disconnected", actor=ANN.email, subject=ANN.email, gateway_id="a" * 32)
    assert f"a connection at gateway {'a' * 32} ended" in caplog.text
