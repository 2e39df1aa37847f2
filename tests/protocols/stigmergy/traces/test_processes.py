"""Several processes on one store, some of which are killed at work."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from swarmloom_protocols.stigmergy.traces.store import TraceStore

WORKER = Path(__file__).with_name("board_worker.py")
TASKS, WORKERS, KILLED = 500, 6, 5
TTL, SECONDS = 1.0, 0.015


class Crew:
    """Processes that work on one board; each is replaced when it is killed."""

    def __init__(self, folder):
        self.folder, self.started, self.alive = folder, 0, []

    def start(self):
        agent = f"agent{self.started}"
        self.started += 1
        record = self.folder / f"{agent}.txt"
        arguments = [self.folder / "store.sqlite", record, agent, str(TTL), str(SECONDS)]
        process = subprocess.Popen(
            [sys.executable, WORKER, *arguments], stdout=subprocess.PIPE, text=True
        )
        self.alive.append(process)
        return process

    def kill(self, process):
        process.kill()
        assert process.wait() == -signal.SIGKILL
        process.stdout.close()
        self.alive.remove(process)

    def wait(self):
        for process in self.alive:
            process.communicate(timeout=60)
            assert process.returncode == 0

    def records(self):
        for file in self.folder.glob("agent*.txt"):
            for line in file.read_text().splitlines():
                key, token, finished = line.split()
                yield int(key), int(token), finished == "True"


def test_each_task_is_done_once_whoever_is_killed(tmp_path):
    rng, crew = random.Random(7), Crew(tmp_path)
    with TraceStore.open(tmp_path / "store.sqlite", timeout=60.0) as store:
        board = store.board("tasks")
        store.channel("load", half_life=60.0)
        board.add(range(TASKS))
        for process in [crew.start() for _ in range(WORKERS)]:
            assert process.stdout.readline() == "ready\n"
        killed = 0
        while board.done < TASKS - WORKERS and killed < KILLED:
            time.sleep(rng.uniform(0.02, 0.15))
            crew.kill(rng.choice(crew.alive))
            crew.start()
            killed += 1
        crew.wait()
        assert killed == KILLED
        results = board.results()
        assert (board.waiting, board.held, board.done) == (0, 0, TASKS)
    with TraceStore.open(tmp_path / "store.sqlite") as again:
        assert again.board("tasks").results() == results
        tries = again.sense("tries", "load").evidence
    assert list(results) == list(range(TASKS))
    finished = Counter()
    for key, token, done in crew.records():
        finished[key] += done
        # What a worker was told is what the store holds.
        assert done == (results[key][1] == token)
    # A worker may be killed after its result was recorded and before it could write that down.
    assert set(finished.values()) == {1}
    assert TASKS - KILLED <= len(finished) <= TASKS
    assert TASKS <= tries <= TASKS + KILLED


DEPOSITS = """
import sys
from swarmloom_protocols.stigmergy.traces.store import TraceStore
with TraceStore.open(sys.argv[1], timeout=60.0) as store:
    for number in range(200):
        store.deposit("hot", "ok", agent="a")
    store.deposit_many([("hot", "ok", "a")] * 100)
"""


def test_no_deposit_is_lost_between_processes(tmp_path):
    path = tmp_path / "store.sqlite"
    # None of them finds a store: one makes it, the others wait.
    processes = [subprocess.Popen([sys.executable, "-c", DEPOSITS, path]) for _ in range(4)]
    assert [process.wait(timeout=60) for process in processes] == [0] * 4
    with TraceStore.open(path) as store:
        assert store.sense("hot", "ok").by_agent == {"a": 1200.0}
        assert store.changes(0)[0] == 1200


def connection_of(store):
    with store._backend._database.reading() as connection:
        return connection


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_child_can_go_on_with_its_parents_store(tmp_path):
    with TraceStore.open(tmp_path / "store.sqlite", timeout=60.0) as store:
        store.deposit("k", "ok", agent="parent")
        parents = connection_of(store)
        child = os.fork()
        if not child:
            try:
                store.deposit("k", "ok", agent="child")
                # SQLite forbids to use a connection on both sides of a fork.
                own = connection_of(store) is not parents
                store.close()
            finally:
                os._exit(0 if own else 1)
        store.deposit("k", "ok", agent="parent")
        assert os.waitpid(child, 0)[1] == 0
        assert store.sense("k", "ok").by_agent == {"parent": 2.0, "child": 1.0}
