"""The shipped suites over the broken stores. Run by test_broken_stores.py, which expects what fails."""

import pickle

import pytest
from latchpin.contracts import Backend
from latchpin_testing import RecordStoreContract, SharedStateStoreContract, StateStoreContract, StoreWitnessContract

from tests.contracts import broken_stores


class States(StateStoreContract):
    kind = None

    @pytest.fixture
    def offer(self):
        return broken_stores.offer_of(self.kind)

    async def stored_bytes(self, store, settings):
        return pickle.dumps(vars(store) | {"_clock": None})


class TestSound(States):
    kind = broken_stores.Sound


class Witnesses(StoreWitnessContract):
    kind = None

    @pytest.fixture
    def offer(self):
        return broken_stores.offer_of(self.kind)


class TestSoundWitness(Witnesses):
    kind = broken_stores.Sound


class TestRenamed(Witnesses):
    kind = broken_stores.Renamed


class TestRacy(States):
    kind = broken_stores.Racy


class TestForgetful(States):
    kind = broken_stores.Forgetful


class TestTraceless(States):
    kind = broken_stores.Traceless


class TestHoarding(States):
    kind = broken_stores.Hoarding


class TestOverwriting(States):
    kind = broken_stores.Overwriting


class TestCaseBlind(States):
    kind = broken_stores.CaseBlind


class TestBlindfolded(States):
    kind = broken_stores.Sound

    async def stored_bytes(self, store, settings):
        return b""


class Records(RecordStoreContract):
    @pytest.fixture
    def offer(self):
        return broken_stores.offer_of(self.kind)

    async def stored_bytes(self, store, settings):
        return pickle.dumps(store.held())


class TestRacyTokens(Records):
    kind = broken_stores.RacyTokens


class TestRevisionOnly(Records):
    kind = broken_stores.RevisionOnly


class TestUnrelated(Records):
    kind = broken_stores.Unrelated


class TestMiscounting(Records):
    kind = broken_stores.Miscounting


class TestUndue(Records):
    kind = broken_stores.Undue


class TestRacyTakes(Records):
    kind = broken_stores.RacyTakes


class TestCounting(Records):
    kind = broken_stores.Counting


class TestCaseBlindIndex(Records):
    kind = broken_stores.CaseBlindIndex


class TestSkippingPages(Records):
    kind = broken_stores.SkippingPages


class TestLingering(Records):
    kind = broken_stores.Lingering


class TestHeaped(Records):
    kind = broken_stores.Heaped


class FourProcessesOnly:
    """Keeps this file quick: of the whole suite only what other processes do."""

    def __init_subclass__(cls):
        for name in dir(cls):
            if name.startswith("test_") and "four_processes" not in name and name != "test_of_fifty_callers_one_wins":
                setattr(cls, name, None)


class TestNotShared(FourProcessesOnly, SharedStateStoreContract):
    @pytest.fixture
    def offer(self):
        return Backend("not-shared", "not shared", broken_stores.FolderSettings, broken_stores.open_not_shared)

    @pytest.fixture
    def settings(self, tmp_path):
        return broken_stores.FolderSettings(folder=tmp_path)


class TestNotPicklable(FourProcessesOnly, SharedStateStoreContract):
    @pytest.fixture
    def offer(self):
        return broken_stores.offer_of(broken_stores.Sound)
