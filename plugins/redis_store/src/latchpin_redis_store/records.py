"""What lasts, on Redis: hashes of JSON under ``latchpin:``.

    latchpin:gateways               id to gateway
    latchpin:clients                id to client
    latchpin:{gateway}:issuers      issuer to the id of the client there
    latchpin:{gateway}:tokens       account to token
    latchpin:{gateway}:labelled     the accounts that have a label, in the order of their text
    latchpin:renewals               gateway and account of each token that is to be renewed, sorted by when
    latchpin:token-ends, -near      the same of each token that can be used, by its end and by when that is near
    latchpin:token-spent            the same of each token that only a new authorization replaces
    latchpin:{documents.name}:...   a collection: see collections.py

On a cluster, all but the collections begin with ``{latchpin}:``; see ``keys``. An account is an address; with a label,
the address, a line break and the label.
"""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from latchpin.contracts import Clock
from latchpin.errors import BackendUnavailable, RecordConflict
from latchpin.model import CollectionSpec, Gateway, RegisteredClient, StoredToken
from latchpin.sdk.stores import default_of, near_expiry_from

from latchpin_redis_store.codec import RecordCodec, begins
from latchpin_redis_store.collections import RedisCollection
from latchpin_redis_store.connection import Commands
from latchpin_redis_store.eviction import check_keeps
from latchpin_redis_store.scripts import (
    DELETE_ALL,
    DELETE_CLIENT,
    DELETE_DUE,
    DELETE_GATEWAY,
    GET_ACCOUNTS,
    INDEX_TOKEN,
    PUT,
    PUT_CLIENT,
    SWAP,
    SWAP_DUE,
)

__all__ = ["RedisRecordStore"]

PROBE_MS = 5000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_gateways = RecordCodec(Gateway)
_tokens = RecordCodec(StoredToken)
_clients = RecordCodec(RegisteredClient)


def _account(app_user_email: str, label: str) -> str:
    return f"{app_user_email}\n{label}" if label else app_user_email


def _account_of(token: StoredToken) -> str:
    return _account(token.app_user_email, token.label)


def _labelled(app_user_email: str) -> tuple[str, str]:
    """The span of a person's accounts that have a label, for ZRANGEBYLEX."""
    return f"[{app_user_email}\n", f"({app_user_email}\v"  # the character after the line break


def _due_name(gateway_id: str, account: str) -> str:
    return f"{gateway_id}:{account}"


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _places(token: StoredToken) -> tuple[int | str, int | str, int | str]:
    """Where the token stands in each of ``Keys.counted``, '' where it does not."""
    if token.needs_reauth:
        return "", "", 0
    near_at = min(token.expires_at, near_expiry_from(token.expires_at, token.updated_at))
    return _us(token.expires_at), _us(near_at), ""


class RedisGateways:
    """Implements ``latchpin.contracts.GatewayRecords``."""

    def __init__(self, commands: Commands) -> None:
        self._keys = commands.keys
        self._ask = commands.ask
        self._run = commands.run

    async def put(self, gateway: Gateway) -> None:
        """Create. Raises RecordConflict if the id exists."""
        text = _gateways.dump(gateway, gateway.id, gateway.revision)
        if not await self._run(PUT, [self._keys.gateways], gateway.id, text):
            raise RecordConflict(f"gateway {gateway.id} exists already")

    async def get(self, gateway_id: str) -> Gateway | None:
        """Look."""
        text = await self._ask("HGET", self._keys.gateways, gateway_id)
        return None if text is None else _gateways.load(text)

    async def list(self) -> list[Gateway]:
        """All, oldest first."""
        found = [_gateways.load(text) for text in await self._ask("HVALS", self._keys.gateways)]
        return sorted(found, key=lambda gateway: (gateway.created_at, gateway.id))

    async def replace(self, gateway: Gateway) -> None:
        """Write over the revision before. Raises RecordConflict if another is stored, or none."""
        text = _gateways.dump(gateway, gateway.id, gateway.revision)
        before = begins(gateway.id, gateway.revision - 1)
        if not await self._run(SWAP, [self._keys.gateways], gateway.id, before, text):
            raise RecordConflict(f"gateway {gateway.id} is not stored with revision {gateway.revision - 1}")

    async def delete(self, gateway_id: str) -> bool:
        """Remove it with everything below it, in one step."""
        names = self._keys
        issuers, tokens, labelled = (names.below(gateway_id, kind) for kind in ("issuers", "tokens", "labelled"))
        keys = [names.gateways, issuers, names.clients, tokens, labelled, names.renewals, *names.counted]
        return bool(await self._run(DELETE_GATEWAY, keys, gateway_id))


class RedisTokens:
    """Implements ``latchpin.contracts.TokenRecords``."""

    def __init__(self, commands: Commands) -> None:
        self._keys = commands.keys
        self._ask = commands.ask
        self._run = commands.run
        self._ask_all = commands.ask_all

    async def get(self, gateway_id: str, app_user_email: str, label: str | None = "") -> StoredToken | None:
        """Look."""
        if label is None:
            keys = (self._keys.below(gateway_id, "tokens"), self._keys.below(gateway_id, "labelled"))
            texts = await self._run(GET_ACCOUNTS, keys, app_user_email, *_labelled(app_user_email))
            return default_of([_tokens.load(text) for text in texts if text is not None])
        text = await self._ask("HGET", self._keys.below(gateway_id, "tokens"), _account(app_user_email, label))
        return None if text is None else _tokens.load(text)

    async def list(
        self, *, gateway_id: str | None = None, app_user_email: str | None = None, label: str | None = None
    ) -> list[StoredToken]:
        """Those that match, oldest first; without a gateway, all gateways are asked at once."""
        ids = await self._gateway_ids() if gateway_id is None else [gateway_id]
        asked: builtins.list[tuple[str, ...]]
        if app_user_email is None:
            asked = [("HVALS", self._keys.below(id_, "tokens")) for id_ in ids]
        elif label is None:
            asked = await self._accounts_of(ids, app_user_email)
        else:
            asked = [("HMGET", self._keys.below(id_, "tokens"), _account(app_user_email, label)) for id_ in ids]
        groups = await self._ask_all(asked)
        found = [_tokens.load(text) for group in groups for text in group if text is not None]
        matching = [token for token in found if label in {None, token.label}]
        return sorted(matching, key=lambda token: (token.created_at, token.id))

    async def _gateway_ids(self) -> builtins.list[str]:
        return [id_.decode() for id_ in await self._ask("HKEYS", self._keys.gateways)]

    async def _accounts_of(self, gateway_ids: Sequence[str], app_user_email: str) -> builtins.list[tuple[str, ...]]:
        """What to ask for all of a person's tokens at these gateways."""
        within, names = _labelled(app_user_email), self._keys
        groups = await self._ask_all([("ZRANGEBYLEX", names.below(id_, "labelled"), *within) for id_ in gateway_ids])
        return [
            ("HMGET", self._keys.below(id_, "tokens"), app_user_email, *(account.decode() for account in group))
            for id_, group in zip(gateway_ids, groups, strict=True)
        ]

    async def list_due(self, now: datetime, *, limit: int) -> builtins.list[StoredToken]:
        """Those that are due, the earliest first; one that is written meanwhile may be missing."""
        names = await self._ask("ZRANGEBYSCORE", self._keys.renewals, "-inf", _ms(now), "LIMIT", 0, limit)
        places = [name.decode().partition(":") for name in names]
        asked = [("HGET", self._keys.below(gateway_id, "tokens"), account) for gateway_id, _, account in places]
        texts = await self._ask_all(asked)
        found = [_tokens.load(text) for text in texts if text is not None]
        return [token for token in found if token.renew_at is not None and token.renew_at <= now]

    async def count(self, now: datetime) -> Mapping[str, int]:
        """Count by the sorted sets; one that is written meanwhile may be counted as it was."""
        ends, near, spent = self._keys.counted
        over, close, usable, gone = await self._ask_all(
            [("ZCOUNT", ends, "-inf", _us(now)), ("ZCOUNT", near, "-inf", _us(now)), ("ZCARD", ends), ("ZCARD", spent)]
        )
        counts = {"expired": over, "near_expiry": close - over, "valid": usable - close, "needs_reauth": gone}
        return {status: count for status, count in counts.items() if count > 0}

    async def index(self, token: StoredToken) -> None:
        """List a token among those that are counted, if it still is what is stored."""
        keys = (self._keys.below(token.gateway_id, "tokens"), *self._keys.counted)
        account = _account_of(token)
        name = _due_name(token.gateway_id, account)
        await self._run(INDEX_TOKEN, keys, account, begins(token.id, token.revision), name, *_places(token))

    async def put(self, token: StoredToken, *, replacing: StoredToken | None) -> None:
        """Compare and swap by id and revision. Raises RecordConflict if something else is stored."""
        text, account = _tokens.dump(token, token.id, token.revision), _account_of(token)
        before = "" if replacing is None else begins(replacing.id, replacing.revision)
        names, id_ = self._keys, token.gateway_id
        keys = (
            names.below(id_, "tokens"),
            names.renewals,
            names.gateways,
            *names.counted,
            names.below(id_, "labelled"),
        )
        due = (_due_name(token.gateway_id, account), "" if token.renew_at is None else _ms(token.renew_at))
        labelled = 0 if token.label else ""
        values = (account, before, text, *due, token.gateway_id, *_places(token), labelled)
        if not await self._run(SWAP_DUE, keys, *values):
            raise RecordConflict(f"the token for gateway {token.gateway_id} changed since it was read, or it is gone")

    async def delete(self, gateway_id: str, app_user_email: str, label: str = "") -> bool:
        """Remove one."""
        account = _account(app_user_email, label)
        keys = self._all_of(gateway_id)
        return bool(await self._run(DELETE_DUE, keys, account, _due_name(gateway_id, account)))

    async def delete_all(self, gateway_id: str) -> int:
        """Remove every user's."""
        keys = self._all_of(gateway_id)
        return int(await self._run(DELETE_ALL, keys, gateway_id))

    def _all_of(self, gateway_id: str) -> Sequence[str]:
        """What names a gateway's tokens."""
        names = self._keys
        return [names.below(gateway_id, "tokens"), names.below(gateway_id, "labelled"), names.renewals, *names.counted]


class RedisClients:
    """Implements ``latchpin.contracts.ClientRecords``."""

    def __init__(self, commands: Commands) -> None:
        self._keys = commands.keys
        self._ask = commands.ask
        self._run = commands.run

    async def get(self, gateway_id: str, issuer: str) -> RegisteredClient | None:
        """Look."""
        id_ = await self._ask("HGET", self._keys.below(gateway_id, "issuers"), issuer)
        text = None if id_ is None else await self._ask("HGET", self._keys.clients, id_)
        return None if text is None else _clients.load(text)

    async def list(self, *, gateway_id: str | None = None) -> list[RegisteredClient]:
        """All, or one gateway's, oldest first."""
        found = [_clients.load(text) for text in await self._ask("HVALS", self._keys.clients)]
        matching = [client for client in found if gateway_id in {None, client.gateway_id}]
        return sorted(matching, key=lambda client: (client.created_at, client.id))

    async def put(self, client: RegisteredClient) -> None:
        """Create. Raises RecordConflict if that gateway and issuer have one, the id exists, or the gateway is gone."""
        text = _clients.dump(client, client.id, 1)
        keys = (self._keys.clients, self._keys.below(client.gateway_id, "issuers"), self._keys.gateways)
        values = (client.id, client.issuer, text, client.gateway_id)
        if not await self._run(PUT_CLIENT, keys, *values):
            raise RecordConflict(f"gateway {client.gateway_id} has a client at {client.issuer} already, or is gone")

    async def replace(self, client: RegisteredClient, *, replacing: RegisteredClient) -> None:
        """Write ``client`` over ``replacing``; see ``ReplacingClients``."""
        text = await self._ask("HGET", self._keys.clients, replacing.id)
        same = text is not None and _clients.load(text) == replacing
        if not same or not await self._run(
            SWAP, [self._keys.clients], client.id, text, _clients.dump(client, client.id, 1)
        ):
            raise RecordConflict("the client was changed or deleted meanwhile")

    async def delete(self, id: str) -> bool:  # noqa: A002  the contract's name
        """Remove by the row's id."""
        text = await self._ask("HGET", self._keys.clients, id)
        if text is None:
            return False
        client = _clients.load(text)
        keys = (self._keys.clients, self._keys.below(client.gateway_id, "issuers"))
        return bool(await self._run(DELETE_CLIENT, keys, id, client.issuer))


class RedisRecordStore:
    """Implements ``latchpin.contracts.RecordStore``."""

    def __init__(self, commands: Commands, *, clock: Clock, instance_id: str) -> None:
        self._commands = commands
        self._probe = f"latchpin:check:{instance_id}"
        self.gateways = RedisGateways(commands)
        self.tokens = RedisTokens(commands)
        self.clients = RedisClients(commands)
        self._clock = clock
        self._collections: dict[str, RedisCollection] = {}

    def collection(self, spec: CollectionSpec) -> RedisCollection:
        """The documents of a plugin."""
        return self._collections.setdefault(spec.name, RedisCollection(spec, self._commands, self._clock))

    async def purge(self) -> int:
        """Remove expired documents. Return how many."""
        return sum([await collection.purge() for collection in self._collections.values()])

    async def check(self) -> None:
        """Write a probe, read it, remove it. Raises BackendUnavailable if that does not work, or Redis may evict."""
        field, value = "probe", b"latchpin"
        wrote, read, _, _ = await asyncio.gather(
            self._commands.run(SWAP, [self._probe], field, "", value),
            self._commands.ask("HGET", self._probe, field),
            self._commands.ask("PEXPIRE", self._probe, PROBE_MS),
            self._commands.ask("UNLINK", self._probe),
        )
        if not wrote or read != value:
            raise BackendUnavailable("Redis did not give back what was written")
        await check_keeps(self._commands)
