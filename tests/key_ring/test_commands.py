"""``latchpin keys`` as an operator types it, beside stores that last; and what doctor says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.key_ring.conftest import FIRST, NEEDS, SECOND, Open, fill
from tests.servers import GatewayBackend, run_latchpin
from tests.support.gateway_in_process import MovedClock
from tests.support.gateway_process import settings_of

pytestmark = [pytest.mark.needs(*NEEDS, "latchpin_doctor"), pytest.mark.backends("sqlite")]

Latchpin = Callable[..., tuple[str, str]]
CHANGED = {"AUTH_ENCRYPTION_SECRET": SECOND, "AUTH_ENCRYPTION_SECRETS_OLD": f'["{FIRST}"]'}


def words(text: str) -> str:
    """Without the line breaks that a narrow terminal makes."""
    return " ".join(text.split())


@pytest.fixture
def latchpin(backend: GatewayBackend, tmp_path: Path) -> Latchpin:
    def run(*arguments: str, fails: bool | None = False, **settings: str) -> tuple[str, str]:
        env = settings_of(backend) | {"AUTH_ENCRYPTION_SECRET": FIRST} | settings
        ended = run_latchpin(*arguments, env=env, cwd=tmp_path)
        assert fails in {None, ended.returncode != 0}, ended.stderr
        assert "Traceback" not in ended.stderr
        return ended.stdout, ended.stderr

    return run


async def test_a_new_secret_to_the_end(opening: Open, latchpin: Latchpin):
    """With KEY_SOURCE=settings: it says what is left, does it, and says when the old secret can go."""
    async with opening(source="settings") as one:
        rows = await fill(one)
        old = one.key
    said = json.loads(latchpin("keys", "status", "--json", **CHANGED)[0])
    assert said["to_reseal"] == 10
    assert [(key["state"], sum(key["rows"].values())) for key in said["keys"]] == [("today's", 0), ("earlier", 10)]
    assert "10 rows are sealed under it" in latchpin("keys", "status", **CHANGED)[1]
    refused = latchpin("keys", "retire", old, fails=True, **CHANGED)[1]
    assert "2 users' tokens" in refused
    assert "latchpin keys reseal" in refused
    assert "is still needed" in words(latchpin("doctor", "--offline", fails=None, **CHANGED)[0])

    _, told = latchpin("keys", "reseal", **CHANGED)
    assert "10 rows are to be sealed anew." in told
    assert "Sealed 10 rows anew." in told
    assert "Sealed 0 rows anew." in latchpin("keys", "reseal", **CHANGED)[1]
    _, told = latchpin("keys", "status", **CHANGED)
    assert "Everything is sealed under today's key." in told
    assert "entries of the audit log, which 'latchpin audit verify' cannot prove without it" in told.replace(
        "entry", "entries"
    )

    async with opening(secret=SECOND, source="settings") as one:
        await rows.require(one)
    assert "KEY_SOURCE=ring" in latchpin("keys", "rotate", fails=True)[1]
    assert "there is no key" in latchpin("keys", "retire", "nonsense", fails=True)[1]


async def test_a_ring_to_the_end(opening: Open, latchpin: Latchpin):
    async with opening(source="settings") as one:
        rows = await fill(one)
    ring = {"KEY_SOURCE": "ring"}
    first = latchpin("keys", "rotate", **ring)[0].strip()
    assert "Sealed 10 rows anew." in latchpin("keys", "reseal", **ring)[1]
    second = latchpin("keys", "rotate", **ring)[0].strip()
    said = json.loads(latchpin("keys", "status", "--json", **ring)[0])
    assert {key["id"]: key["state"] for key in said["keys"]}[second] == "today's"
    verdict = {key["id"]: key["verdict"] for key in said["keys"]}[first]
    assert "12 rows are sealed under it" in verdict, "two more: whose pseudonym the operator's is"
    assert "stand 1 gateways' secrets" in latchpin("keys", "retire", first, fails=True, **ring)[1]
    assert "is today's key" in latchpin("keys", "retire", second, fails=True, **ring)[1]
    latchpin("keys", "reseal", **ring)
    assert "authorizations under way may need it" in latchpin("keys", "retire", first, fails=True, **ring)[1]
    assert "hold" in latchpin("audit", "verify", **ring)[1]

    both = CHANGED | ring
    latchpin("keys", "reseal", **both)
    assert (
        "unless it is to be the next secret, take it out of AUTH_ENCRYPTION_SECRETS_OLD"
        in latchpin("keys", "status", **both)[1]
    )
    _, told = latchpin(
        "keys", "retire", json.loads(latchpin("keys", "status", "--json", **both)[0])["keys"][-1]["id"], **both
    )
    assert "take it out" in told
    alone = {"AUTH_ENCRYPTION_SECRET": SECOND} | ring
    assert "hold" in latchpin("audit", "verify", **alone)[1], "the ring has what proves the old entries"
    async with opening(secret=SECOND) as one:
        await rows.require(one)


async def test_a_ring_that_cannot_be_used_is_said_so_and_begun_anew_only_when_told(opening: Open, latchpin: Latchpin):
    async with opening() as one:
        await one.rotate()
        await fill(one)
    lost = {"AUTH_ENCRYPTION_SECRET": SECOND, "KEY_SOURCE": "ring"}
    said = latchpin("keys", "status", fails=True, **lost)[1]
    assert "The key ring cannot be used" in said
    assert "10 rows open with no key" in said
    for command in (("keys", "rotate"), ("keys", "reseal"), ("gateways", "list")):
        assert "AUTH_ENCRYPTION_SECRETS_OLD" in latchpin(*command, fails=True, **lost)[1]
    assert "AUTH_ENCRYPTION_SECRET that these settings do not have" in words(
        latchpin("doctor", "--offline", fails=True, **lost)[0]
    )
    _, told = latchpin("keys", "rotate", "--begin-anew", **lost)
    assert "What was sealed under it is lost" in told
    latchpin("gateways", "list", **lost)


@pytest.mark.parametrize(
    ("hours", "said"),
    [(1, "was today's until a moment ago 12 rows are sealed under it"), (-1, "is still needed 12 rows are sealed")],
    ids=["just now", "an hour ago"],
)
async def test_doctor_says_what_a_rotation_leaves_to_do(
    opening: Open, clock: MovedClock, latchpin: Latchpin, hours: int, said: str
):
    """What serving processes do by themselves is nothing to warn of, until they had the time for it."""
    ring = {"KEY_SOURCE": "ring"}
    assert "no ring was begun" in words(latchpin("doctor", "--offline", fails=None, **ring)[0])
    latchpin("keys", "rotate", **ring)
    clock.advance(hours=hours)
    async with opening() as one:
        await fill(one)
        await one.rotate()
    assert said in words(latchpin("doctor", "--offline", fails=None, **ring)[0])


async def test_a_ring_that_does_not_open_is_shown_and_no_secret_can_go(opening: Open, latchpin: Latchpin):
    """As while the key service is away: what the ring says of its keys still holds."""
    async with opening() as one:
        await one.rotate()
        await fill(one)
        old = one.context.own_keys("sealing")[0].id
        ring = one.ring.ring
        assert ring is not None
        await one.ring.keeper.write(replace(ring, keys=[replace(key, by="service away") for key in ring.keys]))
    shown, told = latchpin("keys", "status", "--json", fails=True, **CHANGED, KEY_SOURCE="ring")
    keys = {key["id"]: key for key in json.loads(shown)["keys"]}
    assert (keys[one.key]["where"], keys[one.key]["state"]) == ("the key ring", "today's")
    assert "until the key ring can be used" in keys[one.key]["verdict"]
    assert not keys[old]["can_go"], "the ring is signed under it"
    assert "AUTH_ENCRYPTION_SECRETS_OLD" not in " ".join(key["verdict"] for key in keys.values())
    assert [key["state"] for key in keys.values()].count("today's") == 1
    assert "remedy: Set KEY_WRAPPER=away." in words(told)
    assert "Everything is sealed" not in latchpin("keys", "status", fails=True, **CHANGED, KEY_SOURCE="ring")[1]
