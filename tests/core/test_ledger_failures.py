"""What a ledger does when its file is not as it should be: say so, and leave it as it was."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing, contextmanager, suppress

import pytest

from swarmloom.errors import LedgerError
from swarmloom.ledger import Ledger
from swarmloom.types import Event

PADDING = "x" * 500


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.sqlite"


def fill(ledger, run, first, last, acknowledged=None):
    for number in range(first, last):
        data = {"cost": 1.0, "n": number, "p": PADDING}
        ledger.append(run, [Event("ballot", data, f"t{number}")])
        if acknowledged is not None:
            acknowledged.append(number)


def written(path, count=100):
    """Make a ledger with one run and give the run's id."""
    with Ledger(path) as ledger:
        run = ledger.begin({})
        fill(ledger, run, 0, count)
        ledger.finish(run, "interrupted")
    return run


def numbers(ledger, run):
    return [event.data["n"] for event in ledger.events(run) if event.kind == "ballot"]


@contextmanager
def file_system(folder, options):
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system of our own can be mounted here ({error})")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


# -- files that are no ledger ---------------------------------------------------------------


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(LedgerError, match=f"{tmp_path}: this is a folder"):
        Ledger(tmp_path)


def test_a_file_in_the_way_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("here")
    with pytest.raises(LedgerError, match="its folder cannot be made"):
        Ledger(tmp_path / "file" / "ledger.sqlite")
    assert (tmp_path / "file").read_text() == "here"


@pytest.mark.parametrize("content", [b"a text\n" * 300, b"SQLite format 3\0" + b"\1" * 4000])
def test_another_kind_of_file_is_refused_and_kept(path, content):
    path.write_bytes(content)
    with pytest.raises(LedgerError, match=r"no SQLite file|damaged"):
        Ledger(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE runs (id TEXT)", "PRAGMA application_id = 7", "PRAGMA user_version=1"],
)
def test_another_programs_database_is_refused_and_kept(path, statement):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute(statement)
        connection.commit()
    content = path.read_bytes()
    with pytest.raises(LedgerError, match="belongs to another program"):
        Ledger(path)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_a_newer_schema_is_refused_and_kept(path):
    written(path, 3)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = path.read_bytes()
    with pytest.raises(LedgerError, match=r"written with schema 99.*upgrade swarmloom"):
        Ledger(path)
    assert path.read_bytes() == content


def test_an_empty_file_becomes_a_ledger(path):
    path.touch()
    assert written(path, 1)


# -- locked ---------------------------------------------------------------------------------


def test_a_file_that_stays_locked_is_named(path):
    run = written(path, 5)
    with Ledger(path, timeout=0.05) as ledger, closing(sqlite3.connect(path)) as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match=f"{path}: another process keeps it locked"):
            fill(ledger, run, 5, 6)
        with Ledger(path, timeout=0.05) as another:
            assert numbers(another, run) == [0, 1, 2, 3, 4]
        other.execute("ROLLBACK")
        fill(ledger, run, 5, 6)
        assert numbers(ledger, run) == [0, 1, 2, 3, 4, 5]


# -- full -----------------------------------------------------------------------------------


def fill_up(ledger, run):
    """Append until the disk is full; give how many appends returned."""
    acknowledged = []
    with pytest.raises(LedgerError, match="disk"):
        fill(ledger, run, 0, 100_000, acknowledged)
    return len(acknowledged)


def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path):
    with file_system(tmp_path / "small", "size=512k") as folder:
        ledger = Ledger(folder / "ledger.sqlite")
        run = ledger.begin({})
        acknowledged = fill_up(ledger, run)
        assert acknowledged > 10
        assert numbers(ledger, run) == list(range(acknowledged))
        assert ledger.record(run).calls == acknowledged
        ledger.close()
        subprocess.run(["mount", "-o", "remount,size=4m", str(folder)], check=True)
        with Ledger(folder / "ledger.sqlite") as ledger:
            assert numbers(ledger, run) == list(range(acknowledged))
            ledger.resume(run)
            fill(ledger, run, acknowledged, acknowledged + 10)
            assert numbers(ledger, run) == list(range(acknowledged + 10))


def test_a_file_at_its_limit_loses_nothing_that_was_acknowledged(path):
    with Ledger(path) as ledger:
        run = ledger.begin({})
        ledger._connection.execute("PRAGMA max_page_count = 40")
        acknowledged = fill_up(ledger, run)
        assert acknowledged > 50
        ledger._connection.execute("PRAGMA max_page_count = 4000")
        fill(ledger, run, acknowledged, acknowledged + 10)
        assert numbers(ledger, run) == list(range(acknowledged + 10))
        assert ledger.record(run).calls == acknowledged + 10


def test_no_run_begins_on_a_full_disk(path):
    with Ledger(path) as ledger:
        (pages,) = ledger._connection.execute("PRAGMA page_count").fetchone()
        ledger._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(LedgerError, match="the disk is full; make room"):
            ledger.begin({"settings": PADDING * 50})
        assert ledger.runs() == []


# -- read-only ------------------------------------------------------------------------------


def test_a_read_only_folder_is_named(tmp_path):
    with file_system(tmp_path / "fixed", "size=1m") as folder:
        path = folder / "ledger.sqlite"
        written(path, 3)
        content = path.read_bytes()
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        with pytest.raises(LedgerError, match=f"{path}: .*(read-only|cannot be opened)"):
            Ledger(path)
        assert path.read_bytes() == content


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write any file")
def test_a_read_only_file_is_named(path):
    written(path, 3)
    path.chmod(0o444)
    with pytest.raises(LedgerError, match=f"{path}: .*read-only"):
        Ledger(path)


# -- damaged --------------------------------------------------------------------------------


def flip(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 0x01
    path.write_bytes(content)


def position_of(path, needle):
    return path.read_bytes().index(needle)


@pytest.mark.parametrize("needle", [b'"n":42', b'"cost":1.0,"n":17', PADDING.encode()])
def test_a_flipped_bit_in_an_event_is_noticed(path, needle):
    run = written(path)
    flip(path, position_of(path, needle) + len(needle) - 1)
    damaged = path.read_bytes()
    unlike = rf"{path}: event \d+ is not what was written"
    with Ledger(path) as ledger, pytest.raises(LedgerError, match=unlike):
        list(ledger.events(run))
    assert path.read_bytes() == damaged


def test_a_damaged_page_is_noticed_before_a_run_goes_on(path):
    run = written(path)
    content = bytearray(path.read_bytes())
    page = 4096 * 5
    content[page : page + 16] = bytes(b ^ 0xFF for b in content[page : page + 16])
    path.write_bytes(content)
    with Ledger(path) as ledger, pytest.raises(LedgerError, match=f"{path}: .*damaged"):
        ledger.resume(run)
    assert path.read_bytes() == bytes(content)


def test_a_file_cut_short_is_noticed(path):
    run = written(path)
    cut = path.read_bytes()[: 4096 * 4 + 100]
    path.write_bytes(cut)
    with pytest.raises(LedgerError, match="damaged"), Ledger(path) as ledger:
        ledger.resume(run)
    assert path.read_bytes() == cut


def test_any_single_damage_is_an_error_or_changes_nothing(path):
    """Damage page after page: what is read is what was written, or reading says it is damaged."""
    run = written(path, 60)
    whole = path.read_bytes()
    messages = []
    for position in range(20, len(whole), 257):
        path.write_bytes(whole)
        flip(path, position)
        try:
            with Ledger(path) as ledger:
                ledger.check()
                assert numbers(ledger, run) == list(range(60))
        except LedgerError as error:
            messages.append(str(error))
    assert len(messages) > 50
    assert all(str(path) in message for message in messages)


def test_a_closed_ledger_says_so():
    ledger = Ledger(None)
    run = ledger.begin({})
    ledger.close()
    with pytest.raises(LedgerError, match="closed"):
        ledger.append(run, [])


# -- reading ----------------------------------------------------------------------------------


def fill_disk(folder):
    with suppress(OSError), open(folder / "fill", "wb", buffering=0) as file:
        while True:
            file.write(bytes(1024))
    assert os.statvfs(folder).f_bavail == 0


def test_a_full_disk_is_read_all_the_same(tmp_path):
    with file_system(tmp_path / "small", "size=512k") as folder:
        run = written(folder / "ledger.sqlite", 20)
        fill_disk(folder)
        with Ledger(folder / "ledger.sqlite", read_only=True) as ledger:
            assert [record.status for record in ledger.runs()] == ["interrupted"]
            assert numbers(ledger, run) == list(range(20))


def test_a_reader_sees_the_log_of_a_living_writer_and_writes_nothing(path):
    with Ledger(path) as writer:
        run = writer.begin({})
        fill(writer, run, 0, 3)
        with Ledger(path, read_only=True) as reader:
            assert numbers(reader, run) == [0, 1, 2]
            assert reader.record(run).status == "running"
            with pytest.raises(LedgerError, match="read-only"):
                reader.begin({})
            with pytest.raises(LedgerError):
                reader.finish(run, "finished")
        assert writer.record(run).status == "running"


def test_a_reader_makes_no_file_and_refuses_an_empty_one(path):
    with pytest.raises(LedgerError, match="cannot be opened"):
        Ledger(path, read_only=True)
    assert not path.exists()
    path.touch()
    with pytest.raises(LedgerError, match="nothing has been recorded"):
        Ledger(path, read_only=True)
    assert path.read_bytes() == b""


def test_left_over_claims_of_finished_runs_are_removed(path):
    finished, open_run = written(path), written(path)
    with Ledger(path) as ledger:
        ledger.resume(finished)
        ledger.finish(finished, "finished")
    for run in (finished, open_run):
        for end in ("", "-journal"):
            path.with_name(f"{path.name}-{run}.lock{end}").touch()
    Ledger(path, read_only=True).close()
    assert len(list(path.parent.glob("*.lock*"))) == 4
    Ledger(path).close()
    assert {file.name.split("-")[1] for file in path.parent.glob("*.lock*")} == {f"{open_run}.lock"}
