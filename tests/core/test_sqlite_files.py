"""One connection to an SQLite file a process: forks, threads that hold it, texts, closing."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from swarmloom.errors import InputError, StoreError, StoreLockedError
from swarmloom.sqlite_files import ProcessConnection, SqliteKind

KIND = SqliteKind(
    label="notes",
    mark=b"TEST",
    version=1,
    schema=("CREATE TABLE notes (text TEXT NOT NULL) STRICT",),
    error=StoreError,
    ways_out="use another path",
    locked_error=StoreLockedError,
)


def add(file, *texts):
    with file.writing() as connection:
        for text in texts:
            connection.execute("INSERT INTO notes VALUES (?)", (text,))


def texts(file):
    with file.reading() as connection:
        return [text for (text,) in connection.execute("SELECT text FROM notes ORDER BY text")]


def in_child(work):
    """Run something in a forked child; a child that hangs is ended by its alarm."""
    child = os.fork()
    if not child:
        code = 1
        try:
            signal.alarm(20)
            code = 0 if work() else 1
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_children_forked_while_threads_write_go_on(tmp_path):
    file = ProcessConnection(KIND, tmp_path / "notes.sqlite", 15.0)
    over = threading.Event()

    def write():
        while not over.is_set():
            add(file, "parent")

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()

    def work():
        add(file, "child")
        return "child" in texts(file)

    statuses = [in_child(work) for _ in range(10)]
    over.set()
    for thread in threads:
        thread.join()
    assert statuses == [0] * 10
    assert texts(file).count("child") == 10
    assert file._kind.open_reader(tmp_path / "notes.sqlite", 1.0).execute(
        "PRAGMA integrity_check"
    ).fetchone() == ("ok",)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_child_made_while_a_thread_keeps_the_file_for_long_has_its_own_connection(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("swarmloom.sqlite_files._FORK_PATIENCE", 0.05)
    file = ProcessConnection(KIND, tmp_path / "notes.sqlite", 20.0)
    held, over = threading.Event(), threading.Event()

    def hold():
        with file.reading():
            held.set()
            over.wait()

    with file.reading() as parents:
        pass
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()

    def work():
        add(file, "child")
        with file.reading() as own:
            return own is not parents

    status = in_child(work)
    over.set()
    thread.join()
    assert status == 0
    add(file, "parent")
    assert texts(file) == ["child", "parent"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_child_of_one_without_a_file_has_a_copy_and_of_a_closed_one_is_closed():
    file = ProcessConnection(KIND, None, 1.0)
    add(file, "parent")

    def copied():
        add(file, "child")
        return texts(file) == ["child", "parent"] and in_child(lambda: len(texts(file)) == 2) == 0

    assert in_child(copied) == 0
    assert texts(file) == ["parent"]
    file.close()
    file.close()

    def refused():
        with pytest.raises(StoreError, match="notes :memory:: it is closed; open it again"):
            texts(file)
        return True

    assert refused()
    assert in_child(refused) == 0


def test_patience_with_other_threads_ends(tmp_path):
    file = ProcessConnection(KIND, tmp_path / "notes.sqlite", 1.0, patience=0.01)
    with file.reading(), pytest.raises(StoreLockedError, match=r"notes\.sqlite: other threads"):
        add(file, "late")
    assert texts(file) == []


def test_what_is_no_unicode_text_is_refused_and_nothing_is_written():
    file = ProcessConnection(KIND, None, 1.0)
    with pytest.raises(InputError, match="cannot be written; allowed: Unicode text"):
        add(file, "fine", "\ud800")
    assert texts(file) == []
