"""Synthetic crews for tests of plugins: experts that are good at some topics."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from swarmloom.types import Ballot, Outcome, Task, Verdict
from tests.core.swarms import inline, make_swarm

RIGHT, WRONG = "right", "wrong"


def outcome_of(task, *ballots, truth=None, posterior=None):
    answered = [ballot.answer for ballot in ballots if ballot.succeeded]
    verdict = Verdict(task.id, answered[0] if answered else None, posterior or {})
    return Outcome(task, verdict, ballots, truth=truth)


def graded(topic, expert, right, **options):
    """Outcome of one graded call."""
    task = Task(f"{topic}-{expert}", topic=topic)
    answer = RIGHT if right else WRONG
    return outcome_of(task, Ballot(task.id, expert, answer, **options), truth=RIGHT)


def specialists(seed, experts=8, topics=4):
    """Experts whose success rate differs from topic to topic, and the rates."""
    rng = np.random.default_rng(seed)
    skill = rng.uniform(0.1, 0.95, (topics, experts))

    def answer_of(expert):
        # The draw hangs on task and expert alone: every crew faces the same luck.
        def answer(task):
            luck = np.random.default_rng([seed, int(task.id[1:]), expert]).random()
            return RIGHT if luck < skill[int(task.topic), expert] else WRONG

        return answer

    return [inline(f"e{expert}", answer_of(expert)) for expert in range(experts)], skill


def share_right(seed, plugins, *, tasks=400, graded=0.5, config=None):
    """Share of right answers when each task is work for one expert, with only these plugins."""
    experts, _ = specialists(seed)
    rng = np.random.default_rng([seed, 1])
    topics, grades = rng.integers(0, 4, tasks), rng.random(tasks) < graded
    work = [Task(f"t{i}", topic=str(topics[i]), quorum=1) for i in range(tasks)]

    def feedback(task, answer):
        return RIGHT if grades[int(task.id[1:])] else None

    installed = {"enable": list(plugins), "config": config or {}}
    swarm = make_swarm(experts, plugin_settings=installed, swarm={"seed": seed, "window": 8})
    with swarm:
        answers = swarm.run(work, feedback=feedback).answers
    return sum(answer == RIGHT for answer in answers.values()) / tasks


def half_learned(plugin, truth=None, **second):
    """Return the reports, read while a plugin learns, that have one of a task's two calls alone."""
    done = threading.Event()

    def read():
        halves = []
        while not done.is_set():
            first, other, *_ = plugin.report()["experts"].values()
            halves += [(first, other)] if first["calls"] != other["calls"] else []
            plugin.why()
        return halves

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        try:
            for number in range(300):
                task = Task(f"t{number}", options=4)
                ballots = Ballot(task.id, 0, "A", cost=1.0), Ballot(task.id, 1, "B", **second)
                outcome = outcome_of(task, *ballots, truth=truth, posterior={"A": 0.5})
                plugin.swarmloom_evolve([outcome])
        finally:
            done.set()
        return reader.result()
