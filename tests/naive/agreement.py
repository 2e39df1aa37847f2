"""Naive references of the answers of a crew: plain loops, straight from the definitions."""

import math
from collections import Counter
from fractions import Fraction
from itertools import combinations

import numpy as np


def distinct(row):
    return list(dict.fromkeys(int(code) for code in row if code >= 0))


def pair_sums(votes, chance):
    n_agents = votes.shape[1]
    sums = np.zeros((3, n_agents, n_agents))
    for i in range(n_agents):
        for j in range(n_agents):
            for row, rate in zip(votes, chance, strict=True):
                if i != j and row[i] >= 0 and row[j] >= 0:
                    sums[:, i, j] += (1, row[i] == row[j], rate)
    return sums


def agreement(votes, i, j):
    """Chance-corrected agreement of two agents; NaN without common items."""
    both = alike = expected = 0.0
    for row in votes:
        if row[i] >= 0 and row[j] >= 0:
            both += 1
            alike += row[i] == row[j]
            expected += 1 / (2 * len(distinct(row)) + 2)
    return (alike - expected) / (both - expected) if both else math.nan


def trust(votes, power, sweeps=200):
    """T^q: the median of agreement to the power q, then the weighted mean of it, iterated."""
    agents = range(votes.shape[1])
    rate = {(i, j): agreement(votes, i, j) for i in agents for j in agents if i != j}
    others = {i: [j for j in agents if j != i] for i in agents}
    w = scaled(
        [max(0.0, float(np.median([rate[i, j] for j in others[i]]))) ** power for i in agents]
    )
    for _ in range(sweeps):
        mean = []
        for i in agents:
            total = sum(w[j] for j in others[i])
            mean.append(sum(w[j] * rate[i, j] for j in others[i]) / total if total else 0.0)
        w = scaled([max(0.0, m) ** power for m in mean])
    return np.array(w)


def scaled(weights):
    total = sum(weights)
    return [w / total for w in weights] if total > 0 else [1 / len(weights)] * len(weights)


def leave_one_out_trust(votes, power, sweeps=200):
    """L^q: how often an agent's answer leads (or ties for) the weighted vote of the others."""
    n_agents = votes.shape[1]
    w = [1 / n_agents] * n_agents
    for _ in range(sweeps):
        shares = []
        for i in range(n_agents):
            met = led = 0
            for row in votes:
                rest = Counter()
                for j in range(n_agents):
                    if j != i and row[j] >= 0:
                        rest[int(row[j])] += w[j]
                if row[i] >= 0 and rest and sum(rest.values()) > 1e-15:
                    met += 1
                    mine = rest[int(row[i])]
                    led += mine > 1e-15 and mine >= max(rest.values()) - 1e-12
            shares.append(led / met if met else 0.0)
        w = scaled([share**power for share in shares])
    return np.array(w)


def verdict(row, weights):
    """The answer with the most weight, of those that tie the one given by the first agent."""
    sums = Counter()
    for answer, weight in zip(row, weights, strict=True):
        if answer >= 0:
            sums[int(answer)] += weight
    return max(distinct(row), key=lambda code: sums[code], default=-1)


def group_vote(row, groups):
    """What each group says: its plurality, of those that tie the item's earliest answer."""
    names, order = list(dict.fromkeys(groups)), distinct(row)
    votes = []
    for name in names:
        counts = Counter(int(a) for a, g in zip(row, groups, strict=True) if g == name and a >= 0)
        votes.append(min(counts, key=lambda c: (-counts[c], order.index(c)), default=-1))
    return votes


def shared_errors(votes, right):
    """Both erred, alike, expected, its variance; without a key, by the plurality of the others."""
    n_agents = votes.shape[1]
    options = max([len(distinct(row)) for row in votes], default=0)
    prior = 1 / max(1, options - 1) if options <= 4 else 0.2
    sums = np.zeros((4, n_agents, n_agents))
    for t, row in enumerate(votes):
        order = distinct(row)
        for i, j in combinations(range(n_agents), 2):
            if row[i] < 0 or row[j] < 0:
                continue
            rest = [int(row[k]) for k in range(n_agents) if k not in (i, j) and row[k] >= 0]
            if right is None:
                counts = Counter(rest)
                if not counts:
                    continue
                key = min(counts, key=lambda c: (-counts[c], order.index(c)))
            else:
                key = right[t]
            if key in (row[i], row[j]):
                continue
            wrong = [answer for answer in rest if answer != key]
            gave = (wrong.count(row[i]) + wrong.count(row[j])) / 2
            chance = (gave + 2 * prior) / (len(wrong) + 2)
            add = np.array([1, row[i] == row[j], chance, chance * (1 - chance)])
            sums[:, i, j] += add
            sums[:, j, i] += add
    return sums


def preference(first, second):
    """P(p > ½) for p ~ Beta(first + 1, second + 1), by the binomial sum, exactly."""
    n = first + second + 1
    return sum(Fraction(math.comb(n, k), 2**n) for k in range(first + 1))


def effective_voters(errors):
    """n² / Σ ρ_ij for complete tables of errors, agents in columns."""
    rho = np.corrcoef(errors.T)
    return errors.shape[1] ** 2 / rho.sum()


def best_gain(sums, voice, weights, prices, intercept, slope):
    """The value of asking the plan's first agent and going on as well as possible, less that now.

    Straight recursion over every answer of every agent of the plan.
    """

    def probabilities(sums):
        total, half = math.fsum(sums), 0.5 * voice
        if total <= 0.0:
            return [1.0 / (len(sums) + 1.0)] * len(sums)
        odds = [math.log((w + half) / (max(total - w, 0.0) + half)) for w in sums]
        p = [1.0 / (1.0 + math.exp(-intercept - slope * x)) for x in odds]
        return [one / max(1.0, math.fsum(p)) for one in p]

    def asking(sums, plan):
        (weight, price), later = plan[0], plan[1:]
        given = probabilities(sums)
        value = -price
        for answer, chance in enumerate([*given, max(0.0, 1.0 - math.fsum(given))]):
            raised = [*sums, 0.0] if answer == len(sums) else list(sums)
            raised[answer] += weight
            value += chance * best(raised, later)
        return value

    def best(sums, plan):
        stop = max(probabilities(sums), default=0.0)
        return max(stop, asking(sums, plan)) if plan else stop

    plan = list(zip(weights, prices, strict=True))
    return asking(list(sums), plan) - max(probabilities(list(sums)), default=0.0)
