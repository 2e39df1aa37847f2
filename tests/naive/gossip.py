"""Plain-loop references of the gossip kernels; partners are drawn as the kernels draw them."""

import numpy as np

from swarmloom.random_streams32 import words32


def drawn(word, count):
    return int(word) * count // 2**32


def partner(node, neighbours, word):
    return neighbours[node][drawn(word, len(neighbours[node]))]


def complete(n):
    return [[other for other in range(n) if other != node] for node in range(n)]


def push(neighbours, fan_out, source, seed):
    informed, counts = {source}, [1]
    while len(informed) < len(neighbours):
        told = set()
        for node in informed:
            for call in range(fan_out):
                word, _ = words32(seed, len(counts), node * fan_out + call)
                told.add(partner(node, neighbours, word))
        informed |= told
        counts.append(len(informed))
    return counts


def push_sum(values, neighbours, seed, rounds):
    sums, weights = list(values), [1.0] * len(values)
    for number in range(rounds):
        new_sums, new_weights = [0.0] * len(sums), [0.0] * len(sums)
        for node in range(len(sums)):
            to = partner(node, neighbours, words32(seed, number, node)[0])
            for target in (node, to):
                new_sums[target] += 0.5 * sums[node]
                new_weights[target] += 0.5 * weights[node]
        sums, weights = new_sums, new_weights
    return np.array(sums) / np.array(weights), sum(sums), sum(weights)


def pairwise(values, neighbours, seed, sweeps):
    current = list(values)
    for sweep in range(sweeps):
        for tick in range(len(current)):
            who, whom = words32(seed, sweep, tick)
            node = drawn(who, len(current))
            to = partner(node, neighbours, whom)
            current[node] = current[to] = 0.5 * (current[node] + current[to])
    return np.array(current)
