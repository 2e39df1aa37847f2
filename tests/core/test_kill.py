"""Runs killed by the operating system at random moments, again and again."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from swarmloom.events import EventKind
from swarmloom.ledger import Ledger
from swarmloom.swarm import Swarm
from tests.core import crash_run

KILLS = 50
TASKS = 60
MOST_STAGES = 60
LONGEST_WAIT = 0.02


@pytest.fixture(scope="module")
def processes():
    """Processes forked from one that has imported everything, so that kills meet runs at work."""
    context = multiprocessing.get_context("forkserver")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(
            "PYTHONPATH", str(Path(__file__).resolve().parents[2]), prepend=os.pathsep
        )
        context.set_forkserver_preload(["tests.core.crash_warm"])
        yield context


def start(processes, folder, seed, plugins):
    """Start a process; give it with an iterator over the stages that it tells, to its end."""
    ours, theirs = processes.Pipe(duplex=False)
    arguments = (folder / "ledger.sqlite", folder / "calls", seed, plugins, TASKS, theirs)
    process = processes.Process(target=crash_run.work, args=arguments)
    process.start()
    theirs.close()
    return process, stages_of(ours)


def stages_of(connection):
    with connection:
        while True:
            try:
                yield connection.recv()
            except (EOFError, OSError):
                return


def bring_to_its_end(processes, folder, seed, plugins, moments):
    """Kill a run at each of the moments until it ends or they do; give how often it was killed.

    A moment is a number of stages, 1 for the making of the swarm, and seconds after the last.
    """
    kills = 0
    for stages, wait in moments:
        process, told = start(processes, folder, seed, plugins)
        for _ in itertools.islice(told, stages):
            pass
        time.sleep(wait)
        process.kill()
        process.join()
        told.close()
        if process.exitcode == 0:
            return kills
        assert process.exitcode == -9
        kills += 1
    process, told = start(processes, folder, seed, plugins)
    for _ in told:
        pass
    process.join()
    assert process.exitcode == 0
    return kills


def outcomes_of(ledger, run):
    events = ledger.events(run, kinds=[EventKind.OUTCOME])
    return {event.task: dict(event.data) for event in events}


def uninterrupted(seed, plugins):
    experts = crash_run.make_experts(None, inline=False)
    with Swarm(experts, crash_run.make_settings(seed, plugins)) as swarm:
        result = swarm.run(crash_run.make_tasks(TASKS), feedback=crash_run.feedback)
        return outcomes_of(swarm.ledger, result.run_id)


def check_calls(ledger, run, calls, kills):
    """Check that nothing on record was asked or paid again."""
    events = list(ledger.events(run))
    outcome_at = {e.task: e.time for e in events if e.kind == EventKind.OUTCOME}
    ballots = [e for e in events if e.kind == EventKind.BALLOT]
    ballot_at = {(e.task, e.data["expert"]): e.time for e in ballots}
    assert len(ballots) == len(ballot_at) == ledger.record(run).calls
    made = Counter((call.task, call.expert) for call in calls)
    assert set(made) == set(ballot_at)
    # What was in flight at a kill was never received; nothing else may be asked twice.
    assert sum(made.values()) - len(made) <= kills * 16
    for call in calls:
        assert call.time <= ballot_at[call.task, call.expert]
        assert call.time <= outcome_at[call.task]


def moment(chance):
    return chance.randint(1, MOST_STAGES), chance.uniform(0.0, LONGEST_WAIT)


@pytest.mark.row("O14")
def test_fifty_kills_lose_nothing_and_repeat_nothing(processes, tmp_path):
    chance = random.Random(20)
    kills = seed = resumed = 0
    while kills < KILLS:
        folder = tmp_path / str(seed)
        folder.mkdir()
        moments = [moment(chance) for _ in range(KILLS - kills)]
        killed = bring_to_its_end(processes, folder, seed, crash_run.PLUGINS, moments)
        with Ledger(folder / "ledger.sqlite") as ledger:
            (record,) = ledger.runs()
            assert (record.status, record.tasks, record.finished) == ("finished", TASKS, TASKS)
            kinds = Counter(event.kind for event in ledger.events(record.id))
            assert kinds[EventKind.OUTCOME] == kinds[EventKind.TASK_OPENED] == TASKS
            assert kinds[EventKind.PLUGIN_FAILED] == 0
            resumed += kinds[EventKind.RUN_RESUMED]
            check_calls(ledger, record.id, crash_run.noted(folder / "calls"), killed)
            assert outcomes_of(ledger, record.id) == uninterrupted(seed, crash_run.PLUGINS)
        kills, seed = kills + killed, seed + 1
    assert kills == KILLS
    # Most kills met a run at work, not one that had not begun or not yet gone on.
    assert resumed > KILLS / 2
