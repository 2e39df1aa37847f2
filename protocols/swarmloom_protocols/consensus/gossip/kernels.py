"""Inner loops of gossip; random numbers by counter."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from swarmloom.jit import kernel
from swarmloom.random_streams import uniform

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@kernel
def partner(node: int, first: IntArray, others: IntArray, draw: float) -> int:
    """Return whom a node talks to: a neighbour, or any other node where no links are listed."""
    nodes = first.shape[0] - 1
    if others.shape[0]:
        links = first[node + 1] - first[node]
        return int(others[first[node] + int(draw * links)])
    other = int(draw * (nodes - 1))
    return other + 1 if other >= node else other


@kernel
def push_round(
    informed: BoolArray,
    heard: BoolArray,
    first: IntArray,
    others: IntArray,
    fan_out: int,
    seed: int,
    round_number: int,
) -> int:
    """Let every informed node tell `fan_out` partners; return the messages.

    ``heard`` gets who knows it afterwards; who hears it in this round tells it in the next.
    """
    messages = 0
    for node in range(informed.shape[0]):
        if informed[node]:
            heard[node] = True
            for call in range(fan_out):
                draw = uniform(seed, round_number, node * fan_out + call)
                heard[partner(node, first, others, draw)] = True
                messages += 1
    return messages


@kernel
def push_sum_round(
    sums: FloatArray,
    weights: FloatArray,
    new_sums: FloatArray,
    new_weights: FloatArray,
    first: IntArray,
    others: IntArray,
    seed: int,
    round_number: int,
) -> None:
    """Let every node keep half of its sum and weight and give the other half to a partner."""
    new_sums[:] = 0.0
    new_weights[:] = 0.0
    for node in range(sums.shape[0]):
        other = partner(node, first, others, uniform(seed, round_number, node))
        half = 0.5 * weights[node]
        new_weights[node] += half
        new_weights[other] += half
        for column in range(sums.shape[1]):
            share = 0.5 * sums[node, column]
            new_sums[node, column] += share
            new_sums[other, column] += share


@kernel
def pairwise_sweep(
    values: FloatArray, first: IntArray, others: IntArray, seed: int, sweep: int
) -> None:
    """Let nodes meet n times, one after another: a random one and a partner take their mean."""
    nodes = values.shape[0]
    for tick in range(nodes):
        node = int(uniform(seed, sweep, 2 * tick) * nodes)
        other = partner(node, first, others, uniform(seed, sweep, 2 * tick + 1))
        for column in range(values.shape[1]):
            mean = 0.5 * (values[node, column] + values[other, column])
            values[node, column] = mean
            values[other, column] = mean
