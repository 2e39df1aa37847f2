"""The panel rule over recorded answers, beside the best single expert and the majority of all.

Run with ``pytest tests/benchmarks/test_consensus_panel.py --benchmark-enable -s``; the figures of
the documentation need ``SWARMLOOM_FULL_BENCHMARKS=1`` (whole tables, five seeds). Every call is
billed, audits included, and the panel sees only answers that it paid for.
"""

import os
import sys

import numpy as np
import pytest

from tests.benchmarks import panel_stream as ps

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))
SEEDS = range(5) if FULL else range(1)
TASKS = 20_000 if FULL else 200
TARGETS = {"mmlu_pro": 1.7, "gsm8k": 1.2}
STRONGEST, CHEAP_LEADER = 25, 24


def read(shared_data, name):
    return ps.read_table(*(shared_data / place for place in ps.TABLES[name]))


def shortened(table, seed):
    """The first tasks of the stream, in its order."""
    kept = ps.stream_order(table, seed)[:TASKS]
    rows = (table.answers, table.truth, table.topic, table.n_options)
    return ps.Table(*(row[kept] for row in rows), table.prices)


def streams(table, target, graded=0.05, **changes):
    settings = ps.parsed_settings([f"target_cost={target}"])
    return [ps.stream(shortened(table, s), settings, s, graded, **changes) for s in SEEDS]


def shown(benchmark, run):
    """Time the streams once, print the means over seeds and keep them with the benchmark."""
    runs = benchmark.pedantic(run, rounds=1, warmup_rounds=0)
    line = ps.summary(runs)
    benchmark.extra_info["figures"] = line
    sys.stderr.write(f"\n  {benchmark.name}: {line}")
    return runs


@pytest.mark.parametrize("name", ps.TABLES)
@pytest.mark.parametrize("graded", [0.05, 0.0])
def test_stream(benchmark, shared_data, name, graded):
    table = read(shared_data, name)
    runs = shown(benchmark, lambda: streams(table, TARGETS[name], graded))
    right = table.answers == table.truth[:, None]
    best = int(right.mean(axis=0).argmax())
    peers = f"best single {right[:, best].mean():.4f} at {table.prices[best]:.2f}"
    benchmark.extra_info["peers"] = peers
    sys.stderr.write(f"; {peers}")
    assert all(np.isfinite(run.cost).all() and run.cost.mean() > 0 for run in runs)


@pytest.mark.parametrize("expert", [STRONGEST, CHEAP_LEADER])
def test_an_expert_fails_from_half_way(benchmark, shared_data, expert):
    whole = read(shared_data, "mmlu_pro")
    settings = ps.parsed_settings(["target_cost=2.0"])

    def drifting(without):
        runs = []
        for seed in SEEDS:
            table = ps.drifted(shortened(whole, seed), expert, seed)
            if without:
                table = ps.part(table, np.delete(np.arange(len(table.prices)), expert))
            runs.append(ps.stream(table, settings, seed))
        return runs

    for label, runs in (
        ("failing", shown(benchmark, lambda: drifting(without=False))),
        ("never there", drifting(without=True)),
    ):
        rows = [run.windows(len(run.right) // 2) for run in runs]
        windows = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        benchmark.extra_info[label] = windows
        sys.stderr.write(f"\n    {label}: " + " ".join(f"{n} {v:.3f}" for n, v in windows.items()))


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("studied", [100, 300, 1000] if FULL else [100])
def test_studied_beforehand(benchmark, shared_data, studied, labels):
    table = read(shared_data, "mmlu_pro")
    changes = {"studied": studied, "study_labels": labels}
    runs = shown(benchmark, lambda: streams(table, TARGETS["mmlu_pro"], **changes))
    assert all(run.panel.report().calls.min() >= studied for run in runs)


def test_topics_in_blocks(benchmark, shared_data):
    table = read(shared_data, "mmlu_pro")
    settings = ps.parsed_settings(["target_cost=1.7"])

    def run():
        tables = ((shortened(table, seed), seed) for seed in SEEDS)
        return [ps.stream(t, settings, seed, order=ps.blocks(t, seed)) for t, seed in tables]

    shown(benchmark, run)
