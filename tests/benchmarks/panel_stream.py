"""Stream tables of recorded answers through a `Panel`: every call billed, few tasks graded.

Run as a script for a table of means over seeds::

    python tests/benchmarks/panel_stream.py --table mmlu_pro target_cost=1.7
"""

from __future__ import annotations

import argparse
import csv
import time
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from swarmloom_protocols.consensus.panel import Panel, PanelSettings

TABLES = {
    "mmlu_pro": ("panel/mmlu_pro_letters.csv", "panel/costs.toml"),
    "gsm8k": ("answers/gsm8k_41_models.csv", "answers/gsm8k_costs.toml"),
}


@dataclass(frozen=True)
class Table:
    """Recorded answers: one row a task, answers as integers, -1 for none."""

    answers: np.ndarray
    truth: np.ndarray
    topic: np.ndarray
    n_options: np.ndarray
    prices: np.ndarray


@dataclass(frozen=True)
class Run:
    """What one stream gave."""

    right: np.ndarray
    cost: np.ndarray
    confidence: np.ndarray
    audit_cost: float
    decisions: int
    seconds: float

    def figures(self) -> dict[str, float]:
        half = len(self.right) // 2
        return {
            "accuracy": self.right.mean(),
            "cost": self.cost.mean(),
            "audits": self.audit_cost,
            "half2_accuracy": self.right[half:].mean(),
            "half2_cost": self.cost[half:].mean(),
            "overconfidence": self.confidence.mean() - self.right.mean(),
            "first200_accuracy": self.right[:200].mean(),
            "first200_cost": self.cost[:200].mean(),
            "microseconds": 1e6 * self.seconds / self.decisions,
        }


def read_table(answers: Path, costs: Path) -> Table:
    with answers.open() as lines:
        rows = list(csv.DictReader(lines))
    listed = tomllib.loads(costs.read_text())["costs"]
    experts = [name for name in rows[0] if name in listed]
    topics = sorted({row.get("category", "") for row in rows})
    codes, truth = [], []
    for row in rows:
        known: dict[str, int] = {"": -1}
        codes.append([known.setdefault(row[name], len(known) - 1) for name in experts])
        truth.append(known.setdefault(row["gold"], len(known) - 1))
    return Table(
        np.array(codes),
        np.array(truth),
        np.array([topics.index(row.get("category", "")) for row in rows]),
        np.array([int(row.get("n_options", 0)) for row in rows]),
        np.array([listed[name] for name in experts]),
    )


def one_task(panel, table, item, names):
    """Ask until the panel stops; return its experts and their answers."""
    topic, n_options = int(table.topic[item]), int(table.n_options[item]) or None
    experts, answers = [], []
    while (expert := panel.next(topic, n_options, experts, answers)) >= 0:
        experts.append(expert)
        answers.append(names.setdefault(int(table.answers[item, expert]), len(names) - 1))
    costs = table.prices[experts]
    return panel.record(topic, n_options, experts, answers, costs), costs.sum()


def audit(panel, table, item, number, names):
    """Reveal the truth and buy what the panel wants to know; return the cost."""
    panel.grade(number, names.setdefault(int(table.truth[item]), len(names) - 1))
    cost = 0.0
    while (expert := panel.audit(number)) >= 0:
        answer = names.setdefault(int(table.answers[item, expert]), len(names) - 1)
        panel.add_answer(number, expert, answer, float(table.prices[expert]))
        cost += table.prices[expert]
    return cost


def stream(table: Table, settings: PanelSettings, seed: int, graded: float = 0.05) -> Run:
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(table.truth))
    lottery = rng.random(len(order)) < graded
    panel = Panel(table.prices, int(table.topic.max()) + 1, settings, rng=rng)
    right, cost, confidence = np.zeros((3, len(order)))
    decisions, audits = 0, 0.0
    started = time.perf_counter()
    for step, item in enumerate(order):
        names: dict[int, int] = {-1: -1}
        number, cost[step] = one_task(panel, table, item, names)
        verdict, confidence[step] = panel.verdict(number)
        right[step] = verdict >= 0 and names.get(int(table.truth[item])) == verdict
        if lottery[step]:
            paid = audit(panel, table, item, number, names)
            cost[step] += paid
            audits += paid
    seconds = time.perf_counter() - started
    decisions = int(panel.report().calls.sum()) + len(order)
    return Run(right, cost, confidence, audits / len(order), decisions, seconds)


def parsed_settings(pairs: list[str]) -> PanelSettings:
    given = dict(pair.split("=") for pair in pairs)
    kinds = {field.name: field.type for field in fields(PanelSettings)}
    changes = {n: int(v) if kinds[n] == "int" else float(v) for n, v in given.items()}
    return replace(PanelSettings(), **changes)


def summary(runs: list[Run]) -> str:
    rows = [run.figures() for run in runs]
    mean = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    spread = np.std([row["accuracy"] for row in rows], ddof=1) if len(rows) > 1 else 0.0
    lowest = min(row["accuracy"] for row in rows)
    figures = " ".join(f"{name} {value:.4g}" for name, value in mean.items())
    return f"{figures} sd {spread:.4f} lowest {lowest:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", choices=sorted(TABLES), default="mmlu_pro")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--graded", type=float, default=0.05)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("settings", nargs="*", help="name=value of PanelSettings")
    args = parser.parse_args()
    table = read_table(*(args.data / name for name in TABLES[args.table]))
    settings = parsed_settings(args.settings)
    runs = [stream(table, settings, seed, args.graded) for seed in args.seeds]
    print(args.table, *args.settings, "|", summary(runs))  # noqa: T201


if __name__ == "__main__":
    main()
