"""Trust in a running swarm beside the kernel's majority: recorded answers of crews of nine."""

from __future__ import annotations

import logging
import os
import time

import numpy as np

from swarmloom import Expert, Settings, Swarm, Task
from swarmloom.backtest.answers import read_answers

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))
CREWS, ITEMS, LEARNED = (10, 500, 100) if FULL else (2, 200, 60)
TABLES = ("answers/gsm8k_41_models.csv", "panel/mmlu_pro_letters.csv")
WAYS = {"trust": ["consensus", "patterns"], "majority": ["patterns"]}


def recorded(table, expert):
    def answer(task):
        code = table.codes[int(task.id), expert]
        return table.labels[code] if code >= 0 else None

    return answer


def measure(table, experts, plugins):
    """Accuracy, calls and CPU seconds a task, after the first tasks."""
    config = {"consensus": {"method": "trust"}} if "consensus" in plugins else {}
    crew = [Expert(f"e{e}", recorded(table, e), inline=True) for e in experts]
    settings = Settings(
        swarm={"window": 1, "quorum": 9}, plugins={"enable": plugins, "config": config}
    )
    with Swarm(crew, settings) as swarm:
        began = time.process_time()
        outcomes = swarm.run([Task(str(item)) for item in range(len(table))]).outcomes
        seconds = time.process_time() - began
    gold = [table.labels[code] for code in table.gold]
    late = outcomes[LEARNED:]
    right = np.mean([o.verdict.answer == gold[int(o.task.id)] for o in late])
    return right, np.mean([len(o.ballots) for o in late]), seconds / len(table)


def test_trust_beside_majority(benchmark, shared_data, caplog):
    caplog.set_level(logging.ERROR, "swarmloom")
    rows = {}

    def compare():
        for name in TABLES:
            whole, rng = read_answers(shared_data / name), np.random.default_rng(0)
            found = []
            for _ in range(CREWS):
                table = whole.take(rng.permutation(len(whole))[:ITEMS])
                experts = rng.choice(len(table.experts), 9, replace=False).tolist()
                found.append([measure(table, experts, plugins) for plugins in WAYS.values()])
            rows[name] = np.mean(found, axis=0)

    benchmark.pedantic(compare, rounds=1)
    for name, measured in rows.items():
        for way, (right, calls, seconds) in zip(WAYS, measured.tolist(), strict=True):
            text = f"{name} {way}: {100 * right:.1f} %, {calls:.2f} calls, {1e3 * seconds:.2f} ms"
            benchmark.extra_info[f"{name} {way}"] = text
            if benchmark.enabled:
                print(text)  # noqa: T201
