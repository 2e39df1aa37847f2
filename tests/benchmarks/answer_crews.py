"""Recorded answers of language models as crews: honest ones, attacked ones, copied ones.

Everything is drawn from `numpy.random.Generator`; a crew is a set of columns of a table.
"""

import csv
from dataclasses import dataclass

import numpy as np

from swarmloom_protocols.consensus.answers.agree import agree
from swarmloom_protocols.consensus.answers.ballots import ballots
from swarmloom_protocols.consensus.answers.calibration import Calibration, posteriors
from swarmloom_protocols.consensus.answers.shared_errors import near_clones
from swarmloom_protocols.consensus.answers.stopping_replay import replayed

TABLES = {"GSM8K": "answers/gsm8k_41_models.csv", "MMLU-Pro": "panel/mmlu_pro_letters.csv"}
NOT_MODELS = ("item", "gold", "category", "n_options")
WARM_UP, N_PROBES, N_LABELS = 100, 10, 20


@dataclass(frozen=True)
class Answers:
    """One row an item, one column a model; codes by item, the truth in the same coding."""

    votes: np.ndarray
    truth: np.ndarray
    names: tuple


def read(folder, table):
    with (folder / TABLES[table]).open() as lines:
        rows = list(csv.DictReader(lines))
    names = tuple(name for name in rows[0] if name not in NOT_MODELS)
    votes, truth = [], []
    for row in rows:
        known = {"": -1}
        votes.append([known.setdefault(row[name], len(known) - 1) for name in names])
        truth.append(known.setdefault(row["gold"], len(known) - 1))
    return Answers(np.array(votes), np.array(truth), names)


def share_right(answers, truth):
    return float((answers == truth).mean())


def majority(votes, truth):
    """Accuracy of the plain majority, ties scored by the chance of a fair draw."""
    codes = ballots(np.column_stack((votes, truth)))
    key, counts = codes[:, -1], np.zeros((len(codes), votes.shape[1] + 1))
    for column in codes[:, :-1].T:
        given = np.flatnonzero(column >= 0)
        counts[given, column[given]] += 1
    top = (counts == counts.max(axis=1, keepdims=True)) & (counts > 0)
    right = top[np.arange(len(key)), key]
    return float(np.mean(right / np.maximum(top.sum(axis=1), 1)))


def crews(table, size, count, rng):
    """Random crews: (columns, items to learn on, items to judge on)."""
    for _ in range(count):
        items = rng.permutation(len(table.truth))
        columns = rng.permutation(table.votes.shape[1])[:size]
        yield columns, items[:WARM_UP], items[WARM_UP:]


def one_crew(table, columns, learn, judge):
    """Accuracy in %, and calls, of every way to let one crew answer."""
    votes, truth = table.votes[:, columns], table.truth
    plain = agree(votes[learn])
    early, calls = replayed(votes[judge], plain.weights)
    labelled, probed = learn[:N_LABELS], learn[:N_PROBES]
    best = (votes[labelled] == truth[labelled, None]).sum(axis=0).argmax()
    known = agree(votes[learn], probes=(votes[probed], truth[probed]))
    full = agree(votes[judge], trust=plain.weights)
    return {
        "majority": 100 * majority(votes[judge], truth[judge]),
        "trust, all asked": 100 * share_right(full.answers, truth[judge]),
        "trust, early": 100 * share_right(early, truth[judge]),
        "calls": float(calls.mean()),
        "20 labels, best expert": 100 * share_right(votes[judge, best], truth[judge]),
        "10 probes": 100
        * share_right(agree(votes[judge], trust=known.weights).answers, truth[judge]),
        "best expert in hindsight": 100
        * float((votes[judge] == truth[judge, None]).mean(axis=0).max()),
    }


def new_crew(table, columns, intercept=0.0):
    """Verdicts on single items, all voices equal, with the prior's certainty."""
    codes = ballots(np.column_stack((table.votes[:, columns], table.truth)))
    voices, key = np.ascontiguousarray(codes[:, :-1]), codes[:, -1]
    prior = Calibration(intercept, 1.0)
    found = posteriors(voices, np.ones(len(columns)), prior)
    pairs = zip(found, key, strict=True)
    told = np.array([(p.max(), p.argmax() == right) for p, right in pairs if p.size])
    chance = np.where(told[:, 1], told[:, 0], 1.0 - told[:, 0])
    return {
        "right": 100 * told[:, 1].mean(),
        "confidence": 100 * told[:, 0].mean(),
        "log loss": -np.log(np.maximum(chance, 1e-6)).mean(),
    }


def popular_wrong(table):
    """Return the wrong answer that most models of the table give to each item."""
    wrong = np.empty(len(table.truth), np.int64)
    for item, (row, key) in enumerate(zip(table.votes, table.truth, strict=True)):
        counts = np.bincount(row[(row >= 0) & (row != key)], minlength=1)
        wrong[item] = counts.argmax() if counts.any() else max(row.max(), key) + 1
    return wrong


def attacked(table, columns, bad, attack, wrong, rng):
    """Let the first `bad` agents of a crew give the popular wrong answer: always, or half."""
    votes = table.votes[:, columns].copy()
    items = rng.random(len(votes)) < (0.5 if attack == "camouflage" else 2.0)
    votes[np.ix_(items, np.arange(bad))] = wrong[items, None]
    return votes


def attacked_crew(table, columns, learn, judge, bad, attack, wrong, rng):
    """Accuracy in % of one attacked crew, with 10 probes and without."""
    votes, truth = attacked(table, columns, bad, attack, wrong, rng), table.truth
    probed = learn[:N_PROBES]
    known = agree(votes[learn], probes=(votes[probed], truth[probed]))
    blind = agree(votes[learn])
    weigh = {"10 probes": known.weights, "no probes": blind.weights}
    found = {
        name: 100 * share_right(agree(votes[judge], trust=weights).answers, truth[judge])
        for name, weights in weigh.items()
    }
    honest = 100 * majority(votes[judge][:, bad:], truth[judge])
    everyone = 100 * majority(votes[judge], truth[judge])
    warned = any("median agreement" in warning for warning in blind.warnings)
    return found | {"honest majority": honest, "majority": everyone, "warned": float(warned)}


def cloned(table, copies, size, rng, faithful=0.85):
    """A crew in which some agents are copies of one weak model: votes, and whose column each is."""
    accuracy = (table.votes == table.truth[:, None]).mean(axis=0)
    weak = rng.choice(np.argsort(accuracy)[: len(accuracy) // 3])
    others = np.setdiff1d(np.arange(len(accuracy)), [weak])
    columns = np.r_[np.full(copies, weak), rng.choice(others, size - copies, replace=False)]
    votes = table.votes[:, columns].copy()
    for copy in range(1, copies):
        strays = np.flatnonzero(rng.random(len(votes)) >= faithful)
        votes[strays, copy] = table.votes[strays, rng.choice(others, strays.size)]
    return votes, columns


def cloned_crew(table, rng, learn=300, copies=4, size=9):
    """Accuracy in % of a crew with copies: grouped by name, by answers, not at all, one copy."""
    votes, columns = cloned(table, copies, size, rng)
    items = rng.permutation(len(votes))
    seen, judge = votes[items[:learn]], votes[items[learn:]]
    truth = table.truth[items[learn:]]
    found = near_clones(ballots(seen))
    ways = {"names known": columns, "found in answers": found, "not grouped": None}

    def accuracy(picked, groups):
        trust = agree(seen[:, picked], groups=groups).weights
        verdicts = agree(judge[:, picked], groups=groups, trust=trust).answers
        return 100 * share_right(verdicts, truth)

    everyone, single = np.arange(size), np.arange(copies - 1, size)
    right = {name: accuracy(everyone, groups) for name, groups in ways.items()}
    right["one copy"] = accuracy(single, None)
    right["majority"] = 100 * majority(judge, truth)
    right["copies found"] = float(np.unique(found[:copies]).size == 1)
    right["others taken for copies"] = float(np.isin(found[copies:], found[:copies]).any())
    return right


def mean_rows(rows):
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
