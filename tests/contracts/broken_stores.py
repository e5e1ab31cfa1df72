"""Stores that are almost right, each wrong in one way that has been seen in the world."""

import asyncio
import pickle
import re
import secrets
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import latchpin
from latchpin.contracts import Backend, StoreFacts
from latchpin.errors import RecordConflict, StateAlreadyUsed, StateExpired, StateNotFound
from latchpin_memory_store.records import MemoryRecordStore
from latchpin_memory_store.states import MemoryStateStore, _Used


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
            stored = self.tokens.rows.get((token.gateway_id, token.app_user_email))
            if (stored and (stored.id, stored.revision)) != (replacing and (replacing.id, replacing.revision)):
                await put(token, replacing=replacing)
            self.gateways.require(token.gateway_id)
            await asyncio.sleep(0)
            self.tokens.rows[token.gateway_id, token.app_user_email] = token

        self.tokens.put = slow_put


class RevisionOnly(MemoryRecordStore):
    """Its compare and swap looks at the revision and not at the id."""

    def __init__(self, clock):
        super().__init__(clock)

        async def put(token, *, replacing):
            stored = self.tokens.rows.get((token.gateway_id, token.app_user_email))
            if (stored and stored.revision) != (replacing and replacing.revision):
                raise RecordConflict
            self.gateways.require(token.gateway_id)
            self.tokens.rows[token.gateway_id, token.app_user_email] = token

        self.tokens.put = put


class Unrelated(MemoryRecordStore):
    """Has no foreign keys: whoever still writes when a gateway is deleted leaves rows of nobody's."""

    def __init__(self, clock):
        super().__init__(clock)
        self.gateways.require = lambda gateway_id: None


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


class RacyFlows(MemoryRecordStore):
    """Reads a flow, goes to its backend, then writes it back with the new steps."""

    def __init__(self, clock):
        super().__init__(clock)
        append = self.flows.append

        async def slow_append(steps, *, life):
            before = {step.flow_id: self.flows.rows.get(step.flow_id, ()) for step in steps}
            await asyncio.sleep(0)
            self.flows.rows |= before
            await append(steps, life=life)

        self.flows.append = slow_append


class SkippingFlows(MemoryRecordStore):
    """Goes on with what is older than a page's last flow, and forgets those of the same moment."""

    def __init__(self, clock):
        super().__init__(clock)
        whole = self.flows.list
        self.flows.list = lambda query, *, limit: whole(replace(query, before_id=""), limit=limit)


class Patterned(MemoryRecordStore):
    """Lists kept values with LIKE, which takes upper case for lower and % for anything."""

    def __init__(self, clock):
        super().__init__(clock)

        async def list_like(prefix):
            pattern = re.compile("".join(".*" if c == "%" else re.escape(c) for c in prefix), re.IGNORECASE)
            now = self.kept._clock()
            standing = {name: value for name, (value, ends) in self.kept.rows.items() if ends is None or ends > now}
            return {name: value for name, value in standing.items() if pattern.match(name)}

        self.kept.list = list_like


class ForkingAudit(MemoryRecordStore):
    """Adds whatever comes: two workers that extend the same entry leave a log with two of them."""

    def __init__(self, clock):
        super().__init__(clock)

        async def append(entries):
            self.audit.rows += entries

        self.audit.append = append


class EmptiedAudit(MemoryRecordStore):
    """Removes whatever is old enough, the last entry too: nothing is left for the chain to go on behind."""

    def __init__(self, clock):
        super().__init__(clock)

        async def purge(*, through):
            before = len(self.audit.rows)
            self.audit.rows = [entry for entry in self.audit.rows if entry.number > through]
            return before - len(self.audit.rows)

        self.audit.purge = purge


class NoSettings(latchpin.Settings):
    pass


def offer_of(kind):
    @asynccontextmanager
    async def open_it(settings, context):
        yield kind(context.clock)

    return Backend(kind.__name__.lower(), kind.__name__, NoSettings, open_it, shared=False)
