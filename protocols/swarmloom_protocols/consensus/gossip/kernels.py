"""Inner loops of gossip; random numbers by counter."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from swarmloom.jit import kernel
from swarmloom.random_streams32 import words32

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


# Words are multiplied in 64 bits and shifted back: one of n numbers, each within n/2³² of 1/n.
HALF = np.uint64(32)


@kernel
def drawn(word: int, count: int) -> Any:
    """Turn a random 32-bit word into one of `count` numbers (Lemire 2019, without rejection)."""
    return np.int64((np.uint64(word) * np.uint64(count)) >> HALF)


@kernel
def partner(node: int, first: IntArray, others: IntArray, word: int) -> Any:
    """Return whom a node talks to: a neighbour, or any other node where no links are listed."""
    if others.shape[0]:
        return others[first[node] + drawn(word, first[node + 1] - first[node])]
    other = drawn(word, first.shape[0] - 2)
    return other + 1 if other >= node else other


@kernel
def draw_partners(
    partners: IntArray, first: IntArray, others: IntArray, seed: int, stream: int
) -> None:
    """Draw one partner for every node, in a loop of its own so that it is vectorised."""
    nodes = partners.shape[0]
    if others.shape[0] == 0:
        for node in range(nodes):
            other = drawn(words32(seed, stream, node)[0], nodes - 1)
            partners[node] = other + (other >= node)
        return
    for node in range(nodes):
        partners[node] = partner(node, first, others, words32(seed, stream, node)[0])


@kernel
def push_round(
    informed: BoolArray,
    heard: BoolArray,
    first: IntArray,
    others: IntArray,
    fan_out: int,
    seed: int,
    stream: int,
) -> int:
    """Let every informed node tell `fan_out` partners; return the messages.

    ``heard`` gets who knows it afterwards; who hears it in this round tells it in the next.
    """
    messages = 0
    for node in range(informed.shape[0]):
        if informed[node]:
            for call in range(fan_out):
                word = words32(seed, stream, node * fan_out + call)[0]
                heard[partner(node, first, others, word)] = True
                messages += 1
    return messages


@kernel
def push_sum_round(shares: FloatArray, after: FloatArray, partners: IntArray) -> None:
    """Let every node keep half of its row and give the other half to its partner.

    Parameters
    ----------
    shares : float64[n, columns]
        Weight and sums of each node, side by side: one row is one stretch of memory.
    after : float64[n, columns]
        Overwritten with the rows after the round.
    partners : int64[n]
    """
    for node in range(shares.shape[0]):
        for column in range(shares.shape[1]):
            after[node, column] = 0.5 * shares[node, column]
    for node in range(shares.shape[0]):
        other = partners[node]
        for column in range(shares.shape[1]):
            after[other, column] += 0.5 * shares[node, column]


@kernel
def pairwise_sweep(
    values: FloatArray, first: IntArray, others: IntArray, seed: int, stream: int
) -> None:
    """Let nodes meet n times, one after another: a random one and a partner take their mean."""
    nodes = values.shape[0]
    for tick in range(nodes):
        who, whom = words32(seed, stream, tick)
        node = drawn(who, nodes)
        other = partner(node, first, others, whom)
        for column in range(values.shape[1]):
            mean = 0.5 * (values[node, column] + values[other, column])
            values[node, column] = mean
            values[other, column] = mean
