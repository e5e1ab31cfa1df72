"""The registrar keeps the contract, switched on and skipped, and comes between the entered client and DCR."""

from __future__ import annotations

import asyncio
import json

import pytest
from latchpin.plugins.hookspecs import CLIENT_REGISTRAR
from latchpin.plugins.host import Plugins
from latchpin.records.kept import KeyValues
from latchpin_cimd import plugin
from latchpin_cimd.registrar import DocumentRegistrar
from latchpin_cimd.settings import CimdSettings
from latchpin_cimd.signing_key import KEPT_AS, open_key
from latchpin_memory_store.records import MemoryRecordStore
from latchpin_testing import RegistrarContract, SuiteCipher
from latchpin_testing.clock import MovedClock
from latchpin_testing.context import SuiteContext

from tests.cimd.conftest import URL


class TestSkipped(RegistrarContract):
    @pytest.fixture
    def offer(self):
        return plugin.latchpin_client_registrar()

    @pytest.fixture
    def settings(self):
        return CimdSettings(_env_file=None, cimd_enabled=False)


class TestPublished(TestSkipped):
    @pytest.fixture
    def settings(self):
        return CimdSettings(_env_file=None, cimd_url=URL)


class TestProvenByAKey(TestSkipped):
    @pytest.fixture
    async def registrar(self, offer):
        settings = CimdSettings(_env_file=None, cimd_url=URL, cimd_token_endpoint_auth_method="private_key_jwt")
        records = MemoryRecordStore(MovedClock())
        async with SuiteContext(records=records, cipher=SuiteCipher()) as context, offer.open(settings, context) as one:
            yield one

    async def test_the_credentials_hold_the_private_key(self, registrar, request_for):
        given = await registrar.register(request_for(redirect_uri="http://localhost:4444/oauth/callback"))
        assert (given.client_id, given.auth_method) == (URL, "private_key_jwt")
        assert "d" in json.loads(given.client_secret)
        assert given.client_secret not in repr(given)


def test_the_order_of_the_ways_to_a_client():
    names = [backend.name for backend in Plugins().ranked(CLIENT_REGISTRAR)]
    assert [name for name in names if name in {"static", "cimd", "dcr"}] == ["static", "cimd", "dcr"]


async def test_nothing_is_given_where_it_is_skipped(request_for):
    async def no_key():
        raise AssertionError("there is no client, so nothing to prove")

    assert await DocumentRegistrar(None, no_key).register(request_for()) is None


async def test_eight_first_askers_share_one_key_that_is_kept_sealed():
    values, cipher = KeyValues(MemoryRecordStore(MovedClock())), SuiteCipher()
    keys = await asyncio.gather(*(open_key(values, cipher) for _ in range(8)))
    assert len({key.private for key in keys}) == 1
    kept = await values.get(KEPT_AS)
    assert kept is not None
    assert '"d"' not in kept
    assert keys[0].public["x"] not in kept
