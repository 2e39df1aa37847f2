"""Stream tables of recorded answers through a `Panel`: every call billed, few tasks graded."""

from __future__ import annotations

import argparse
import csv
import time
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from swarmloom_protocols.consensus.panel import Panel, PanelSettings


@dataclass(frozen=True)
class Table:
    """Recorded answers: one row a task, answers as integers, -1 for none."""

    answers: np.ndarray
    truth: np.ndarray
    topic: np.ndarray
    n_options: np.ndarray
    prices: np.ndarray


def read_table(answers: Path, costs: Path) -> Table:
    with answers.open() as lines:
        rows = list(csv.DictReader(lines))
    listed = tomllib.loads(costs.read_text())["costs"]
    experts = [name for name in rows[0] if name in listed]
    topics = sorted({row.get("category", "") for row in rows})
    codes, truth = [], []
    for row in rows:
        known: dict[str, int] = {"": -1}
        code = [known.setdefault(row[name], len(known) - 1) for name in experts]
        codes.append(code)
        truth.append(known.setdefault(row["gold"], len(known) - 1))
    return Table(
        np.array(codes),
        np.array(truth),
        np.array([topics.index(row.get("category", "")) for row in rows]),
        np.array([int(row.get("n_options", 0)) for row in rows]),
        np.array([listed[name] for name in experts]),
    )


def stream(table, settings, seed, graded=0.05, detail=False):
    """Run one seed; returns accuracy, cost, audit cost, second-half accuracy and cost, seconds."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(table.truth))
    lottery = rng.random(len(order)) < graded
    panel = Panel(table.prices, int(table.topic.max()) + 1, settings, rng)
    hits, costs, conf = np.zeros(len(order)), np.zeros(len(order)), np.zeros(len(order))
    asks = 0
    started = time.perf_counter()
    for step, item in enumerate(order):
        row, topic, n_options = table.answers[item], int(table.topic[item]), int(table.n_options[item])
        names: dict[int, int] = {-1: -1}
        experts, answers = [], []
        while (expert := panel.next(topic, n_options, experts, answers)) >= 0:
            experts.append(expert)
            answers.append(names.setdefault(int(row[expert]), len(names) - 1))
        paid = [float(table.prices[e]) for e in experts]
        number = panel.record(topic, n_options, experts, answers, paid)
        asks += len(experts)
        verdict = panel.journal["verdict"][number]
        conf[step] = panel.journal["confidence"][number]
        truth = int(table.truth[item])
        hits[step] = verdict >= 0 and names.get(truth) == verdict
        costs[step] = sum(paid)
        if lottery[step]:
            panel.grade(number, names.setdefault(truth, len(names) - 1))
            while (expert := panel.audit(number)) >= 0:
                answer = names.setdefault(int(row[expert]), len(names) - 1)
                cost = float(table.prices[expert])
                panel.add_answer(number, expert, answer, cost)
                costs[step] += cost
    seconds = time.perf_counter() - started
    half = len(order) // 2
    return dict(acc=hits.mean(), cost=costs.mean(), aud=panel.audit_spent / len(order),
                acc2=hits[half:].mean(), cost2=costs[half:].mean(), oc=conf.mean() - hits.mean(),
                us=1e6 * seconds / (asks + len(order)), sec=seconds, pool=panel.pool.sum(), lam=panel.price,
                first=hits[:200].mean(), firstcost=costs[:200].mean())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--set", choices=["mmlu", "gsm8k"], default="mmlu")
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[3] / "shared/data")
    parser.add_argument("--graded", type=float, default=0.05)
    parser.add_argument("--seeds", default="100,101,102")
    parser.add_argument("settings", nargs="*", help="name=value")
    args = parser.parse_args()
    files = {"mmlu": ("panel/mmlu_pro_letters.csv", "panel/costs.toml"),
             "gsm8k": ("answers/gsm8k_41_models.csv", "answers/gsm8k_costs.toml")}[args.set]
    table = read_table(*(args.data / f for f in files))
    kinds = {f.name: type(f.default) for f in fields(PanelSettings)}
    given = dict(pair.split("=") for pair in args.settings)
    settings = replace(PanelSettings(), **{k: kinds[k](float(v)) for k, v in given.items()})
    got = [stream(table, settings, int(s), args.graded) for s in args.seeds.split(",")]
    mean = {k: np.mean([g[k] for g in got]) for k in got[0]}
    sd = np.std([g["acc"] for g in got], ddof=1) if len(got) > 1 else 0
    print(args.set, " ".join(args.settings), "|", f"acc {mean['acc']:.4f}±{sd:.4f} @ {mean['cost']:.3f} aud {mean['aud']:.3f}",
          f"half2 {mean['acc2']:.4f} @ {mean['cost2']:.3f} oc {mean['oc']:+.3f} first200 {mean['first']:.3f}@{mean['firstcost']:.2f} us {mean['us']:.0f} sec {mean['sec']:.1f} pool {mean['pool']:.1f} lam {mean['lam']:.4f}", flush=True)


if __name__ == "__main__":
    main()
