"""Verdicts of crews of language models, beside majority and crowd-kit's GLAD, MACE and OneCoin.

Run with ``pytest tests/benchmarks/test_consensus_answers.py --benchmark-enable -s``; the figures of
the documentation need ``SWARMLOOM_FULL_BENCHMARKS=1``. Two tables are at hand, GSM8K (41 models)
and MMLU-Pro (29); answers sampled many times from one model are not, so that early stopping of
self-consistency is run on draws from the models' answers, which is no measurement of a model.
"""

import os
import sys

import numpy as np
import pytest

from swarmloom_protocols.consensus.answers.agree import agree
from swarmloom_protocols.consensus.answers.crew_report import crew_report
from swarmloom_protocols.consensus.answers.reliability import auroc2, reliability, right_at_coverage
from swarmloom_protocols.consensus.answers.self_consistency import SelfConsistency
from tests.benchmarks import answer_crews as ac
from tests.benchmarks.measuring import timed

FULL = bool(os.environ.get("SWARMLOOM_FULL_BENCHMARKS"))
N_CREWS = 100 if FULL else 6
ITEMS = 20_000 if FULL else 1000


@pytest.fixture(scope="module", params=ac.TABLES)
def named(request, shared_data):
    table = ac.read(shared_data, request.param)
    kept = np.random.default_rng(0).permutation(len(table.truth))[:ITEMS]
    return request.param, ac.Answers(table.votes[kept], table.truth[kept], table.names)


def show(benchmark, rows):
    """Print one line a row and keep the figures with the benchmark."""
    benchmark.extra_info["rows"] = rows
    for name, row in rows.items():
        figures = "  ".join(f"{key} {value:.2f}" for key, value in row.items())
        sys.stderr.write(f"\n  {benchmark.name} {name}: {figures}")


def once(benchmark, function):
    return benchmark.pedantic(function, rounds=1, warmup_rounds=0)


def test_crews_with_trust_from_100_unlabelled_items(benchmark, named):
    """G1, and the other ways to let a crew answer, by the crew's size."""
    name, table = named

    def run(size):
        rng = np.random.default_rng(100)
        drawn = ac.crews(table, size, N_CREWS, rng)
        return [ac.one_crew(table, *crew) for crew in drawn]

    sizes = (3, 5, 9, 15) if FULL else (9,)
    rows = once(benchmark, lambda: {f"{name}, crew of {size}": run(size) for size in sizes})
    show(benchmark, {size: ac.mean_rows(found) for size, found in rows.items()})
    nine = rows[f"{name}, crew of 9"]
    means = ac.mean_rows(nine)
    gains = [row["trust, early"] - row["majority"] for row in nine]
    below = float(np.mean(np.array(gains) < 0.0))
    show(benchmark, {"gain of 9": {"mean": np.mean(gains), "worst": min(gains), "below": below}})
    assert np.mean(gains) >= {"GSM8K": 0.0, "MMLU-Pro": 4.0}[name] - (0 if FULL else 1.0)
    assert means["calls"] <= 3.2


# Without the full benchmarks the peers are only shown to run.
FEW_STEPS = {"GLAD": {"n_iter": 2}, "MACE": {"n_restarts": 1, "n_iter": 2}}


def peer(name):
    aggregation = pytest.importorskip("crowdkit.aggregation")
    return getattr(aggregation, name)(**({} if FULL else FEW_STEPS.get(name, {})))


def labelled(table, rng):
    """crowd-kit's input, each item's answers coded at random: they mean nothing beyond it."""
    pandas = pytest.importorskip("pandas")
    n_codes = int(table.votes.max()) + 1
    codes = np.array([rng.permutation(n_codes) for _ in table.truth])
    items, agents = np.nonzero(table.votes >= 0)
    labels = codes[items, table.votes[items, agents]]
    frame = pandas.DataFrame({"task": items, "worker": agents, "label": labels})
    right = np.where(
        table.truth < n_codes,
        codes[np.arange(len(codes)), np.minimum(table.truth, n_codes - 1)],
        -1,
    )
    return frame, right


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_full_pools_beside_crowd_kit(benchmark, named):
    """G2."""
    name, table = named
    kept = 3000 if FULL else 60
    table = ac.Answers(table.votes[:kept], table.truth[:kept], table.names)
    frame, right = labelled(table, np.random.default_rng(1))
    agree(table.votes)
    once(benchmark, lambda: agree(table.votes))
    ours, seconds = timed(lambda: agree(table.votes), 5)
    rows = {f"{name}, ours": {"right": 100 * ac.share_right(ours.answers, table.truth)}}
    rows[f"{name}, ours"]["CPU s"] = seconds
    rows[f"{name}, majority"] = {"right": 100 * ac.majority(table.votes, table.truth)}
    for method in ("GLAD", "MACE", "OneCoinDawidSkene"):
        found, spent = timed(lambda method=method: peer(method).fit_predict(frame))
        answers = found.reindex(np.arange(len(right)), fill_value=-2).to_numpy()
        accuracy = 100 * ac.share_right(answers, right)
        rows[f"{name}, {method}"] = {"right": accuracy, "CPU s": spent, "ratio": spent / seconds}
    show(benchmark, rows)
    best = max(row["right"] for row in rows.values())
    assert rows[f"{name}, ours"]["right"] >= best - (0.0 if FULL else 6.0)


@pytest.mark.parametrize("attack", ["collude", "camouflage"])
def test_bad_experts(benchmark, named, attack):
    """G3 and G4: against the majority of the honest agents alone."""
    name, table = named
    wrong = ac.popular_wrong(table)

    def run(size, bad):
        rng = np.random.default_rng(200)
        drawn = ac.crews(table, size, N_CREWS // 2, rng)
        return ac.mean_rows(
            [ac.attacked_crew(table, *crew, bad, attack, wrong, rng) for crew in drawn]
        )

    sizes = ((9, 2), (9, 3), (9, 4), (15, 5), (15, 7)) if FULL else ((9, 3), (9, 4))
    rows = once(
        benchmark,
        lambda: {f"{name} {attack}, {bad} of {size} bad": run(size, bad) for size, bad in sizes},
    )
    show(benchmark, rows)
    slack = 0.5 if FULL else 2.0
    for row in rows.values():
        assert row["10 probes"] >= row["honest majority"] - slack
    if name == "GSM8K":
        few = [row for key, row in rows.items() if key.split()[2] in "235"]
        assert all(row["no probes"] >= row["honest majority"] - 2 * slack for row in few)
    else:
        assert all(row["warned"] == 1.0 for row in rows.values())


def test_copies_of_one_weak_model(benchmark, named):
    """G5: four of nine are copies that agree with it on 85 % of the items."""
    name, table = named
    rng = np.random.default_rng(300)
    rows = once(benchmark, lambda: [ac.cloned_crew(table, rng) for _ in range(N_CREWS)])
    means = ac.mean_rows(rows)
    show(benchmark, {f"{name}, 4 copies of 9": means})
    assert means["names known"] >= means["one copy"] - 1.0


def test_confidence(benchmark, named):
    """G13."""
    name, table = named

    def one(columns):
        decision = agree(table.votes[:, columns])
        right = decision.answers == table.truth
        found = reliability(decision.confidence, right)
        half = right_at_coverage(decision.confidence, right, 0.5)
        return {
            "auroc2": auroc2(decision.confidence, right),
            "right": 100 * right.mean(),
            "right at half": 100 * half,
            "calibration error": found.error,
            "over-confidence": found.over_confidence,
            "effective voters": decision.effective_voters,
            "copies suspected": float(any("copies" in text for text in decision.warnings)),
        }

    rng = np.random.default_rng(400)
    rows = once(
        benchmark,
        lambda: {
            f"{name}, crew of {size}": ac.mean_rows(
                [one(columns) for columns, _, _ in ac.crews(table, size, N_CREWS, rng)]
            )
            for size in ((3, 5, 9, 15) if FULL else (9,))
        },
    )
    show(benchmark, rows)
    nine = rows[f"{name}, crew of 9"]
    assert nine["auroc2"] >= (0.75 if FULL else 0.7)
    assert -0.08 <= nine["over-confidence"] <= (0.02 if FULL else 0.05)


def test_certainty_of_crews_that_nothing_is_known_of(benchmark, shared_data):
    """The prior on single items: over both tables, no lower intercept has less loss."""
    tables = {name: ac.read(shared_data, name) for name in ac.TABLES}
    crews = 40 if FULL else 12

    def one(name, size, intercept):
        rng = np.random.default_rng(500)
        drawn = ac.crews(tables[name], size, crews, rng)
        return ac.mean_rows([ac.new_crew(tables[name], crew[0], intercept) for crew in drawn])

    intercepts, sizes = (0.0, -0.35, -0.7), (1, 2, 3, 5, 9) if FULL else (3, 9)
    rows = once(
        benchmark,
        lambda: {
            (name, size, intercept): one(name, size, intercept)
            for name in tables
            for size in sizes
            for intercept in intercepts
        },
    )
    show(benchmark, {f"{n}, crew of {s}, prior {i:g}": row for (n, s, i), row in rows.items()})
    for size in (3, 9):
        loss = [sum(rows[name, size, i]["log loss"] for name in tables) for i in intercepts]
        assert loss == sorted(loss)


def test_report_on_full_pools(benchmark, named):
    name, table = named
    report = once(benchmark, lambda: crew_report(table.votes))
    with_key = crew_report(table.votes, truth=table.truth)
    for pair in report.redundant[:5]:
        both = f"{table.names[pair.first]} / {table.names[pair.second]}"
        sys.stderr.write(f"\n  {name} redundant: {both} {pair.score:.2f}")
    known, unknown = with_key.effective_voters, report.effective_voters
    show(benchmark, {f"{name}, effective voters": {"truth": known, "verdicts": unknown}})
    gain = with_key.gain
    show(benchmark, {f"{name}, gain": {"verdict": gain.verdict, "best": gain.best}})
    if name == "MMLU-Pro":
        families = [
            {table.names[one].split("-")[0:2][0] for one in (pair.first, pair.second)}
            for pair in report.redundant[:5]
        ]
        assert sum(len(family) == 1 for family in families) >= 4


RULES = {
    "lead 4": {"rule": "lead", "lead": 4},
    "lead 3": {"rule": "lead", "lead": 3},
    "beta .95": {"rule": "beta"},
    "e-value 5": {"rule": "evalue"},
    "locked": {"rule": "locked"},
}


def sampled(rule, draws, truth):
    """Accuracy in %, mean calls, and how often the answer is that of all draws."""
    right = calls = same = 0
    for row, key in zip(draws, truth, strict=True):
        sampling = SelfConsistency(**RULES[rule], most=len(row))
        for answer in row:
            if sampling.update(int(answer)):
                break
        counts = np.bincount(row)
        first = min(np.flatnonzero(counts == counts.max()), key=list(row).index)
        right += sampling.answer == key
        same += sampling.answer == first
        calls += sampling.calls
    return {
        "right": 100 * right / len(truth),
        "calls": calls / len(truth),
        "as all": same / len(truth),
    }


def test_self_consistency_on_synthetic_draws(benchmark, named):
    """G6 in shape: 40 draws an item from the distribution of the models' recorded answers."""
    name, table = named
    rng = np.random.default_rng(500)
    kept = rng.permutation(len(table.truth))[: 1000 if FULL else 300]
    kept = kept[(table.votes[kept] >= 0).any(axis=1)]
    given = [row[row >= 0] for row in table.votes[kept]]
    draws = np.array([rng.choice(row, 40) for row in given])
    rows = once(
        benchmark, lambda: {rule: sampled(rule, draws, table.truth[kept]) for rule in RULES}
    )
    show(benchmark, {f"{name} (synthetic), {rule}": row for rule, row in rows.items()})
    assert rows["locked"]["as all"] == 1.0
    assert rows["lead 4"]["calls"] < rows["beta .95"]["calls"] < rows["locked"]["calls"]
    assert rows["lead 4"]["right"] >= rows["locked"]["right"] - 1.5
