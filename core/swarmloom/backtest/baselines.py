"""Baselines: what simpler ways of using the same experts achieve on the same stream.

A baseline that chooses knows the same graded answers as the swarm. It is given them beforehand
and for free, while the swarm has to buy its answers one by one: the comparison favours the
baselines. What reads any other label is of kind "hindsight".
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from swarmloom.backtest.scores import Kind, Score
from swarmloom.backtest.stream import Stream
from swarmloom.backtest.voting import cascade, log_odds_weights, vote

__all__ = ["baseline_scores", "best_per_topic", "expert_scores", "learning_cost", "ranking"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

# Pseudo-items by which an expert's record in a topic is drawn to its record over all topics;
# without them the best of many experts on a few graded items is mostly luck.
TOPIC_STRENGTH = 20.0


def expert_scores(stream: Stream) -> list[Score]:
    """Score each expert alone.

    Parameters
    ----------
    stream : Stream

    Returns
    -------
    list of Score
        In the order of the table's columns.
    """
    return [
        _chosen(stream, name, "expert", np.full(len(stream.table), column))
        for column, name in enumerate(stream.table.experts)
    ]


def baseline_scores(stream: Stream) -> list[Score]:
    """Score every baseline that the stream allows.

    Without graded items those that choose by them are left out; without topics those that go by
    topic.

    Parameters
    ----------
    stream : Stream

    Returns
    -------
    list of Score
    """
    return [
        _vote(stream, "majority of all", np.arange(len(stream.table.experts))),
        _random(stream),
        _cascade(stream, "cascade, cheapest first", np.argsort(stream.costs, kind="stable")),
        *_fixed(stream),
        *(_informed(stream) if stream.graded.any() else ()),
        *_hindsight(stream),
    ]


def learning_cost(stream: Stream) -> float:
    """Mean cost per item of what the choosing baselines are given for free.

    Parameters
    ----------
    stream : Stream

    Returns
    -------
    float
        Share of graded items × the price of asking all experts.
    """
    return float(stream.graded.mean() * stream.costs.sum())


def ranking(right: BoolArray, costs: npt.NDArray[np.float64]) -> IntArray:
    """Order experts from best to worst, the cheaper first among equals.

    Parameters
    ----------
    right : ndarray of bool, shape (seen, E)
    costs : ndarray of float64, shape (E,)

    Returns
    -------
    ndarray of int64, shape (E,)
    """
    return np.lexsort((costs, -right.sum(axis=0)))


def best_per_topic(stream: Stream, known: BoolArray, strength: float) -> IntArray:
    """Choose for each item the expert with the best record in the item's topic.

    Parameters
    ----------
    stream : Stream
    known : ndarray of bool, shape (n,)
        Items whose right answers may be used.
    strength : float
        Pseudo-items at the expert's record over all topics (≥ 0).

    Returns
    -------
    ndarray of int64, shape (n,)
        Column of the expert; the cheapest among equals.
    """
    right = stream.table.right
    overall = right[known].mean(axis=0)
    by_price = np.argsort(stream.costs, kind="stable")
    topics, place = np.unique(stream.table.topics, return_inverse=True)
    chosen = np.empty(len(topics), dtype=np.int64)
    for topic in range(len(topics)):
        seen = right[known & (place == topic)]
        record = seen.sum(axis=0) + max(strength, 1e-9) * overall
        chosen[topic] = by_price[np.argmax(np.round(record[by_price], 6))]
    return chosen[place]


def _informed(stream: Stream) -> Iterator[Score]:
    """Score the baselines that choose by the graded items."""
    right = stream.table.right[stream.graded]
    ranked = ranking(right, stream.costs)
    n = len(stream.table)
    yield _chosen(stream, "best expert (graded share)", "baseline", np.full(n, ranked[0]))
    if len(set(stream.table.topics)) > 1:
        by_topic = best_per_topic(stream, stream.graded, TOPIC_STRENGTH)
        yield _chosen(stream, "best per topic (graded share)", "baseline", by_topic)
    for k in (3, 5, 9):
        if k < len(ranked):
            yield _vote(stream, f"majority of best {k} (graded share)", ranked[:k])
    weights = log_odds_weights(right, stream.table.options)
    yield _vote(stream, "log-odds vote (graded share)", np.arange(len(ranked)), weights)
    if len(ranked) > 5:
        best = ranked[:5]
        by_price = best[np.argsort(stream.costs[best], kind="stable")]
        yield _cascade(stream, "cascade of best 5 (graded share)", by_price)


def _hindsight(stream: Stream) -> Iterator[Score]:
    """Score what only knowledge of every label gives."""
    best = ranking(stream.table.right, stream.costs)[0]
    n = len(stream.table)
    yield _chosen(stream, "best expert (hindsight)", "hindsight", np.full(n, best))
    if len(set(stream.table.topics)) > 1:
        by_topic = best_per_topic(stream, np.ones(n, dtype=np.bool_), 0.0)
        yield _chosen(stream, "best per topic (hindsight)", "hindsight", by_topic)


def _fixed(stream: Stream) -> Iterator[Score]:
    """Score the assignment of an unmodified sequential crew: written down before the first task."""
    n, n_experts = stream.table.codes.shape
    yield _chosen(stream, "CrewAI fixed, in turn", "baseline", np.arange(n) % n_experts)
    topics, place = np.unique(stream.table.topics, return_inverse=True)
    if len(topics) > 1:
        yield _chosen(stream, "CrewAI fixed, by topic", "baseline", place % n_experts)


def _chosen(stream: Stream, name: str, kind: Kind, experts: IntArray) -> Score:
    rows = np.arange(len(stream.table))
    right = stream.table.codes[rows, experts] == stream.table.gold
    return Score(
        name, kind, right.astype(np.float64), stream.costs[experts], np.ones(len(stream.table))
    )


def _vote(
    stream: Stream,
    name: str,
    experts: IntArray,
    weights: npt.NDArray[np.float64] | None = None,
) -> Score:
    n = len(stream.table)
    right = vote(
        stream.table.codes[:, experts],
        stream.table.gold,
        np.ones(len(experts)) if weights is None else weights,
    )
    cost = np.full(n, stream.costs[experts].sum())
    return Score(name, "baseline", right, cost, np.full(n, float(len(experts))))


def _random(stream: Stream) -> Score:
    n = len(stream.table)
    right = stream.table.right.mean(axis=1)
    return Score("random expert", "baseline", right, np.full(n, stream.costs.mean()), np.ones(n))


def _cascade(stream: Stream, name: str, order: IntArray) -> Score:
    answers, asked = cascade(stream.table.codes, order, agreement=2)
    right = (answers == stream.table.gold).astype(np.float64)
    spent = np.concatenate(([0.0], np.cumsum(stream.costs[order])))
    return Score(name, "baseline", right, spent[asked], asked.astype(np.float64))
