"""What a store does when its file is not as it should be: say so, and leave it as it was."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest

from swarmloom.errors import StoreError, StoreLockedError, SwarmloomError
from swarmloom_protocols.stigmergy.traces.store import TraceStore


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.sqlite"


@pytest.fixture
def written(path):
    with TraceStore.open(path) as store:
        store.deposit_many([(i, "ok", "a") for i in range(200)])
        store.board("b").add(range(100))
    return path


def plain(path):
    return closing(sqlite3.connect(path, isolation_level=None))


# -- files that are no store -----------------------------------------------------------------------


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(StoreError, match=f"{tmp_path}: this is a folder"):
        TraceStore.open(tmp_path)


def test_a_missing_folder_is_made(tmp_path):
    with TraceStore.open(tmp_path / "new" / "store.sqlite") as store:
        store.deposit("k", "ok", agent="a")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="its folder cannot be made"):
        TraceStore.open(tmp_path / "file" / "store.sqlite")


@pytest.mark.parametrize("content", [b"a text\n" * 300, b"SQLite format 3\0" + b"\1" * 4000])
def test_another_kind_of_file_is_refused_and_kept(path, content):
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"no SQLite file|damaged"):
        TraceStore.open(path)
    assert path.read_bytes() == content


def test_another_programs_file_is_refused_and_kept(path):
    with plain(path) as connection:
        connection.execute("CREATE TABLE trails (mine TEXT)")
    content = path.read_bytes()
    with pytest.raises(StoreError, match=f"{path}: this SQLite file belongs to another"):
        TraceStore.open(path)
    assert path.read_bytes() == content


def test_a_newer_schema_is_refused_and_kept(written):
    with plain(written) as connection:
        connection.execute("PRAGMA user_version = 2")
    content = written.read_bytes()
    with pytest.raises(StoreError, match=r"written with schema 2, this version .* reads 1"):
        TraceStore.open(written)
    assert written.read_bytes() == content


def test_a_store_that_lacks_a_table_is_refused(written):
    with plain(written) as connection:
        connection.execute("DROP TABLE log")
    with pytest.raises(StoreError, match="damaged, it lacks log"):
        TraceStore.open(written)


def test_a_damaged_page_is_reported_and_nothing_is_changed(written):
    with plain(written) as connection:
        sql = "SELECT rootpage FROM sqlite_master WHERE name IN ('trails', 'open_items')"
        roots = [page for (page,) in connection.execute(sql)]
    content = bytearray(written.read_bytes())
    for page in roots:
        content[(page - 1) * 1024 : page * 1024] = b"\xaa" * 1024
    written.write_bytes(content)
    with TraceStore.open(written) as store:
        for use in (
            lambda: store.deposit(5, "ok", agent="a"),
            lambda: store.sense(5, "ok"),
            lambda: store.board("b").next("a", 1.0),
            store.snapshot,
        ):
            with pytest.raises(StoreError, match="the file is damaged; move it away"):
                use()
    assert written.read_bytes() == bytes(content)


def test_an_empty_file_becomes_a_store(path):
    path.touch()
    with TraceStore.open(path) as store:
        assert store.deposit("k", "ok", agent="a") == 1.0


def test_a_closed_store_says_so(path):
    store = TraceStore.open(path)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed; open it again"):
        store.deposit("k", "ok", agent="a")


def test_errors_are_of_the_one_hierarchy():
    assert issubclass(StoreLockedError, StoreError)
    assert issubclass(StoreError, SwarmloomError)


@pytest.mark.parametrize("timeout", [-1.0, float("nan"), float("inf")])
def test_a_wait_that_cannot_be_is_refused(path, timeout):
    with pytest.raises(SwarmloomError, match="timeout"):
        TraceStore.open(path, timeout=timeout)
    assert not path.exists()


# -- locks and permissions -------------------------------------------------------------------------


def test_a_locked_store_is_reported_and_not_changed(written):
    with TraceStore.open(written, timeout=0.05) as store, plain(written) as other:
        before = store.snapshot()
        other.execute("BEGIN IMMEDIATE")
        for use in (
            lambda: store.deposit("k", "ok", agent="a"),
            lambda: store.deposit_many([("k", "ok", "a")]),
            lambda: store.claim("k", agent="a", ttl=1.0),
            lambda: store.board("b").next("a", 1.0),
            lambda: store.restore(before),
            store.sweep,
        ):
            with pytest.raises(StoreLockedError, match="keeps it locked; nothing was changed"):
                use()
        assert store.snapshot() == before
        assert store.sense(3, "ok").value == 1.0
        other.execute("ROLLBACK")
        assert store.deposit("k", "ok", agent="a") == 1.0


def test_a_store_can_be_opened_while_another_process_writes(written):
    with plain(written) as other:
        other.execute("BEGIN IMMEDIATE")
        with TraceStore.open(written, timeout=0.05) as store:
            assert store.sense(3, "ok").value == 1.0


def test_a_store_waits_for_a_lock(written):
    with TraceStore.open(written, timeout=10.0) as store, plain(written) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = threading.Thread(target=lambda: store.deposit("k", "ok", agent="a"))
        waiting.start()
        time.sleep(0.1)
        assert waiting.is_alive()
        other.execute("COMMIT")
        waiting.join(timeout=10.0)
        assert store.sense("k", "ok").value == 1.0


def test_a_read_only_file_is_reported(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system of our own can be mounted here ({error})")
    try:
        path = folder / "store.sqlite"
        TraceStore.open(path).close()
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        content = path.read_bytes()
        with pytest.raises(StoreError, match=r"read-only|cannot be opened"):
            TraceStore.open(path).deposit("k", "ok", agent="a")
        assert path.read_bytes() == content
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


# -- sharing ---------------------------------------------------------------------------------------


def test_what_one_leaves_the_other_sees(path):
    with TraceStore.open(path) as one, TraceStore.open(path) as other:
        one.channel("scent", half_life=1e9)
        version, rows = other.changes()
        one.deposit("k", "scent", 2.0, agent="a")
        other.deposit("k", "scent", 3.0, agent="a")
        assert one.sense("k", "scent").value == pytest.approx(5.0)
        _, rows = one.changes(version)
        assert [(row.key, row.agent, row.evidence) for row in rows] == [("k", "a", 2)]


def test_settings_are_the_files(path):
    with TraceStore.open(path, log_size=3) as store:
        store.channel("ok", half_life=5.0)
    with TraceStore.open(path, log_size=900) as store:
        with pytest.raises(SwarmloomError, match=r"'ok' is declared as .*half_life=5\.0"):
            store.channel("ok")
        store.deposit_many([(i, "ok", "a") for i in range(9)])
        assert len(list(store.traces())) == 3


def test_what_was_left_is_there_tomorrow(path):
    with TraceStore.open(path, clock=lambda: 100.0) as store:
        store.channel("scent", half_life=50.0)
        store.deposit("k", "scent", 8.0, agent="a", meta="n")
        before = store.snapshot()
    with TraceStore.open(path, clock=lambda: 200.0) as store:
        assert store.sense("k", "scent").value == 2.0
        assert store.snapshot() == before


def test_the_log_in_the_file_stays_short(path):
    with TraceStore.open(path, log_size=10) as store:
        for i in range(300):
            store.deposit(i, "ok", agent="a")
        store.deposit_many([(i, "ok", "a") for i in range(300)])
    with plain(path) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM log").fetchone()
    assert rows <= 74


def test_memory_does_not_import_sqlite():
    code = (
        "import sys, swarmloom_protocols.stigmergy.traces.store; "
        "assert 'sqlite3' not in sys.modules"
    )
    environment = {name: value for name, value in os.environ.items() if "COV" not in name}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
