"""Truth inference beside crowd-kit on recorded votes, and robust means beside NumPy.

Accuracy is in percent with ties in expectation for ours, and as crowd-kit breaks them for its
methods; CPU seconds are those of one thread, the least of a few runs for ours and of one run for
crowd-kit. One small set is the default; SWARMLOOM_FULL_BENCHMARKS takes all seven, and crowd-kit's
slow methods, and looks at random halves of the items.
"""

import os
import sys
import time
from functools import partial

import numpy as np
import pytest

from swarmloom_protocols.consensus.crowd.crowd import crowd
from swarmloom_protocols.consensus.robust_means import geometric_median
from tests.benchmarks import measuring
from tests.protocols.consensus.crowd.crowds import recorded

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))
SETS = ["bluebird", "CF", "MS", "rte", "sentiment", "web", "ZenCrowd_in"] if FULL else ["bluebird"]
METHODS = [
    "majority",
    "one_coin",
    "glad",
    "dawid_skene",
    "hierarchical",
    "ebcc",
    "auto",
]
PEERS = {
    "MajorityVote": {},
    "DawidSkene": {"n_iter": 100},
    "OneCoinDawidSkene": {"n_iter": 100},
    "MACE": {},
    "GLAD": {},
}

timed = partial(measuring.timed, clock=time.thread_time)


def show(line):
    sys.stdout.write(f"{line}\n")


def ours(columns, truth, method):
    crowd(*columns, method=method)
    found, seconds = timed(lambda: crowd(*columns, method=method), 3)
    return 100 * found.share_right(truth), seconds


def theirs(columns, truth, name):
    aggregation = pytest.importorskip("crowdkit.aggregation")
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(dict(zip(("task", "worker", "label"), columns, strict=True)))
    made = getattr(aggregation, name)(**PEERS[name])
    answers, seconds = timed(lambda: made.fit_predict(frame), 1)
    known = np.flatnonzero(truth >= 0)
    return 100 * float(np.mean(answers.reindex(known).to_numpy() == truth[known])), seconds


def table(rows):
    """Rows of name -> [(percent, seconds) of each set]."""
    majority = np.array([percent for percent, _ in rows["majority"]])
    cost = sum(seconds for _, seconds in rows["auto"])
    lines = {}
    for name, cells in rows.items():
        percents, seconds = np.array(cells).T
        lines[name] = {
            "percent": dict(zip(SETS, percents.round(2).tolist(), strict=True)),
            "mean": round(float(percents.mean()), 2),
            "least above majority": round(float((percents - majority).min()), 2),
            "CPU s": round(float(seconds.sum()), 4),
            "times auto": round(float(seconds.sum() / cost), 2),
        }
        cells = " ".join(f"{percent:6.2f}" for percent in percents)
        line = lines[name]
        show(
            f"{name:20s} {cells} mean {line['mean']:6.2f}"
            f" floor {line['least above majority']:6.2f}"
            f" CPU {line['CPU s']:8.3f} s = {line['times auto']:7.2f} × auto"
        )
    return lines


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.benchmark(group="truth inference")
def test_crowds(benchmark, shared_data):
    sets = {name: recorded(shared_data, name) for name in SETS}
    show(" ".join(SETS))
    rows = {method: [ours(*sets[name], method) for name in SETS] for method in METHODS}
    try:
        peers = list(PEERS) if FULL else ["MajorityVote", "DawidSkene"]
        rows |= {f"ck.{peer}": [theirs(*sets[name], peer) for name in SETS] for peer in peers}
    except pytest.skip.Exception as missing:
        show(f"crowd-kit left out: {missing}")
    columns, truth = sets[SETS[0]]
    benchmark.pedantic(lambda: crowd(*columns), rounds=3)
    benchmark.extra_info["table"] = table(rows)
    # Known answers are checked elsewhere; here, that the figures belong to the data.
    assert rows["majority"][0][0] == pytest.approx(75.93, abs=0.01)
    assert len(truth) == 108


def half(columns, truth, items):
    """The votes on some items, numbered anew."""
    rows = np.full(truth.size, -1)
    rows[items] = np.arange(items.size)
    kept = rows[columns[0]] >= 0
    item, worker, label = (column[kept] for column in columns)
    return (rows[item], worker, label), truth[items]


@pytest.mark.skipif(not FULL, reason="seven sets, halved eight times; SWARMLOOM_FULL_BENCHMARKS")
@pytest.mark.benchmark(group="truth inference on halves of the items")
def test_halves(benchmark, shared_data):
    """Whether the method with the best mean on some items is so on the other items too."""
    sets = [recorded(shared_data, name) for name in SETS]
    means = np.zeros((8, 2, len(METHODS)))
    floors = np.zeros_like(means)
    for split in range(len(means)):
        rng = np.random.default_rng(split)
        percents = np.zeros((2, len(METHODS), len(sets)))
        for s, (columns, truth) in enumerate(sets):
            sides = np.array_split(rng.permutation(truth.size), 2)
            for side, items in enumerate(sides):
                votes, known = half(columns, truth, items)
                for m, method in enumerate(METHODS):
                    found = crowd(*votes, n_labels=int(columns[2].max()) + 1, method=method)
                    percents[side, m, s] = 100 * found.share_right(known)
        means[split] = percents.mean(2)
        floors[split] = (percents - percents[:, :1]).min(2)
    chosen = means.argmax(2)
    rows = np.arange(len(means))
    elsewhere = [means[rows, 1 - side, chosen[:, side]] for side in (0, 1)]
    benchmark.pedantic(lambda: crowd(*sets[0][0], method="majority"), rounds=1)
    for m, method in enumerate(METHODS):
        line = f"mean {means[..., m].mean():.2f}, floor {floors[..., m].mean():.2f}"
        benchmark.extra_info[method] = line
        show(
            f"halves: {method:13s} {line}, worst floor {floors[..., m].min():.2f},"
            f" best mean in {np.sum(chosen == m)} of {chosen.size} halves"
        )
    benchmark.extra_info["chosen on one half"] = round(float(np.mean(elsewhere)), 2)
    show(f"the best of one half has a mean of {np.mean(elsewhere):.2f} on the other")


# Votes an item, votes a worker, labels, share of the first label, range of accuracies.
SIMULATED = {
    "3 an item, 5 a worker, 2 labels": (3, 5, 2, 1 / 2, (0.55, 0.95)),
    "3 an item, 30 a worker, 2 labels": (3, 30, 2, 1 / 2, (0.55, 0.95)),
    "10 an item, 30 a worker, 2 labels": (10, 30, 2, 1 / 2, (0.55, 0.95)),
    "5 an item, 10 a worker, 4 labels": (5, 10, 4, 1 / 4, (0.55, 0.95)),
    "5 an item, 100 a worker, 4 labels": (5, 100, 4, 1 / 4, (0.55, 0.95)),
    "5 an item, 10 a worker, 9 to 1": (5, 10, 2, 0.9, (0.55, 0.95)),
    "5 an item, 50 a worker, 9 to 1": (5, 50, 2, 0.9, (0.55, 0.95)),
    "5 an item, 50 a worker, weak": (5, 50, 2, 1 / 2, (0.4, 0.7)),
}


def independent_crowd(rng, each_item, each_worker, n_labels, first, accuracies, n_items=300):
    """Votes of workers who err independently and evenly."""
    n_workers = max(each_item, n_items * each_item // each_worker)
    accuracy = rng.uniform(*accuracies, n_workers)
    shares = np.r_[first, np.full(n_labels - 1, (1 - first) / (n_labels - 1))]
    truth = rng.choice(n_labels, n_items, p=shares)
    chosen = [rng.choice(n_workers, each_item, replace=False) for _ in range(n_items)]
    items, workers = np.repeat(np.arange(n_items), each_item), np.concatenate(chosen)
    off = np.where(
        rng.random(items.size) < accuracy[workers], 0, rng.integers(1, n_labels, items.size)
    )
    return (items, workers, (truth[items] + off) % n_labels), truth


@pytest.mark.parametrize("kind", SIMULATED)
@pytest.mark.benchmark(group="truth inference on simulated crowds")
def test_simulated_crowds(benchmark, kind):
    """Where majority is the better choice: few votes of each worker."""
    percents = {method: [] for method in METHODS}
    for seed in range(20 if FULL else 1):
        columns, truth = independent_crowd(np.random.default_rng(seed), *SIMULATED[kind])
        for method, found in percents.items():
            result = crowd(*columns, n_labels=SIMULATED[kind][2], method=method)
            found.append(100 * result.share_right(truth))
    benchmark.pedantic(lambda: crowd(*columns), rounds=1)
    means = {method: round(float(np.mean(found)), 1) for method, found in percents.items()}
    benchmark.extra_info["percent"] = means
    show(f"{kind}: {means}")


def byzfl_rounds(points, rounds, least=1e-10):
    """The loop of ByzFL 0.0.11's GeometricMedian in NumPy, which has no stopping rule."""
    at = np.zeros(points.shape[1])
    for _ in range(rounds):
        weights = 1 / np.maximum(np.linalg.norm(points - at, axis=1), least)
        at = np.sum(points * weights[:, None], axis=0) / weights.sum()
    return at


def weiszfeld_in_numpy(points, tolerance=1e-10):
    at, moved = points.mean(0), np.inf
    while moved > tolerance:
        weights = 1 / np.maximum(np.linalg.norm(points - at, axis=1), 1e-12)
        following = weights @ points / weights.sum()
        moved, at = np.linalg.norm(following - at), following
    return at


def opinions(kind, shape):
    points = np.random.default_rng(0).normal(size=shape)
    points[: {"honest": 0, "a fifth far": 200, "two fifths collude": 400}[kind]] = 5.0
    return points


@pytest.mark.parametrize("kind", ["honest", "a fifth far", "two fifths collude"])
@pytest.mark.benchmark(group="geometric median of 1,000 × 64")
def test_geometric_median(benchmark, kind):
    points = opinions(kind, (1000, 64))
    exact = byzfl_rounds(points, 400)
    geometric_median(points)
    needed = next(n for n in range(1, 400) if np.abs(byzfl_rounds(points, n) - exact).max() < 1e-9)
    contenders = {
        "ours": lambda: geometric_median(points),
        "NumPy until it stops": lambda: weiszfeld_in_numpy(points),
        f"ByzFL's loop, {needed} rounds": lambda: byzfl_rounds(points, needed),
        "ByzFL's loop, 100 rounds": lambda: byzfl_rounds(points, 100),
    }
    results = {name: timed(run, 30 if FULL else 3) for name, run in contenders.items()}
    benchmark.pedantic(contenders["ours"], rounds=5)
    for name, (found, seconds) in results.items():
        error, ratio = np.abs(found - exact).max(), seconds / results["ours"][1]
        benchmark.extra_info[name] = {"ms": round(1e3 * seconds, 3), "error": float(error)}
        show(f"{kind}: {name:26s} {1e3 * seconds:7.3f} ms = {ratio:5.1f} × ours, error {error:.0e}")
    assert np.abs(results["ours"][0] - exact).max() < 1e-9
