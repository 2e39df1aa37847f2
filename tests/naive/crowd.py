"""Truth inference in plain loops over triples (item, worker, label), probabilities not in logs."""

import math
from collections import Counter, defaultdict

import numpy as np
from scipy.special import digamma


def shares(triples, n_items, n_labels):
    counts = [[0.0] * n_labels for _ in range(n_items)]
    for item, _, label in triples:
        counts[item][label] += 1
    return [
        [c / sum(row) for c in row] if sum(row) else [1 / n_labels] * n_labels for row in counts
    ]


def normalised(row):
    return [value / sum(row) for value in row]


def prior_of(posterior, n_labels, smoothing):
    return normalised([sum(row[k] for row in posterior) + smoothing for k in range(n_labels)])


def dawid_skene(triples, n_items, n_workers, n_labels, pseudo, smoothing, rounds):
    """`pseudo` maps (worker, label, truth) to pseudo-votes."""
    posterior = shares(triples, n_items, n_labels)
    for _ in range(rounds):
        counts = {key: pseudo(*key) for key in np.ndindex(n_workers, n_labels, n_labels)}
        for item, worker, label in triples:
            for k in range(n_labels):
                counts[worker, label, k] += posterior[item][k]
        prior = prior_of(posterior, n_labels, smoothing)
        joint = [list(prior) for _ in range(n_items)]
        for item, worker, label in triples:
            for k in range(n_labels):
                cast = sum(counts[worker, other, k] for other in range(n_labels))
                joint[item][k] *= counts[worker, label, k] / cast
        posterior = [normalised(row) for row in joint]
    return posterior


def pooled_prior(triples, n_items, n_labels, shrinkage):
    posterior = shares(triples, n_items, n_labels)
    crowd = [[1 / n_labels] * n_labels for _ in range(n_labels)]
    for item, _, label in triples:
        for k in range(n_labels):
            crowd[label][k] += posterior[item][k]
    totals = [sum(crowd[label][k] for label in range(n_labels)) for k in range(n_labels)]
    return lambda worker, label, k: shrinkage * crowd[label][k] / totals[k]


def one_coin(triples, n_items, n_workers, n_labels, right, wrong, rounds):
    posterior = shares(triples, n_items, n_labels)
    cast = Counter(worker for _, worker, _ in triples)
    for _ in range(rounds):
        hits = defaultdict(float)
        for item, worker, label in triples:
            hits[worker] += posterior[item][label]
        prior = prior_of(posterior, n_labels, 0.01)
        joint = [list(prior) for _ in range(n_items)]
        for item, worker, label in triples:
            p = (hits[worker] + right) / (cast[worker] + right + wrong)
            for k in range(n_labels):
                joint[item][k] *= p if k == label else (1 - p) / max(1, n_labels - 1)
        posterior = [normalised(row) for row in joint]
    return posterior


def by_accuracy(triples, accuracy, n_items, n_labels):
    joint = [[1.0] * n_labels for _ in range(n_items)]
    for item, worker, label in triples:
        for k in range(n_labels):
            p = accuracy[worker]
            joint[item][k] *= p if k == label else (1 - p) / max(1, n_labels - 1)
    return [normalised(row) for row in joint]


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def glad_objective(triples, ability, easiness, n_labels):
    """The log likelihood, every truth summed out, and the priors N(1, 1) and N(1, 1/4)."""
    joint = [[1 / n_labels] * n_labels for _ in easiness]
    for item, worker, label in triples:
        p = sigmoid(ability[worker] * easiness[item])
        for k in range(n_labels):
            joint[item][k] *= p if k == label else (1 - p) / max(1, n_labels - 1)
    fit = sum(math.log(sum(row)) for row in joint)
    spread = sum((a - 1) ** 2 for a in ability) + 4 * sum((b - 1) ** 2 for b in easiness)
    return fit - spread / 2


def ebcc(triples, first, alpha, pseudo, concentration, rounds):
    """Mean-field rounds from shares [item, truth, subtype]; `pseudo` is [worker, truth, label]."""
    q = np.array(first)
    n_items, _, subtypes = q.shape
    for _ in range(rounds):
        eta, nu = concentration / subtypes + q.sum(0), alpha + q.sum((0, 2))
        mu = np.repeat(np.array(pseudo)[:, :, None, :], subtypes, axis=2)
        for item, worker, label in triples:
            mu[worker, :, :, label] += q[item]
        log_subtype = digamma(eta) - digamma(eta.sum(1))[:, None]
        log_truth = digamma(nu) - digamma(nu.sum())
        log_said = digamma(mu) - digamma(mu.sum(3))[..., None]
        scores = np.tile(log_subtype + log_truth[:, None], (n_items, 1, 1))
        for item, worker, label in triples:
            scores[item] += log_said[worker, :, :, label]
        weights = np.exp(scores - scores.max((1, 2))[:, None, None])
        q = weights / weights.sum((1, 2))[:, None, None]
    return q.sum(2)
