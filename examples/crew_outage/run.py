"""An expert dies in the middle of a batch: nothing is lost, and the others take over.

python examples/crew_outage/run.py                    offline, no key
python examples/crew_outage/run.py --picture out.svg  the same as a picture

Six experts work through 600 tasks, 16 at a time. From task 200 on the busiest one raises an error
at every call; from task 400 on it would work again. The example runs the batch three times: without
any plugin, with bio-routing, and with bio-routing and somebody who takes the expert out and brings
it back by hand.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from swarmloom import Event, Expert, Reply, Settings, Swarm, Task

SKILL = {"Ada": 0.95, "Bob": 0.85, "Cy": 0.8, "Di": 0.75, "Ed": 0.65, "Flo": 0.55}
BREAKS, WORKS_AGAIN, TASKS, WINDOW = 200, 400, 600, 16
RIGHT, WRONG = "right", "wrong"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seed", type=int, default=1, help="of the experts' luck")
    parser.add_argument("--picture", type=Path, help="draw the calls of each expert into this file")
    options = parser.parse_args(argv)
    print(f"{TASKS} tasks; from task {BREAKS} to {WORKS_AGAIN} the busiest expert is out of order.")
    batches = {}
    print(f"{'':<28}{'unanswered':>11}{'failed calls':>14}{'right':>8}{'back in':>22}")
    for name, (plugins, by_hand) in WAYS.items():
        batch = batches[name] = Batch(options.seed)
        batch.work(plugins, by_hand=by_hand)
        print(f"{name:<28}{batch.lost:>11}{batch.failed:>14}{batch.right:>8.0%}{batch.back:>22}")
    if options.picture is not None:
        draw(batches, options.picture)
        print(f"Picture: {options.picture}")


WAYS = {
    "no plugin": ((), False),
    "bio-routing": (("bio_routing",), False),
    "bio-routing, and by hand": (("bio_routing",), True),
}


@dataclass
class Batch:
    """A batch of tasks, and what became of it."""

    seed: int
    broken: str = ""
    asked: list[str] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    answers: list[str | None] = field(default_factory=list)
    failed: int = 0

    def work(self, plugins: Sequence[str], *, by_hand: bool) -> None:
        """Let a swarm do the tasks; `by_hand` somebody reacts 16 tasks after each change."""
        tasks = [Task(f"t{number}", topic="letters", quorum=1) for number in range(TASKS)]
        settings = Settings(
            plugins={"enable": list(plugins)},
            swarm={"weights": dict.fromkeys(plugins, 1.0), "window": WINDOW},
            ledger={"enabled": False},
        )
        experts = [Expert(name, self.answering(name), capacity=6, inline=True) for name in SKILL]
        with Swarm(experts, settings) as swarm:
            run = swarm.open_run(feedback=lambda task, answer: RIGHT, on_event=self.hear)
            with run:
                outcomes = run.solve_now(tasks[: BREAKS + WINDOW])
                if by_hand:
                    swarm.tools()["fail_expert"](swarm, expert=self.broken, reason="errors")
                outcomes += run.solve_now(tasks[BREAKS + WINDOW : WORKS_AGAIN + WINDOW])
                if by_hand:
                    swarm.tools()["restore_expert"](swarm, expert=self.broken)
                outcomes += run.solve_now(tasks[WORKS_AGAIN + WINDOW :])
        self.answers = [outcome.verdict.answer for outcome in outcomes]

    def answering(self, name: str) -> Callable[[Task], Reply]:
        """Make an expert of a skill, which breaks while it is the busiest."""

        def answer(task: Task) -> Reply:
            number = int(task.id[1:])
            if number >= BREAKS and not self.broken:
                self.broken = Counter(self.asked[-100:]).most_common(1)[0][0]
            if name == self.broken and BREAKS <= number < WORKS_AGAIN:
                raise ConnectionError("out of order")
            luck = np.random.default_rng([self.seed, number, list(SKILL).index(name)]).random()
            return Reply(RIGHT if luck < SKILL[name] else WRONG, latency=1.0)

        return answer

    def hear(self, event: Event) -> None:
        """Note who is asked what, and what fails."""
        if event.kind == "ballot":
            self.asked.append(event.data["expert"])
            self.at.append(int(event.task[1:]))
            self.failed += event.data["error"] is not None

    @property
    def lost(self) -> int:
        """Tasks without an answer."""
        return sum(answer is None for answer in self.answers)

    @property
    def right(self) -> float:
        """Share of right answers."""
        return sum(answer == RIGHT for answer in self.answers) / TASKS

    @property
    def back(self) -> str:
        """When the broken expert was first asked again after it could work."""
        pairs = zip(self.asked, self.at, strict=True)
        tasks = [number for name, number in pairs if name == self.broken and number >= WORKS_AGAIN]
        return f"{min(tasks) - WORKS_AGAIN} tasks" if tasks else "not yet"


def draw(batches: dict[str, Batch], path: Path) -> None:
    """Draw who was asked along the batch."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(
        1, len(batches), figsize=(12, 3.2), sharey=True, layout="constrained"
    )
    edges = np.arange(0, TASKS + 1, 20)
    for panel, (title, batch) in zip(panels, batches.items(), strict=True):
        shares = [
            np.histogram([n for n, who in zip(batch.at, batch.asked, strict=True) if who == name],
                         edges)[0]
            for name in SKILL
        ]  # fmt: skip
        panel.stackplot(edges[:-1] + 10, np.array(shares) / np.sum(shares, axis=0), labels=SKILL)
        panel.axvspan(BREAKS, WORKS_AGAIN, color="#ffffff", alpha=0.35)
        panel.set(title=f"{title}; {batch.broken} breaks", xlabel="task", xlim=(0, TASKS))
    panels[0].set_ylabel("share of calls")
    panels[-1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(path)


if __name__ == "__main__":
    main()
