"""Run a crew with the installed plugin, and without it; say what the plugin changed.

Twenty-four simulated experts of four kinds vote in threes. Needs swarmloom and swarmloom-flocking.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np

from swarmloom import Expert, Settings, Swarm, Task

OPTIONS = 6
SIZES = (12, 4, 4, 4)
TASKS = 400


def recorded_answers(
    rng: np.random.Generator, tasks: int, topics: int, shared: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw right answers (tasks,), topics (tasks,) and everybody's answers (tasks, experts).

    A kind is right on a topic with probability 0.85 (for 2 topics of 5) or 0.5. With probability
    `shared` an expert gives its kind's answer, mistakes included, otherwise one of its own.
    """
    kinds = np.repeat(np.arange(len(SIZES)), SIZES)
    skill = rng.choice([0.85, 0.5], size=(topics, len(SIZES)), p=[0.4, 0.6])
    topic = rng.integers(topics, size=tasks)
    gold = rng.integers(OPTIONS, size=tasks)

    def draw(rates: np.ndarray) -> np.ndarray:
        wrong = (gold[:, None] + rng.integers(1, OPTIONS, size=rates.shape)) % OPTIONS
        return np.where(rng.random(rates.shape) < rates, gold[:, None], wrong)

    own, common = draw(skill[topic][:, kinds]), draw(skill[topic])[:, kinds]
    answers = np.where(rng.random(own.shape) < shared, common, own)
    return gold, topic, answers[:, rng.permutation(len(kinds))]


def run_crew(
    seed: int, settings: Settings, plugins: Sequence[tuple[str, object]] = ()
) -> tuple[float, float, dict[str, float]]:
    """Run the crew on simulated tasks, a fifth of them graded.

    Returns accuracy, calls a task and each protocol's share in the decisions.
    """
    rng = np.random.default_rng(seed)
    gold, topic, answers = recorded_answers(rng, TASKS, topics=20, shared=0.85)
    graded = rng.random(TASKS) < 0.2
    experts = [
        Expert(f"expert {i}", lambda task, i=i: str(answers[int(task.id), i]), inline=True)
        for i in range(answers.shape[1])
    ]

    def feedback(task: Task, answer: str | None) -> str | None:
        return str(gold[int(task.id)]) if graded[int(task.id)] else None

    work = [Task(str(i), topic=f"topic {topic[i]}", options=OPTIONS) for i in range(TASKS)]
    with Swarm(experts, settings, plugins=plugins) as swarm:
        swarm.host.check()
        result = swarm.run(work, feedback=feedback)
    right = [result.answers[str(i)] == str(gold[i]) for i in range(TASKS)]
    return float(np.mean(right)), result.calls / TASKS, dict(result.shares)


def settings_for(seed: int, **plugins: object) -> Settings:
    """Let the kernel's majority of three judge, so that the plugin is seen at work."""
    return Settings(swarm={"seed": seed, "weights": {"flocking": 1.0}, "quorum": 3},
                    plugins=plugins)  # fmt: skip


def main() -> int:
    """Print accuracy with and without the plugin, and its share; 1 where it took no part."""
    rest = ["consensus"]
    with_it, calls, shares = run_crew(0, settings_for(0, required=["flocking"], disable=rest))
    without, fewer, _ = run_crew(0, settings_for(0, disable=[*rest, "flocking"]))
    print(f"with flocking:    {with_it:.1%} right, {calls:.2f} answers a task")
    print(f"without flocking: {without:.1%} right, {fewer:.2f} answers a task")
    for name, share in sorted(shares.items(), key=lambda item: -item[1]):
        print(f"{name:>15} {share:.1%} of the decisions")
    return 0 if shares.get("flocking", 0.0) > 0.0 else 1


if __name__ == "__main__":
    sys.exit(main())
