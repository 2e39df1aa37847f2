"""How far traces steer a crew's choices, with and without consensus and entanglement.

Eight experts, each good at some of four topics, answer questions with four options. Half of the
questions are graded. ``python -m tests.benchmarks.stigmergy_ablation`` prints the table at full
size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from swarmloom.config import Settings
from swarmloom.swarm import Swarm
from swarmloom.types import Expert, Task
from tests.benchmarks.stigmergy_worlds import Row, interval

OPTIONS = "ABCD"
EXPERTS, TOPICS, GRADED = 8, 4, 0.5

MIXTURES: dict[str, tuple[str, ...]] = {
    "nothing": (),
    "stigmergy": ("stigmergy",),
    "consensus": ("consensus",),
    "consensus, stigmergy": ("consensus", "stigmergy"),
    "entanglement": ("entanglement",),
    "entanglement, stigmergy": ("entanglement", "stigmergy"),
    "consensus, entanglement": ("consensus", "entanglement"),
    "consensus, entanglement, stigmergy": ("consensus", "entanglement", "stigmergy"),
}


class Ablation(NamedTuple):
    """What one mixture came to.

    Attributes
    ----------
    right : (float, float)
        Share of questions answered rightly, and half of its 95 % interval.
    asked_best : (float, float)
        Share of first calls that went to the topic's best expert.
    calls : (float, float)
        Calls a question.
    share : (float, float)
        Stigmergy's share in the decisions.
    """

    right: Row
    asked_best: Row
    calls: Row
    share: Row


def crew(seed: int) -> tuple[list[Expert], np.ndarray]:
    """Experts whose luck hangs on question and expert alone, and their skill by topic."""
    skill = np.random.default_rng(seed).uniform(0.2, 0.95, (TOPICS, EXPERTS))

    def expert(column: int) -> Expert:
        def answer(task: Task) -> str:
            rng = np.random.default_rng([seed, int(task.id[1:]), column])
            right = OPTIONS[int(task.id[1:]) % 4]
            if rng.random() < skill[int(task.topic), column]:
                return right
            return str(rng.choice([option for option in OPTIONS if option != right]))

        return Expert(f"e{column}", answer, inline=True)

    return [expert(column) for column in range(EXPERTS)], skill


def one_run(seed: int, plugins: Sequence[str], questions: int) -> tuple[float, ...]:
    """Share right, share of first calls to the best, calls a question, stigmergy's share."""
    experts, skill = crew(seed)
    rng = np.random.default_rng([seed, 1])
    topics, graded = rng.integers(0, TOPICS, questions), rng.random(questions) < GRADED
    tasks = [Task(f"t{i}", topic=str(t), options=4) for i, t in enumerate(topics.tolist())]
    settings = Settings(
        plugins={"enable": list(plugins)}, swarm={"seed": seed, "window": 4, "quorum": 3}
    )
    truth = {task.id: OPTIONS[int(task.id[1:]) % 4] for task in tasks}
    with Swarm(experts, settings) as swarm:
        result = swarm.run(
            tasks, feedback=lambda task, _: truth[task.id] if graded[int(task.id[1:])] else None
        )
    right = np.mean([answer == truth[task] for task, answer in result.answers.items()])
    best = skill.argmax(axis=1)
    first = [(o.ballots[0].expert, int(o.task.topic)) for o in result.outcomes if o.ballots]
    asked_best = np.mean([expert == best[topic] for expert, topic in first])
    share = result.shares.get("stigmergy", 0.0)
    return float(right), float(asked_best), result.calls / questions, share


def ablation(seeds: int, questions: int, mixtures: Sequence[str] = ()) -> dict[str, Ablation]:
    """Compare mixtures on the same crews, questions and luck."""
    found = {}
    for name in mixtures or MIXTURES:
        runs = [one_run(seed, MIXTURES[name], questions) for seed in range(seeds)]
        found[name] = Ablation(*(interval(column) for column in zip(*runs, strict=True)))
    return found


if __name__ == "__main__":
    for name, row in ablation(12, 400).items():
        figures = ", ".join(f"{value:.3f} ± {half:.3f}" for value, half in row)
        print(f"{name:36} {figures}")  # noqa: T201
