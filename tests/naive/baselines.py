"""Baselines of a backtest in plain loops."""

from __future__ import annotations

import math
from collections import Counter


def vote(codes, gold, weights):
    """Expected accuracy of a weighted vote; `weights` is one list an item."""
    right = []
    for answers, truth, row in zip(codes, gold, weights, strict=True):
        sums = {}
        for answer, weight in zip(answers, row, strict=True):
            if answer >= 0:
                sums[answer] = sums.get(answer, 0.0) + weight
        if not sums:
            right.append(0.0)
            continue
        best = max(sums.values())
        leaders = [a for a, s in sums.items() if math.isclose(s, best, rel_tol=1e-9, abs_tol=1e-12)]
        right.append(1.0 / len(leaders) if truth in leaders else 0.0)
    return right


def log_odds_weights(right, options):
    n_experts = len(right[0])
    weights = []
    for count in options:
        row = []
        for expert in range(n_experts):
            p = (sum(seen[expert] for seen in right) + 1) / (len(right) + 2)
            row.append(math.log(p * ((count or 2) - 1) / (1 - p)))
        weights.append(row)
    return weights


def cascade(codes, order, agreement):
    answers, asked = [], []
    for row in codes:
        votes: Counter = Counter()
        last, count = -1, 0
        for expert in order:
            count += 1
            if row[expert] >= 0:
                last = row[expert]
                votes[last] += 1
                if votes[last] >= agreement:
                    break
        answers.append(last)
        asked.append(count)
    return answers, asked


def best_per_topic(right, known, topics, costs, strength):
    n_experts = len(costs)
    graded = [row for row, is_known in zip(right, known, strict=True) if is_known]
    overall = [sum(row[e] for row in graded) / len(graded) for e in range(n_experts)]
    chosen = []
    for topic in topics:
        records = []
        for e in range(n_experts):
            hits = sum(
                row[e]
                for row, is_known, other in zip(right, known, topics, strict=True)
                if is_known and other == topic
            )
            records.append(round(hits + max(strength, 1e-9) * overall[e], 6))
        best = max(records)
        chosen.append(
            min((e for e in range(n_experts) if records[e] == best), key=lambda e: (costs[e], e))
        )
    return chosen
