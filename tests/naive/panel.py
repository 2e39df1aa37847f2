"""The latent-difficulty panel in plain loops over difficulty, truth and popular wrong option.

Options are 0 to n-1; the distinct answers given are the first ones. Rates are nested lists
``rates[expert][z] = (right, empty, popular wrong, other wrong)``.
"""

from __future__ import annotations

import math


def likelihood(rate, answer, truth, popular, n_options):
    right, empty, lured, other = rate
    if answer < 0:
        return empty
    if n_options == 1:
        return right + lured + other
    if answer == truth:
        return right
    if n_options == 2:
        return lured + other
    return lured if answer == popular else other / (n_options - 2)


def joint(prior, rates, calls, n_options):
    """P(z, o, d, answers) for every difficulty, truth and popular wrong option."""
    table = {}
    for z, weight in enumerate(prior):
        for truth in range(n_options):
            for popular in range(n_options):
                if popular == truth and n_options > 1:
                    continue
                chance = weight / n_options / max(n_options - 1, 1)
                for expert, answer in calls:
                    chance *= likelihood(rates[expert][z], answer, truth, popular, n_options)
                table[z, truth, popular] = chance
    return table


def truth_weights(prior, rates, calls, n_options):
    weights = [0.0] * n_options
    for (_, truth, _), chance in joint(prior, rates, calls, n_options).items():
        weights[truth] += chance
    return weights


def posterior(prior, rates, calls, n_options):
    weights = truth_weights(prior, rates, calls, n_options)
    return [weight / sum(weights) for weight in weights]


def stop_value(prior, rates, calls, n_options):
    given = {answer for _, answer in calls if answer >= 0}
    chances = posterior(prior, rates, calls, n_options)
    return max((chances[answer] for answer in given), default=0.0)


def ask_value(prior, rates, calls, n_options, price, expert, depth):
    """Value of asking one expert, then at most depth - 1 more, by enumerating all answers."""
    evidence = sum(truth_weights(prior, rates, calls, n_options))
    value = -price[expert]
    for answer in range(-1, n_options):
        after = [*calls, (expert, answer)]
        chance = sum(truth_weights(prior, rates, after, n_options)) / evidence
        if chance > 0:
            value += chance * best_value(prior, rates, after, n_options, price, depth - 1)
    return value


def best_value(prior, rates, calls, n_options, price, depth):
    best = stop_value(prior, rates, calls, n_options)
    if depth > 0:
        asked = {expert for expert, _ in calls}
        for expert in range(len(rates)):
            if expert not in asked:
                value = ask_value(prior, rates, calls, n_options, price, expert, depth)
                best = max(best, value)
    return best


def expected_counts(prior, rates, calls, n_options, truth):
    """Share of every call among {right, empty, popular, other} by difficulty; P(z) as well."""
    table = {
        key: chance
        for key, chance in joint(prior, rates, calls, n_options).items()
        if truth < 0 or key[1] == truth
    }
    total = sum(table.values())
    difficulty = [0.0] * len(prior)
    shares = [[[0.0] * 4 for _ in prior] for _ in calls]
    for (z, right, popular), chance in table.items():
        difficulty[z] += chance / total
        for call, (_, answer) in enumerate(calls):
            kind = 1 if answer < 0 else 0 if answer == right else 2 if answer == popular else 3
            shares[call][z][kind] += chance / total
    return difficulty, shares


def fall_ratio(prior, rates, calls, n_options, truth, expert, fall):
    """P(answers, truth | the expert's right rates lowered) over P(answers, truth)."""
    lowered = [list(map(list, rate)) for rate in rates]
    for row in lowered[expert]:
        odds = row[0] / (1.0 - row[0]) * math.exp(-fall)
        right = odds / (1.0 + odds)
        rest = (1.0 - right) / (1.0 - row[0])
        row[:] = [right, *(rest * rate for rate in row[1:])]
    chances = []
    for table in (lowered, rates):
        weights = truth_weights(prior, table, calls, n_options)
        chances.append(sum(weights) if truth < 0 else weights[truth])
    return chances[0] / chances[1]
