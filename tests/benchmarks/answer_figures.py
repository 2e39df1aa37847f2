"""Figures of the page on answers about keys that are wrong and copies where options are few.

python -m tests.benchmarks.answer_figures keys DATA
python -m tests.benchmarks.answer_figures options
python -m tests.benchmarks.answer_figures copies

DATA is the folder that holds `answers` and `panel`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from swarmloom_protocols.consensus.answers.agree import agree
from swarmloom_protocols.consensus.answers.ballots import ballots
from swarmloom_protocols.consensus.answers.probes import Probes
from swarmloom_protocols.consensus.answers.shared_errors import cluster_members, near_clones
from tests.benchmarks import answer_crews as ac

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Row = dict[str, float]

SIZE, CREWS, JUDGED, LIARS, SYNTHETIC = 9, 60, 2500, 4, 200
KEYS = ("right", "all wrong", "all the popular wrong answer", "half wrong")
ATTACKS = {"right, 4 collude": "collude", "right, 4 camouflaged": "camouflage"}
WORLDS = {"nine of 70 %": [0.7] * 9, "90, 85, 3 × 60 %": [0.9, 0.85, 0.6, 0.6, 0.6]}
WORLDS["five of 60 %"] = [0.6] * 5


def say(line: str) -> None:
    """Print a line at once, for some of the figures take minutes."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def keys(data: str) -> None:
    """Ten probes with wrong keys, on recorded answers."""
    for name in ac.TABLES:
        table = ac.read(Path(data), name)
        wrong = ac.popular_wrong(table)
        for kind in (*KEYS, *ATTACKS):
            rng = np.random.default_rng(0)
            drawn = ac.crews(table, SIZE, CREWS, rng)
            say(f"{name}, {kind}: {means([crew(table, one, kind, wrong, rng) for one in drawn])}")


def crew(
    table: ac.Answers,
    drawn: tuple[IntArray, IntArray, IntArray],
    kind: str,
    wrong: IntArray,
    rng: np.random.Generator,
) -> Row:
    """Return the accuracies of one crew, in %, and what was doubted of its keys."""
    columns, learn, judge = drawn[0], drawn[1], drawn[2][:JUDGED]
    liars = LIARS if kind in ATTACKS else 0
    votes = ac.attacked(table, columns, liars, ATTACKS.get(kind, ""), wrong, rng)
    probed = learn[: ac.N_PROBES]
    key = keys_of(table, probed, kind, wrong, rng)
    known, blind = agree(votes[learn], probes=(votes[probed], key)), agree(votes[learn])
    right = {
        "10 probes": 100 * judged(votes[judge], known.weights, table.truth[judge]),
        "no probes": 100 * judged(votes[judge], blind.weights, table.truth[judge]),
        "majority": 100 * ac.majority(votes[judge], table.truth[judge]),
    }
    told = any("keys" in text for text in known.warnings)
    return right | {"warned": 100.0 * told} | doubts(votes[probed], key, table.truth[probed])


def keys_of(
    table: ac.Answers, probed: IntArray, kind: str, wrong: IntArray, rng: np.random.Generator
) -> IntArray:
    """Return the keys of the probes: right ones, or answers that some other model gave."""
    key = table.truth[probed].copy()
    if kind == "all the popular wrong answer":
        return wrong[probed]
    spoiled = {"all wrong": len(key), "half wrong": len(key) // 2}.get(kind, 0)
    for row in range(spoiled):
        given = np.unique(table.votes[probed[row]])
        others = given[(given >= 0) & (given != key[row])]
        key[row] = rng.choice(others) if others.size else wrong[probed[row]]
    return key


def judged(votes: IntArray, weights: FloatArray, truth: IntArray) -> float:
    """Return the share of right verdicts by these weights."""
    return ac.share_right(agree(votes, trust=weights).answers, truth)


def doubts(votes: IntArray, key: IntArray, truth: IntArray) -> Row:
    """Return the share in % of wrong keys, and of right ones, that are doubted; NaN for none."""
    doubted = np.isin(np.arange(len(key)), Probes.of_answers(votes, key).suspects)
    groups = {"wrong keys doubted": doubted[key != truth], "right ones": doubted[key == truth]}
    return {name: 100 * some.mean() if some.size else np.nan for name, some in groups.items()}


def options() -> None:
    """Ten probes whose keys are all one wrong answer, among independent agents."""
    for name, accuracy in WORLDS.items():
        for count in (2, 3, 4):
            rows = [misled(accuracy, count, seed) for seed in range(SYNTHETIC)]
            say(f"{name}, {count} options: {means(rows)}")


def misled(accuracy: list[float], count: int, seed: int) -> Row:
    """Return how one crew fares with wrong keys, with right ones and without any."""
    votes = independent(np.array(accuracy), count, 300, np.random.default_rng(seed))
    wrong, right = (agree(votes, probes=(votes[:10], [key] * 10)) for key in (1, 0))
    return {
        "not obeyed": 100.0 * (wrong.rule != "probes"),
        "with wrong keys": 100 * ac.share_right(wrong.answers, np.zeros(300)),
        "without": 100 * ac.share_right(agree(votes).answers, np.zeros(300)),
        "warned": 100.0 * any("keys" in text for text in wrong.warnings),
        "right keys not obeyed": 100.0 * (right.rule != "probes"),
    }


def independent(accuracy: FloatArray, count: int, items: int, rng: np.random.Generator) -> IntArray:
    """Return votes in which 0 is right and every wrong answer as likely as the others."""
    wrong = rng.integers(1, count, (items, len(accuracy)))
    return np.where(rng.random((items, len(accuracy))) < accuracy, 0, wrong)


def copies() -> None:
    """Crews that are warned of copies though there are none, and those whose one copy is found."""
    strong = np.array([0.9, 0.8, 0.8, 0.4, 0.4, 0.4, 0.4])
    for items in (100, 200, 400):
        for count in (3, 5, 10):
            alone = [len(found_in(strong, count, items, seed, 0.0)) > 0 for seed in range(100)]
            say(f"{items} items, {count} options, independent: warned {100 * np.mean(alone):.0f} %")
        for count in (3, 4, 5):
            like = [found_in(np.full(4, 0.6), count, items, seed, 0.85) for seed in range(100)]
            found = np.mean([members == ((0, 4),) for members in like])
            say(f"{items} items, {count} options, one copy: found {100 * found:.0f} %")


def found_in(
    accuracy: FloatArray, count: int, items: int, seed: int, faithful: float
) -> tuple[tuple[int, ...], ...]:
    """Return who answers like copies; the last agent is a copy of the first if `faithful`."""
    rng = np.random.default_rng(seed)
    votes = independent(accuracy, count, items, rng)
    if faithful:
        guesses = rng.integers(0, count, items)
        copy = np.where(rng.random(items) < faithful, votes[:, 0], guesses)
        votes = np.column_stack((votes, copy))
    return cluster_members(near_clones(ballots(votes)))


def means(rows: list[Row]) -> str:
    """Say the mean of each column."""
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    told = {name: column[~np.isnan(column)] for name, column in columns.items()}
    return ", ".join(f"{name} {some.mean():.1f}" for name, some in told.items() if some.size)


FIGURES: dict[str, Callable[..., None]] = {"keys": keys, "options": options, "copies": copies}

if __name__ == "__main__":
    FIGURES[sys.argv[1]](*sys.argv[2:])
