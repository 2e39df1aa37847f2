"""Stream tables of recorded answers through a `Panel`: every call billed, few tasks graded.

Run as a script for a table of means over seeds::

    python tests/benchmarks/panel_stream.py --table mmlu_pro target_cost=1.7
"""

from __future__ import annotations

import argparse
import csv
import itertools
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
    panel: Panel

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
            "ece": calibration_error(self.confidence, self.right),
            "ece_half2": calibration_error(self.confidence[half:], self.right[half:]),
            "changes": len(self.panel.changes()),
            "microseconds": 1e6 * self.seconds / self.decisions,
        }

    def windows(self, start: int) -> dict[str, float]:
        """Accuracy by the number of tasks since ``start``."""
        edges = (-1000, 0, 100, 200, 300, 500, 1000, 2000, 4000)
        since = self.right[max(start - 1000, 0) :]
        offset = min(start, 1000)
        return {
            f"{low}..{high}": since[max(low + offset, 0) : high + offset].mean()
            for low, high in itertools.pairwise(edges)
            if high + offset <= len(since)
        }


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error over ten equal bins of stated confidence."""
    place = np.minimum((10 * confidence).astype(int), 9)
    gap = np.bincount(place, confidence - right, 10)
    return float(np.abs(gap).sum() / len(right))


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


def stream(
    table: Table,
    settings: PanelSettings,
    seed: int,
    graded: float = 0.05,
    *,
    order: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    studied: int = 0,
    study_labels: bool = True,
) -> Run:
    """Run a stream in random or the given order; ``studied`` tasks of it are known beforehand."""
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(table.truth))
    lottery = rng.random(len(shuffled)) < graded
    order = shuffled if order is None else order
    panel = Panel(table.prices, int(table.topic.max()) + 1, settings, rng=rng, groups=groups)
    if studied:
        study(panel, table, order[:studied], study_labels)
        order = order[studied:]
    right, cost, confidence = np.zeros((3, len(order)))
    audits, started = 0.0, time.process_time()
    for step, item in enumerate(order):
        names: dict[int, int] = {-1: -1}
        number, cost[step] = one_task(panel, table, item, names)
        verdict, confidence[step] = panel.verdict(number)
        right[step] = verdict >= 0 and names.get(int(table.truth[item])) == verdict
        if lottery[step]:
            paid = audit(panel, table, item, number, names)
            cost[step] += paid
            audits += paid
    seconds = time.process_time() - started
    decisions = int(panel.report().calls.sum()) + len(order)
    return Run(right, cost, confidence, audits / len(order), decisions, seconds, panel)


def study(panel: Panel, table: Table, items: np.ndarray, labels: bool) -> None:
    """Show the panel the recorded answers of all experts to some tasks."""
    truth = table.truth[items] if labels else None
    options = None if table.n_options.max() == 0 else table.n_options[items]
    panel.study(table.topic[items], options, table.answers[items], truth)


def stream_order(table: Table, seed: int) -> np.ndarray:
    """The random order in which `stream` takes the tasks."""
    return np.random.default_rng(seed).permutation(len(table.truth))


def blocks(table: Table, seed: int) -> np.ndarray:
    """An order in which topics come one after the other."""
    order = stream_order(table, seed)
    rank = np.random.default_rng([seed, 1]).permutation(int(table.topic.max()) + 1)
    return order[np.argsort(rank[table.topic[order]], kind="stable")]


def drifted(table: Table, expert: int, seed: int) -> Table:
    """Let one expert answer at random from half way of `stream_order` on."""
    rng = np.random.default_rng([seed, 2])
    later = stream_order(table, seed)[len(table.truth) // 2 :]
    answers = table.answers.copy()
    choices = np.where(table.n_options[later] > 0, table.n_options[later], 1000)
    answers[later, expert] = rng.integers(0, choices)
    return replace(table, answers=answers)


def part(table: Table, experts: np.ndarray) -> Table:
    """Only some of the experts."""
    return replace(table, answers=table.answers[:, experts], prices=table.prices[experts])


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


def one_stream(table: Table, settings: PanelSettings, seed: int, args: argparse.Namespace) -> Run:
    """One stream of the scenario asked for on the command line."""
    kinds = {"study_labels": not args.unlabelled_study, "studied": args.studied}
    if args.drift >= 0:
        table = drifted(table, args.drift, seed)
    if args.without >= 0:
        table = part(table, np.delete(np.arange(len(table.prices)), args.without))
    order = blocks(table, seed) if args.blocks else None
    return stream(table, settings, seed, args.graded, order=order, **kinds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", choices=sorted(TABLES), default="mmlu_pro")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--graded", type=float, default=0.05)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--studied", type=int, default=0, help="tasks recorded beforehand")
    parser.add_argument("--unlabelled-study", action="store_true")
    parser.add_argument("--drift", type=int, default=-1, help="expert that fails from half way on")
    parser.add_argument("--without", type=int, default=-1, help="expert left out")
    parser.add_argument("--blocks", action="store_true", help="topics one after the other")
    parser.add_argument("--windows", action="store_true", help="accuracy around half way")
    parser.add_argument("--changes", action="store_true", help="experts found to turn bad")
    parser.add_argument("settings", nargs="*", help="name=value of PanelSettings")
    args = parser.parse_args()
    table = read_table(*(args.data / name for name in TABLES[args.table]))
    settings = parsed_settings(args.settings)
    runs = [one_stream(table, settings, seed, args) for seed in args.seeds]
    print(args.table, *args.settings, "|", summary(runs))  # noqa: T201
    if args.changes:
        print(*(run.panel.changes() for run in runs), sep="\n")  # noqa: T201
    if args.windows:
        rows = [run.windows(len(table.truth) // 2) for run in runs]
        for name in rows[0]:
            print(f"  {name}: {np.mean([row[name] for row in rows]):.4f}")  # noqa: T201


if __name__ == "__main__":
    main()
