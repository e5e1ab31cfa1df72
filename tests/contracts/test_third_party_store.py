"""The example store, by "somebody else" and installed as a distribution of its own, keeps the contract."""

from importlib.metadata import distribution

import pytest
from latchpin.errors import BackendUnavailable
from latchpin.testing import SharedStateStoreContract, SuiteContext

pytestmark = pytest.mark.needs("acme_file_store")


class TestAcmeFiles(SharedStateStoreContract):
    @pytest.fixture
    def offer(self):
        from acme_file_store import plugin

        return plugin.latchpin_state_store()

    @pytest.fixture
    def settings(self, offer, tmp_path):
        return offer.settings(acme_folder=tmp_path / "states")

    async def stored_bytes(self, store, settings):
        return b"".join(path.name.encode() + path.read_bytes() for path in settings.acme_folder.iterdir())


def test_it_is_found_as_any_plugin_is():
    (entry,) = distribution("acme-latchpin-file-store").entry_points.select(group="latchpin")
    assert entry.load().latchpin_state_store().name == "acme-files"


async def test_a_folder_that_is_gone_is_unavailable(tmp_path):
    from acme_file_store import plugin

    offer = plugin.latchpin_state_store()
    async with SuiteContext() as context, offer.open(offer.settings(acme_folder=tmp_path / "x"), context) as store:
        (tmp_path / "x").rmdir()
        with pytest.raises(BackendUnavailable, match="No such file"):
            await store.check()
