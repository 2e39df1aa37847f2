"""Votes for the tests of truth inference: random ones, simulated crowds, and recorded sets."""

import numpy as np
from hypothesis import strategies as st

from swarmloom_protocols.consensus.crowd.votes import crowd_votes


@st.composite
def crowds(draw, most_votes=40):
    """Triples on up to 6 items by up to 4 workers with up to 4 labels."""
    n_items, n_workers = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    n_labels = draw(st.integers(2, 4))
    rows = [st.integers(0, size - 1) for size in (n_items, n_workers, n_labels)]
    triples = draw(st.lists(st.tuples(*rows), max_size=most_votes))
    return triples, n_items, n_workers, n_labels


def votes_of(triples, n_items, n_workers, n_labels, **known):
    """Check triples; a history of nothing makes silent workers exist."""
    columns = np.array(triples, np.int64).reshape(-1, 3).T
    known.setdefault("gold", np.full(n_items, -1))
    known.setdefault("history", np.zeros((n_workers, 2)))
    return crowd_votes(*columns, n_labels=n_labels, **known)


def simulated(rng, confusion, n_items, share=1.0):
    """Votes of independent workers on items of even truths; a worker votes on a share of them."""
    n_workers, n_labels, _ = np.shape(confusion)
    truth = rng.integers(0, n_labels, n_items)
    items, workers = np.nonzero(rng.random((n_items, n_workers)) < share)
    steps = np.cumsum(np.asarray(confusion)[workers, truth[items]], axis=1)
    labels = (rng.random((items.size, 1)) > steps).sum(1)
    return (items, workers, np.minimum(labels, n_labels - 1)), truth


def coins(accuracies, n_labels):
    """Confusion matrices of workers whose errors are even."""
    others = (1 - np.asarray(accuracies))[:, None, None] / (n_labels - 1)
    return np.where(np.eye(n_labels, dtype=bool), np.asarray(accuracies)[:, None, None], others)


def recorded(folder, name):
    """A recorded set: three columns of votes, and the truth of each item, −1 where unknown."""
    columns = [
        np.loadtxt(folder / "crowd" / name / f"{kind}.csv", np.int64, delimiter=",", skiprows=1)
        for kind in ("label", "truth")
    ]
    votes, known = columns
    truth = np.full(max(votes[:, 0].max(), known[:, 0].max()) + 1, -1)
    truth[known[:, 0]] = known[:, 1]
    return tuple(votes.T), truth
