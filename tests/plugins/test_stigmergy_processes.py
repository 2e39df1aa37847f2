"""Processes that learn together, one of them killed."""

from __future__ import annotations

import multiprocessing
import os
import signal

from swarmloom_protocols.stigmergy.traces.store import TraceStore
from tests.plugins.test_stigmergy_store import grades, protocol_of, swarm_with, work

PROCESSES, TASKS = 2, 20


def work_in_a_process(path, number, victim):
    with swarm_with(path) as swarm:
        if victim:
            swarm.run(work(5, f"{number}-"), feedback=grades)
            protocol_of(swarm).claim("report", "victim", ttl=0.05)
            os.kill(os.getpid(), signal.SIGKILL)
        swarm.run(work(TASKS, f"{number}-"), feedback=grades)


def test_lessons_of_all_processes_add_up_and_a_killed_one_blocks_nobody(tmp_path):
    path = str(tmp_path / "traces.sqlite")
    context = multiprocessing.get_context("spawn")
    started = [
        context.Process(target=work_in_a_process, args=(path, number, number == 0))
        for number in range(PROCESSES)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join(60)
    assert [process.exitcode for process in started] == [-signal.SIGKILL, 0]
    expected = 5 + (PROCESSES - 1) * TASKS
    with TraceStore.open(path) as store:
        rows = store.changes(0)[1]
        assert store.claim(("task", "report"), agent="heir", ttl=1.0) is not None
    assert sum(row.amount for row in rows if row.channel == "finished") == expected
    assert sum(row.amount for row in rows if row.channel in ("ok", "fail")) == expected
    with swarm_with(path) as late:
        late.run(work(2, "late"), feedback=grades)
        seen = [one for topic in ("sums", "verse") for one in protocol_of(late).sense(topic)]
    assert sum(one["answered"] for one in seen) == expected + 2
