"""Stores that are each wrong in one way, and the shipped suites on them: ``test_broken_stores`` runs this file."""

import asyncio
import pickle
import secrets
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import latchpin
import pytest
from latchpin.contracts import Backend, StoreFacts
from latchpin.errors import RecordConflict, StateAlreadyUsed, StateExpired, StateNotFound
from latchpin.model import Span
from latchpin_memory_store.collections import MemoryCollection
from latchpin_memory_store.records import MemoryRecordStore
from latchpin_memory_store.states import MemoryStateStore, _Used
from latchpin_testing import RecordStoreContract, SharedStateStoreContract, StateStoreContract, StoreWitnessContract

# Stores that are each wrong in one way.


class Sound(MemoryStateStore):
    """Not broken: the control."""


class Renamed(MemoryStateStore):
    """Calls its data something else each time it is asked."""

    async def facts(self):
        return StoreFacts(secrets.token_hex(8), self._clock())


class Racy(MemoryStateStore):
    """Looks, then goes to its backend, then deletes: whoever comes in between wins as well."""

    async def consume(self, key):
        entry = self._entries.get(key)
        await asyncio.sleep(0)
        if entry is None:
            raise StateNotFound
        if isinstance(entry, _Used):
            raise StateAlreadyUsed(used_at=entry.used_at)
        if entry.expires_at <= self._clock():
            raise StateExpired(expired_at=entry.expires_at)
        self._entries[key] = _Used(self._clock(), entry.expires_at)
        return entry


class Forgetful(MemoryStateStore):
    """Never compares ``expires_at``."""

    async def consume(self, key):
        entry = self._entries.get(key)
        if entry is None:
            raise StateNotFound
        if isinstance(entry, _Used):
            raise StateAlreadyUsed(used_at=entry.used_at)
        self._entries[key] = _Used(self._clock(), entry.expires_at)
        return entry


class Traceless(MemoryStateStore):
    """Deletes what was consumed: a replay looks like an unknown state."""

    async def consume(self, key):
        entry = await super().consume(key)
        del self._entries[key]
        return entry


class Hoarding(MemoryStateStore):
    """Its tombstone keeps the verifier."""

    async def put(self, pending):
        await super().put(pending)
        self.archive = [*getattr(self, "archive", []), pending.code_verifier]


class Overwriting(MemoryStateStore):
    """A second put replaces the first."""

    async def put(self, pending):
        self._entries[pending.key] = pending


class CaseBlind(MemoryStateStore):
    """Compares keys as a database with a case-insensitive collation does."""

    async def put(self, pending):
        await super().put(replace(pending, key=self._folded(pending.key)))

    async def consume(self, key):
        return replace(await super().consume(self._folded(key)), key=key)

    def _folded(self, key):
        return replace(key, state=key.state.lower())


class NotShared:
    """One process at a time is safe; another process looks and deletes as it likes."""

    def __init__(self, folder, clock):
        self._folder, self._clock = folder, clock

    async def put(self, pending):
        self._file(pending.key).write_bytes(pickle.dumps(pending))

    async def consume(self, key):
        file = self._file(key)
        if not file.exists():
            raise StateNotFound
        held = pickle.loads(file.read_bytes())
        if isinstance(held, _Used):
            raise StateAlreadyUsed(used_at=held.used_at)
        time.sleep(0.005)  # noqa: ASYNC251  a slow backend: another process looks meanwhile, this one cannot
        draft = file.with_suffix(f".{id(self)}")
        draft.write_bytes(pickle.dumps(_Used(self._clock(), held.expires_at)))
        draft.replace(file)
        return held

    def _file(self, key):
        return self._folder / sha256(f"{key.gateway_id}:{key.state}".encode()).hexdigest()


class FolderSettings(latchpin.Settings):
    folder: Path = Path()


@asynccontextmanager
async def open_not_shared(settings, context):
    yield NotShared(settings.folder, context.clock)


class RacyTokens(MemoryRecordStore):
    """Compares, then goes to its backend, then writes."""

    def __init__(self, clock):
        super().__init__(clock)
        put = self.tokens.put

        async def slow_put(token, *, replacing):
            stored = self.tokens.rows.get((token.gateway_id, token.app_user_email, token.label))
            if (stored and (stored.id, stored.revision)) != (replacing and (replacing.id, replacing.revision)):
                await put(token, replacing=replacing)
            self.gateways.require(token.gateway_id)
            await asyncio.sleep(0)
            self.tokens.write(token)

        self.tokens.put = slow_put


class RevisionOnly(MemoryRecordStore):
    """Its compare and swap looks at the revision and not at the id."""

    def __init__(self, clock):
        super().__init__(clock)

        async def put(token, *, replacing):
            stored = self.tokens.rows.get((token.gateway_id, token.app_user_email, token.label))
            if (stored and stored.revision) != (replacing and replacing.revision):
                raise RecordConflict
            self.gateways.require(token.gateway_id)
            self.tokens.write(token)

        self.tokens.put = put


class Unrelated(MemoryRecordStore):
    """Has no foreign keys: whoever still writes when a gateway is deleted leaves rows of nobody's."""

    def __init__(self, clock):
        super().__init__(clock)
        self.gateways.require = lambda gateway_id: None


class Unlabelled(MemoryRecordStore):
    """Lists of a person the one token that there was before labels."""

    def __init__(self, clock):
        super().__init__(clock)
        listed = self.tokens.list

        async def list_one(*, gateway_id=None, app_user_email=None, label=None):
            wanted = "" if label is None and app_user_email is not None else label
            return await listed(gateway_id=gateway_id, app_user_email=app_user_email, label=wanted)

        self.tokens.list = list_one


class Undue(MemoryRecordStore):
    """Takes what comes first, then looks which of it is due, as a query with its limit in the wrong place does."""

    def __init__(self, clock):
        super().__init__(clock)

        async def list_due(now, *, limit):
            found = [token for token in list(self.tokens.rows.values())[:limit] if token.renew_at]
            return sorted((token for token in found if token.renew_at <= now), key=lambda token: token.renew_at)

        self.tokens.list_due = list_due


class Miscounting(MemoryRecordStore):
    """Takes every token for near its expiry in the last five minutes, however short it lives."""

    def __init__(self, clock):
        super().__init__(clock)
        count = self.tokens.count

        async def count_all(now):
            found = dict(await count(now))
            late = [
                token
                for token in self.tokens.rows.values()
                if not token.needs_reauth and timedelta(0) < token.expires_at - now <= timedelta(minutes=5)
            ]
            wrong = len(late) - found.get("near_expiry", 0)
            return found | {"near_expiry": len(late), "valid": found.get("valid", 0) - wrong}

        self.tokens.count = count_all


class _Spoilt(MemoryRecordStore):
    """A store with collections of another kind."""

    kind = MemoryCollection

    def collection(self, spec):
        return self._collections.setdefault(spec.name, self.kind(spec, self._clock))


WHOLE = Span()


class RacyCollection(MemoryCollection):
    async def take(self, id_):
        held = await self.get(id_)
        await asyncio.sleep(0)
        await self.delete(id_)
        return held


class RacyTakes(_Spoilt):
    """Looks, goes to its backend, then deletes."""

    kind = RacyCollection


class CountingCollection(MemoryCollection):
    async def put(self, document):
        stored = await super().put(document)
        counted = replace(stored, revision=document.revision + 1)
        self.rows[stored.id] = (replace(counted, body={}, fields=dict(stored.fields)), self.rows[stored.id][1])
        return counted


class Counting(_Spoilt):
    """Counts revisions, and begins again where a document was removed."""

    kind = CountingCollection


class CaseBlindCollection(MemoryCollection):
    def _values(self, document):
        yield from ((name, value.lower()) for name, value in super()._values(document))


class CaseBlindIndex(_Spoilt):
    """Sorts and compares as a database's language does."""

    kind = CaseBlindCollection


class SkippingCollection(MemoryCollection):
    async def scan(self, index="id", within=WHOLE, *, after=None, limit, newest_first=False):
        if after is not None:
            after = (after[0], "" if newest_first else "\U0010ffff")
        return await super().scan(index, within, after=after, limit=limit, newest_first=newest_first)


class SkippingPages(_Spoilt):
    """Goes on behind a page's last value, and forgets the other documents with that value."""

    kind = SkippingCollection


class LingeringCollection(MemoryCollection):
    async def count(self, index="id", within=WHOLE):
        return len(self._between(index, within))


class Lingering(_Spoilt):
    """Counts what has expired until it is purged."""

    kind = LingeringCollection


class Heaped(_Spoilt):
    """Keeps all collections in one heap."""

    def collection(self, spec):
        return self._collections.setdefault("heap", self.kind(spec, self._clock))


class NoSettings(latchpin.Settings):
    pass


def offer_of(kind):
    @asynccontextmanager
    async def open_it(settings, context):
        yield kind(context.clock)

    return Backend(kind.__name__.lower(), kind.__name__, NoSettings, open_it, shared=False)


class States(StateStoreContract):
    kind = None

    @pytest.fixture
    def offer(self):
        return offer_of(self.kind)

    async def stored_bytes(self, store, settings):
        return pickle.dumps(vars(store) | {"_clock": None})


class TestSound(States):
    kind = Sound


class Witnesses(StoreWitnessContract):
    kind = None

    @pytest.fixture
    def offer(self):
        return offer_of(self.kind)


class TestSoundWitness(Witnesses):
    kind = Sound


class TestRenamed(Witnesses):
    kind = Renamed


class TestRacy(States):
    kind = Racy


class TestForgetful(States):
    kind = Forgetful


class TestTraceless(States):
    kind = Traceless


class TestHoarding(States):
    kind = Hoarding


class TestOverwriting(States):
    kind = Overwriting


class TestCaseBlind(States):
    kind = CaseBlind


class TestBlindfolded(States):
    kind = Sound

    async def stored_bytes(self, store, settings):
        return b""


class Records(RecordStoreContract):
    @pytest.fixture
    def offer(self):
        return offer_of(self.kind)

    async def stored_bytes(self, store, settings):
        return pickle.dumps(store.held())


class TestRacyTokens(Records):
    kind = RacyTokens


class TestRevisionOnly(Records):
    kind = RevisionOnly


class TestUnrelated(Records):
    kind = Unrelated


class TestMiscounting(Records):
    kind = Miscounting


class TestUnlabelled(Records):
    kind = Unlabelled


class TestUndue(Records):
    kind = Undue


class TestRacyTakes(Records):
    kind = RacyTakes


class TestCounting(Records):
    kind = Counting


class TestCaseBlindIndex(Records):
    kind = CaseBlindIndex


class TestSkippingPages(Records):
    kind = SkippingPages


class TestLingering(Records):
    kind = Lingering


class TestHeaped(Records):
    kind = Heaped


class FourProcessesOnly:
    """Keeps this file quick: of the whole suite only what other processes do."""

    def __init_subclass__(cls):
        for name in dir(cls):
            if name.startswith("test_") and "four_processes" not in name and name != "test_of_fifty_callers_one_wins":
                setattr(cls, name, None)


class TestNotShared(FourProcessesOnly, SharedStateStoreContract):
    @pytest.fixture
    def offer(self):
        return Backend("not-shared", "not shared", FolderSettings, open_not_shared)

    @pytest.fixture
    def settings(self, tmp_path):
        return FolderSettings(folder=tmp_path)


class TestNotPicklable(FourProcessesOnly, SharedStateStoreContract):
    @pytest.fixture
    def offer(self):
        return offer_of(Sound)
