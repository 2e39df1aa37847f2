"""How a crew recovers when its busiest expert dies in the middle of a batch, as a picture.

    python -m tests.benchmarks.bio_routing_recovery docs/images/bio-routing-recovery.svg

Eight experts of different skill on four topics, four calls at a time each; 16 tasks a round, half
of them graded. From task 300 to task 599 the expert that was busiest answers with errors, or with
garbage at its usual speed. Printed as JSON; ten crews each.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from swarmloom.config import Settings
from swarmloom.events import EventKind
from swarmloom.swarm import Swarm
from swarmloom.types import Event, Expert, Reply, Task

EXPERTS, TOPICS, WINDOW = 8, 4, 16
DIES, REPAIRED, TASKS = 300, 600, 1200
SEEDS = range(10)
RIGHT, WRONG = "right", "wrong"
# An expert is drained where it gets less than this of its share before, and back above half of it.
DRAINED, BACK = 0.2, 0.5
SMOOTH = 3


@dataclass(slots=True)
class Crew:
    """Experts of whom one dies for a while, and what was asked of whom.

    Attributes
    ----------
    skill : ndarray, shape (TOPICS, EXPERTS)
        Success rates.
    kind : str
        "errors" or "garbage".
    """

    seed: int
    kind: str
    skill: np.ndarray
    calls: list[int] = field(default_factory=list)
    dead: int = -1

    @classmethod
    def of(cls, seed: int, kind: str) -> Crew:
        """Draw a crew."""
        rng = np.random.default_rng(seed)
        return cls(seed, kind, rng.uniform(0.3, 0.95, (TOPICS, EXPERTS)))

    def experts(self) -> list[Expert]:
        """Make the experts."""
        return [
            Expert(f"e{row}", self._answering(row), capacity=4, inline=True)
            for row in range(EXPERTS)
        ]

    def _answering(self, row: int) -> Callable[[Task], Reply]:
        def answer(task: Task) -> Reply:
            number = int(task.id[1:])
            if number >= DIES and self.dead < 0:
                self.dead = Counter(self.calls[-100:]).most_common(1)[0][0]
            self.calls.append(row)
            if row == self.dead and DIES <= number < REPAIRED:
                if self.kind == "errors":
                    raise ConnectionError("out of order")
                return Reply(WRONG, latency=1.0)
            luck = np.random.default_rng([self.seed, number, row]).random()
            right = luck < self.skill[int(task.topic), row]
            return Reply(RIGHT if right else WRONG, latency=1.0)

        return answer


def work(seed: int) -> tuple[list[Task], np.ndarray]:
    """Draw the tasks, and which of them are graded."""
    rng = np.random.default_rng([seed, 1])
    topics = rng.integers(0, TOPICS, TASKS)
    tasks = [Task(f"t{row}", topic=str(topic), quorum=1) for row, topic in enumerate(topics)]
    return tasks, rng.random(TASKS) < 0.5


@dataclass(slots=True)
class Record:
    """A run by rounds, counted from the one in which the expert dies.

    Attributes
    ----------
    share : dict of int to float
        Share of the calls of a round that the expert gets, of its share in the last 100 calls
        before.
    right : dict of int to float
        Share of right answers among the tasks that finish in a round.
    lost : int
        Tasks without an answer.
    retries : int
        Calls beyond one a task.
    repaired : int
        Round in which it can work again.
    """

    share: dict[int, float]
    right: dict[int, float]
    lost: int
    retries: int
    repaired: int


def outage(seed: int, kind: str, plugins: Sequence[str], *, by_hand: bool = False) -> Record:
    """Let the crew work through the outage.

    Parameters
    ----------
    seed : int
    kind : str
        "errors" or "garbage".
    plugins : sequence of str
        Those enabled.
    by_hand : bool
        Whether somebody calls `fail_expert` and `restore_expert` a round after each.
    """
    crew, events = Crew.of(seed, kind), []
    tasks, graded = work(seed)
    settings = Settings(
        plugins={"enable": list(plugins)},
        swarm={"seed": seed, "window": WINDOW, "weights": dict.fromkeys(plugins, 1.0)},
        ledger={"enabled": False},
    )

    def feedback(task: Task, answer: str | None) -> str | None:
        return RIGHT if graded[int(task.id[1:])] else None

    with (
        Swarm(crew.experts(), settings) as swarm,
        swarm.open_run(feedback=feedback, on_event=events.append) as run,
    ):
        for start, stop in _parts(by_hand):
            run.solve_now(tasks[start:stop])
            if by_hand and stop < TASKS:
                name = "fail_expert" if stop < REPAIRED else "restore_expert"
                swarm.tools()[name](swarm, expert=f"e{crew.dead}")
    return read(events, crew.dead)


def _parts(by_hand: bool) -> list[tuple[int, int]]:
    cuts = [0, DIES + WINDOW, REPAIRED + WINDOW, TASKS] if by_hand else [0, TASKS]
    return list(pairwise(cuts))


def read(events: Sequence[Event], dead: int) -> Record:
    """Read what came of a run from its events."""
    asked: dict[int, list[str]] = {}
    began, back, ballots = -1, -1, 0
    answers: dict[int, list[bool]] = {}
    number = 0
    for event in events:
        if event.kind == EventKind.DECISION:
            number = event.data["round"]
            asked.setdefault(number, []).append(event.data["expert"])
            began = number if began < 0 and int(event.task[1:]) >= DIES else began
            back = number if back < 0 and int(event.task[1:]) >= REPAIRED else back
        elif event.kind == EventKind.BALLOT:
            ballots += 1
        elif event.kind == EventKind.OUTCOME:
            answers.setdefault(number, []).append(event.data["answer"] == RIGHT)
    lost = sum(e.kind == EventKind.OUTCOME and e.data["answer"] is None for e in events)
    name = f"e{dead}"
    before = [expert for round in range(began) for expert in asked.get(round, [])][-100:]
    usual = before.count(name) / len(before)
    share = {n - began: names.count(name) / len(names) / usual for n, names in asked.items()}
    right = {n - began: float(np.mean(found)) for n, found in answers.items()}
    return Record(share, right, lost, ballots - TASKS, back - began)


def rounds_until(record: Record, start: int, holds: Callable[[float], bool], stop: int) -> int:
    """Count rounds from `start` until the mean share of three rounds holds; −1 for never."""
    for first in range(start, stop):
        seen = [record.share[n] for n in range(first, first + SMOOTH) if n in record.share]
        if seen and holds(float(np.mean(seen))):
            return first - start
    return -1


def summary(records: Sequence[Record]) -> dict[str, Any]:
    """Sum up the crews: medians, and the worst."""
    drained = [rounds_until(one, 0, lambda s: s < DRAINED, one.repaired) for one in records]
    back = [rounds_until(r, r.repaired, lambda s: s > BACK, max(r.share)) for r in records]
    return {
        "tasks lost": sum(one.lost for one in records),
        "retried calls, median": float(np.median([one.retries for one in records])),
        "rounds until drained": _spread(drained),
        "rounds until back": _spread(back),
        "right before": round(_right(records, -15, 0), 3),
        "right in the first 3 rounds": round(_right(records, 0, 3), 3),
        "right afterwards": round(_right(records, 5, 18), 3),
    }


def _spread(counts: Sequence[int]) -> dict[str, Any]:
    reached = [count for count in counts if count >= 0]
    return {
        "median": float(np.median(reached)) if reached else None,
        "worst": max(reached, default=None),
        "never": len(counts) - len(reached),
    }


def _right(records: Sequence[Record], first: int, stop: int) -> float:
    found = [one.right[n] for one in records for n in range(first, stop) if n in one.right]
    return float(np.mean(found))


CASES = {
    "errors, bio-routing": ("errors", ("bio_routing",), False),
    "errors, taken out by hand": ("errors", ("bio_routing",), True),
    "errors, no plugin": ("errors", (), False),
    "garbage, bio-routing": ("garbage", ("bio_routing",), False),
    "garbage, taken out by hand": ("garbage", ("bio_routing",), True),
    "garbage, no plugin": ("garbage", (), False),
}


def measured(seeds: Sequence[int] = SEEDS) -> dict[str, list[Record]]:
    """Run all cases."""
    return {
        name: [outage(seed, kind, plugins, by_hand=by_hand) for seed in seeds]
        for name, (kind, plugins, by_hand) in CASES.items()
    }


def mean_curve(curves: Sequence[dict[int, float]], first: int, stop: int) -> np.ndarray:
    """Average curves by round, three rounds at a time."""
    rounds = range(first, stop)
    means = [np.mean([c[n] for c in curves if n in c] or [np.nan]) for n in rounds]
    return np.convolve(means, np.ones(SMOOTH) / SMOOTH, mode="same")


def draw(found: dict[str, list[Record]], path: Path) -> None:
    """Draw the expert's share, and the share of right answers, by rounds."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "swarmloom"
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(2, 2, figsize=(11, 5.6), sharex=True, layout="constrained")
    first, stop = -12, 56
    for name, records in found.items():
        kind, way = name.split(", ")
        column = panels[:, ("errors", "garbage").index(kind)]
        for panel, attribute in zip(column, ("share", "right"), strict=True):
            curve = mean_curve([getattr(one, attribute) for one in records], first - 1, stop + 1)
            panel.plot(range(first, stop), curve[1:-1], label=way, linewidth=1.2)
        column[0].set_title(f"the busiest expert answers with {kind}", fontsize=10)
        column[1].set_xlabel("round (16 tasks) since it broke")
    for panel in panels.flat:
        panel.axvline(0, color="#999999", linewidth=0.7)
        panel.axvline((REPAIRED - DIES) / WINDOW, color="#999999", linewidth=0.7, linestyle="--")
        panel.grid(alpha=0.3)
    panels[0, 0].set_ylabel("its calls, of those before")
    panels[1, 0].set_ylabel("right answers")
    panels[0, 1].legend(fontsize=8)
    figure.savefig(path, metadata={"Date": None})


def main(arguments: Sequence[str]) -> None:
    """Measure, print as JSON, and draw where a file is named."""
    found = measured()
    told = {name: summary(records) for name, records in found.items()}
    sys.stdout.write(f"{json.dumps(told, indent=1)}\n")
    for name in arguments:
        draw(found, Path(name))


if __name__ == "__main__":
    main(sys.argv[1:])
