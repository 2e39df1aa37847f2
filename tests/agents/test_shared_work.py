"""Several processes at one list of tasks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest

from swarmloom import Expert, Swarm, Task
from swarmloom.config import Settings
from swarmloom.events import outcome_event
from swarmloom_agents.shared_work import SharedWork, run_shared
from swarmloom_protocols.stigmergy.traces.store import TraceStore

TASKS = [Task(f"t{i}", prompt=f"question {i}", quorum=1) for i in range(60)]


def swarm_of(answer, **budget):
    settings = Settings(
        plugins={"enable": []}, ledger={"enabled": False}, swarm={"window": 8}, budget=budget
    )
    return Swarm([Expert("a", answer, inline=True)], settings)


def test_alone_it_does_everything(tmp_path):
    with swarm_of(lambda task: task.id.upper()) as swarm:
        result, done = run_shared(swarm, TASKS, tmp_path / "work.sqlite")
    assert done.keys() == {task.id for task in TASKS} == result.answers.keys()
    assert done["t7"]["answer"] == "T7"
    with swarm_of(lambda task: "again") as swarm:
        result, done = run_shared(swarm, TASKS, tmp_path / "work.sqlite")
    assert result.calls == 0
    assert done["t7"]["answer"] == "T7"


def test_another_list_of_tasks_is_other_work(tmp_path):
    for suffix in ("x", "y"):
        tasks = [Task("t", prompt=suffix, quorum=1)]
        with swarm_of(lambda task: task.prompt) as swarm:
            _, done = run_shared(swarm, tasks, tmp_path / "work.sqlite")
        assert done["t"]["answer"] == suffix


def test_threads_share_and_nothing_is_done_twice(tmp_path):
    asked: Counter[str] = Counter()
    lock = threading.Lock()

    def answer(task):
        with lock:
            asked[task.id] += 1
        time.sleep(0.002)
        return "x"

    results = []

    def work():
        with swarm_of(answer) as swarm:
            results.append(run_shared(swarm, TASKS, tmp_path / "work.sqlite"))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == Counter(task.id for task in TASKS)
    assert all(len(done) == 60 for _, done in results)
    assert sorted(len(result.outcomes) for result, _ in results)[0] > 0


def test_tasks_without_money_are_given_back(tmp_path):
    with swarm_of(lambda task: "x", calls=10) as swarm:
        _, done = run_shared(swarm, TASKS, tmp_path / "work.sqlite")
    assert len(done) == 10
    with swarm_of(lambda task: "y") as swarm:
        _, done = run_shared(swarm, TASKS, tmp_path / "work.sqlite")
    assert Counter(one["answer"] for one in done.values()) == {"x": 10, "y": 50}


def outcomes(tasks, answer="x"):
    with swarm_of(lambda task: answer) as swarm:
        return swarm.run(tasks).outcomes


def test_what_a_lost_claim_did_is_not_recorded():
    clock = [0.0]
    board = TraceStore(clock=lambda: clock[0]).board("b")
    work = SharedWork(TASKS[:1], board, agent="me", truths={})

    def slow(tasks):
        clock[0] += 100.0
        other = board.next("other", 1.0)
        assert other is not None
        other.finish({"answer": "other's"})
        return outcomes(tasks, "late")

    work.solve(slow, 1)
    assert work.results() == {"t0": {"answer": "other's"}}


def test_claims_are_renewed_while_the_work_lasts():
    board = TraceStore().board("b")
    work = SharedWork(TASKS[:1], board, agent="me", truths={}, ttl=0.3)

    def slow(tasks):
        time.sleep(1.0)
        assert board.next("other", 1.0) is None
        return outcomes(tasks)

    work.solve(slow, 1)
    assert board.done == 1


def test_each_outcome_is_recorded_when_it_is_there(tmp_path):
    file = tmp_path / "work.sqlite"

    def answer(task):
        if task.id == "t20":
            raise KeyboardInterrupt
        return "x"

    with swarm_of(answer) as swarm, pytest.raises(KeyboardInterrupt):
        run_shared(swarm, TASKS, file)
    with swarm_of(lambda task: "y") as swarm:
        _, done = run_shared(swarm, TASKS, file)
    assert Counter(one["answer"] for one in done.values())["x"] >= 16
    assert len(done) == 60


def test_an_outcome_is_recorded_before_the_batch_is_over():
    board = TraceStore().board("b")
    work = SharedWork(TASKS[:8], board, agent="me", truths={})
    heard = []
    hear = work.listening(heard.append)

    def cut_off(tasks):
        hear(outcome_event(outcomes(tasks[:1])[0], "judged"))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work.solve(cut_off, 8)
    assert work.results().keys() == {"t0"}
    assert (board.done, board.held, board.waiting) == (1, 0, 7)
    assert [event.task for event in heard] == ["t0"]


def test_tasks_that_failed_are_tried_again_by_the_next_command(tmp_path):
    file = tmp_path / "work.sqlite"

    def out_of_order(task):
        raise RuntimeError("no connection")

    with swarm_of(out_of_order) as swarm:
        result, done = run_shared(swarm, TASKS[:5], file)
    assert done == {}
    assert result.calls == 5
    with swarm_of(lambda task: "x") as swarm:
        _, done = run_shared(swarm, TASKS[:5], file)
    assert len(done) == 5


def test_an_edited_task_is_new_work_and_the_others_stay_done(tmp_path):
    file = tmp_path / "work.sqlite"
    tasks = [Task(f"t{i}", prompt="p", options=4, quorum=1) for i in range(4)]
    with swarm_of(lambda task: "old") as swarm:
        run_shared(swarm, tasks, file, truths={"t3": "old"})
    edited = [tasks[0], Task("t1", prompt="p", options=5, quorum=1), *tasks[2:]]
    with swarm_of(lambda task: "new") as swarm:
        result, done = run_shared(swarm, edited, file, truths={"t3": "new"})
    assert [done[f"t{i}"]["answer"] for i in range(4)] == ["old", "new", "old", "new"]
    assert result.calls == 2


def test_work_left_on_the_board_by_another_list_holds_nobody_up(tmp_path):
    file = tmp_path / "work.sqlite"
    with swarm_of(lambda task: "x", calls=1) as swarm:
        run_shared(swarm, TASKS, file)
    with swarm_of(lambda task: "x") as swarm:
        _, done = run_shared(swarm, [Task("other", quorum=1)], file)
    assert done.keys() == {"other"}


SCRIPT = """
import sys, time
from pathlib import Path
from swarmloom import Expert, Swarm, Task
from swarmloom.config import Settings
from swarmloom_agents import shared_work

file, log = Path(sys.argv[1]), Path(sys.argv[2])
tasks = [Task(f"t{i}", prompt=f"question {i}", quorum=1) for i in range(60)]

def answer(task):
    time.sleep(0.03)
    with log.open("a") as out:
        out.write(task.id + "\\n")
    return "x"

settings = Settings(plugins={"enable": []}, ledger={"enabled": False}, swarm={"window": 4})
original = shared_work.SharedWork
shared_work.SharedWork = lambda *a, **k: original(*a, **k, ttl=1.0)
with Swarm([Expert("a", answer, inline=True)], settings) as swarm:
    result, done = shared_work.run_shared(swarm, tasks, file)
print(len(done), len(result.outcomes))
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_killed_process_leaves_its_tasks_to_the_others(tmp_path):
    command = [sys.executable, "-c", SCRIPT, tmp_path / "work.sqlite"]
    logs = [tmp_path / f"{i}.log" for i in range(3)]
    processes = [
        subprocess.Popen([*command, log], stdout=subprocess.PIPE, text=True) for log in logs
    ]
    deadline = time.monotonic() + 60
    while not logs[0].exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    processes[0].send_signal(signal.SIGKILL)
    outputs = [process.communicate(timeout=60)[0].split() for process in processes]
    assert processes[0].returncode == -signal.SIGKILL
    assert [processes[i].returncode for i in (1, 2)] == [0, 0]
    assert outputs[1][0] == outputs[2][0] == "60"
    finished = Counter(line for log in logs for line in log.read_text().split())
    assert len(finished) == 60
    # At most what the killed process had claimed was done a second time.
    assert finished.total() <= 60 + 4
    with TraceStore.open(tmp_path / "work.sqlite") as store:
        assert store.board("tasks").done == 60


def test_the_command_shares_and_reports_what_others_did(tmp_path, monkeypatch, capsys):
    from swarmloom.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SWARMLOOM_LEDGER__PATH", str(tmp_path / "ledger.sqlite"))
    monkeypatch.setenv("SWARMLOOM_PLUGINS__ENABLE", '["crewai", "patterns"]')
    (tmp_path / "swarm.toml").write_text('tasks = "tasks.jsonl"\n[[experts]]\nname = "Ann"\n')
    lines = [json.dumps({"id": f"t{i}", "prompt": f"What is {i}?"}) for i in range(3)]
    (tmp_path / "tasks.jsonl").write_text("\n".join(lines))
    (tmp_path / "answers.json").write_text(json.dumps({f"t{i}": str(i) for i in range(3)}))
    command = ["run", "swarm.toml", "--offline", "answers.json", "--shared", "w.sqlite", "--json"]
    reports = []
    for _ in range(2):
        with pytest.raises(SystemExit) as ended:
            main(command)
        assert not ended.value.code
        reports.append(json.loads(capsys.readouterr().out))
    assert [task["answer"] for task in reports[0]["tasks"]] == ["0", "1", "2"]
    assert reports[0]["others"] == {}
    assert reports[1]["tasks"] == []
    assert {key: one["answer"] for key, one in reports[1]["others"].items()} == {
        "t0": "0",
        "t1": "1",
        "t2": "2",
    }
    with pytest.raises(SystemExit) as ended:
        main(["run", "--crew", ".", "--shared", "w.sqlite"])
    assert ended.value.code == 2
    assert "--shared divides" in capsys.readouterr().err
