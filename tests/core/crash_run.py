"""A real run that may be killed at any moment: twelve experts whose calls are all on file."""

from __future__ import annotations

import os
import random
import time
import zlib
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from swarmloom.config import Settings
from swarmloom.ledger import Ledger
from swarmloom.swarm import Swarm
from swarmloom.types import Expert, Reply, Task

TOPICS = 5
OPTIONS = 4
GRADED = 4
PLUGINS = ["bio_routing", "consensus", "entanglement", "orchestration", "patterns", "stigmergy"]


class Call(NamedTuple):
    """One call of an expert, as it wrote it down itself."""

    task: str
    expert: str
    time: float


def make_tasks(count: int) -> list[Task]:
    return [Task(f"task{n:02}", topic=f"topic{n % TOPICS}", options=OPTIONS) for n in range(count)]


def make_experts(calls: Path | None, *, inline: bool) -> list[Expert]:
    """Make twelve experts, each good at one topic; `calls` is where they note their calls."""
    return [make_expert(f"expert{n:02}", n, calls, inline=inline) for n in range(12)]


def make_expert(name: str, number: int, calls: Path | None, *, inline: bool) -> Expert:
    def answer(task: Task) -> Reply:
        if calls is not None:
            note(calls, f"{task.id} {name} {time.time()!r}\n")
        chance = random.Random(zlib.crc32(f"{task.id} {name}".encode()))
        if not inline:
            time.sleep(chance.uniform(0.0, 0.003))
        good = task.topic == f"topic{number % TOPICS}"
        right = chance.random() < (0.9 if good else 0.5)
        given = truth(task) if right else str(chance.randrange(OPTIONS))
        failed = chance.random() < 0.05
        # Declared latencies: measured ones would differ from run to run.
        return Reply(None if failed else given, latency=chance.uniform(0.1, 2.0))

    return Expert(name, answer, price=0.5 + number / 4, capacity=3, inline=inline)


def note(path: Path, line: str) -> None:
    # One write in append mode: whole lines, on file before the call goes on.
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, line.encode())
    os.close(descriptor)


def noted(path: Path) -> list[Call]:
    lines = [line.split() for line in path.read_text().splitlines()]
    return [Call(task, expert, float(at)) for task, expert, at in lines]


def truth(task: Task) -> str:
    return str(zlib.crc32(task.id.encode()) % OPTIONS)


def feedback(task: Task, answer: str | None) -> str | None:
    graded = int(task.id.removeprefix("task")) % GRADED == 0
    return truth(task) if graded else None


def make_settings(seed: int, plugins: Sequence[str]) -> Settings:
    return Settings(
        swarm={"seed": seed, "window": 8, "concurrency": 16, "quorum": 5},
        plugins={"enable": list(plugins)},
    )


def work(
    ledger: Path, calls: Path, seed: int, plugins: Sequence[str], tasks: int, stages: Connection
) -> None:
    """Go on with the last run of a ledger, or begin one, and bring it to its end.

    `stages` is told when the swarm is made and at each event.
    """
    with Swarm(
        make_experts(calls, inline=False), make_settings(seed, plugins), ledger=Ledger(ledger)
    ) as swarm:
        runs = swarm.ledger.runs()
        stages.send("made")
        if runs and runs[-1].status == "finished":
            return
        run = swarm.open_run(
            feedback=feedback,
            on_event=lambda event: stages.send(event.kind),
            resume=runs[-1].id if runs else None,
        )
        run.solve_now(make_tasks(tasks))
        run.close()
