"""An SQLite file that is removed, replaced or moved while the gateway runs: it is said, and no more is kept there."""

import shutil
import sqlite3
from contextlib import closing

import pytest
from latchpin.errors import BackendUnavailable
from latchpin_testing import START, samples

from tests.sql_store.test_faults import opened
from tests.support.gateway_in_process import ADMIN, BASE, open_gateway

REMOVED, REPLACED = "was removed while the gateway runs", "was replaced by another while the gateway runs"


def remove(file):
    file.unlink()


def move_away(file):
    file.rename(file.with_name("elsewhere.db"))


def move_the_folder(file):
    file.parent.rename(file.parent.with_name("elsewhere"))


def restore_a_backup(file):
    backup = file.with_name("backup.db")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    backup.replace(file)


def restore_a_backup_without_the_log(file):
    restore_a_backup(file)
    remove_log(file)
    remove_index(file)


def begin_anew(file):
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE t (a)")


def copy_and_swap(file):
    shutil.copyfile(file, file.with_name("copy.db"))
    file.unlink()
    file.with_name("copy.db").rename(file)


def remove_log(file):
    file.with_name(f"{file.name}-wal").unlink()


def remove_index(file):
    file.with_name(f"{file.name}-shm").unlink()


def replace_log(file):
    log = file.with_name(f"{file.name}-wal")
    shutil.copyfile(log, log.with_suffix(".copy"))
    log.with_suffix(".copy").replace(log)


@pytest.fixture
def file(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "latchpin.db"


@pytest.mark.parametrize(
    ("change", "of", "said"),
    [
        (remove, "", REMOVED),
        (move_away, "", REMOVED),
        (move_the_folder, "", REMOVED),
        (restore_a_backup, "", REPLACED),
        (restore_a_backup_without_the_log, "", REPLACED),
        (begin_anew, "", REPLACED),
        (copy_and_swap, "", REPLACED),
        (remove_log, "-wal", REMOVED),
        (replace_log, "-wal", REPLACED),
        (remove_index, "-shm", REMOVED),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
@pytest.mark.parametrize("used", [True, False], ids=["used before", "not yet used"])
async def test_a_file_that_is_not_the_one_that_was_opened_is_refused(file, change, of, said, used):
    async with opened(f"sqlite:///{file}") as (states, records):
        before, after = (samples.pending_authorization(START) for _ in range(2))
        if used:
            await states.put(before)
        change(file)
        there = file.exists()
        for call in (
            states.put(after),
            states.consume(before.key),
            states.check(),
            states.purge(),
            records.check(),
            records.gateways.list(),
            records.gateways.put(samples.gateway(START)),
        ):
            with pytest.raises(BackendUnavailable) as caught:
                await call
            assert caught.value.detail == f"the SQLite file {file}{of} {said}"
            assert caught.value.operator_remedy.startswith("Stop every gateway that works on it")
        assert file.exists() == there, "no new file is made in its place"


async def test_a_file_that_comes_back_is_good_again(file):
    async with opened(f"sqlite:///{file}") as (states, _):
        pending = samples.pending_authorization(START)
        await states.put(pending)
        move_away(file)
        with pytest.raises(BackendUnavailable):
            await states.consume(pending.key)
        file.with_name("elsewhere.db").rename(file)
        assert await states.consume(pending.key) == pending


async def test_a_link_that_leads_elsewhere_is_another_file(file):
    real, other = file.with_name("real.db"), file.with_name("other.db")
    file.symlink_to(real)
    async with opened(f"sqlite:///{file}") as (states, _):
        await states.check()
        other.touch()
        file.unlink()
        file.symlink_to(other)
        with pytest.raises(BackendUnavailable, match="replaced"):
            await states.check()


def checkpoint(connection):
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def vacuum(connection):
    connection.execute("VACUUM")


def load_a_backup(connection):
    with closing(sqlite3.connect(":memory:")) as copy:
        connection.backup(copy)
        copy.backup(connection)


@pytest.mark.parametrize("deed", [checkpoint, vacuum, load_a_backup])
async def test_what_sqlite_does_to_its_own_file_is_no_replacement(file, deed):
    async with opened(f"sqlite:///{file}") as (states, records):
        pending = samples.pending_authorization(START)
        await states.put(pending)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            deed(other)
        async with opened(f"sqlite:///{file}") as (states_beside, _):
            await states_beside.check()
        assert await states.consume(pending.key) == pending
        await records.check()


async def test_a_database_without_a_log_is_watched_as_well(file):
    async with opened(f"sqlite:///{file}"):
        pass
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
    async with opened(f"sqlite:///{file}") as (states, _):
        await states.check()
        assert sorted(path.name for path in file.parent.iterdir()) == ["latchpin.db", "latchpin.db.lock"]
        remove(file)
        with pytest.raises(BackendUnavailable, match="removed"):
            await states.check()


async def test_the_gateway_is_not_ready_and_its_answers_say_503(file, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "DATABASE_URL": f"sqlite:///{file}",
        "TRUSTED_USER_HEADER": "X-Test-User",
        "TRUSTED_PROXIES": "127.0.0.1",
        "ADMIN_EMAILS": ADMIN,
    }.items():
        monkeypatch.setenv(name, value)
    async with open_gateway() as gateway, gateway.client(ADMIN) as client:
        assert (await client.get(f"{BASE}/ready")).status_code == 200
        remove(file)
        ready = await client.get(f"{BASE}/ready")
        listed = await client.get(f"{BASE}/gateways")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    for store in ("state_store", "record_store"):
        assert ready.json()[store]["reason"] == f"the SQLite file {file} {REMOVED}"
    assert (listed.status_code, listed.json()["cause"]) == (503, "store-unavailable")
